#include "model/batch.h"

#include <algorithm>
#include <cstring>

namespace nystrom {
namespace {

template <class T>
Tensor copied(const OwnedTensor& to, std::span<const T> from) {
  const auto n = static_cast<std::int64_t>(from.size());
  NYSTROM_CHECK(n <= to.view().dim(0), "a micro-batch has {} values where {} were planned", n,
                to.view().dim(0));
  if (n > 0) std::memcpy(to.view().address, from.data(), from.size_bytes());
  return to.view().first(n);
}

}  // namespace

BatchBuffer::BatchBuffer(const BatchLimits& limits)
    : limits_(limits),
      input_ids_(DType::kI32, {limits.tokens}),
      token_types_(DType::kI32, {limits.tokens}),
      positions_(DType::kI32, {limits.tokens}),
      token_samples_(DType::kI64, {limits.tokens}),
      offsets_(DType::kI32, {limits.sequences + 1}),
      lengths_(DType::kI32, {limits.sequences}),
      samples_(DType::kI64, {limits.sequences}),
      zeros_(DType::kI32, {limits.sequences}),
      first_rows_(DType::kI32, {limits.sequences}),
      sequence_labels_(DType::kI32, {limits.sequences}),
      sequence_ends_(DType::kI32, {limits.sequences}),
      sequence_values_(DType::kF32, {limits.sequences * limits.values}),
      label_rows_(DType::kI32, {limits.labels}),
      labels_(DType::kI32, {limits.labels}) {}

const Batch& BatchBuffer::upload(const BatchArrays& a) {
  const auto tokens = static_cast<std::int64_t>(a.input_ids.size());
  const auto sequences = static_cast<std::int64_t>(a.lengths.size());
  NYSTROM_CHECK(a.offsets.size() == a.lengths.size() + 1 && a.samples.size() == a.lengths.size() &&
                    a.token_type_ids.size() == a.input_ids.size() && a.offsets.back() == tokens &&
                    a.label_rows.size() == a.labels.size(),
                "a micro-batch of {} sequences, {} offsets, {} tokens", a.lengths.size(), a.offsets.size(),
                tokens);
  Batch& b = batch_;
  b.inputs.input_ids = copied(input_ids_, a.input_ids);
  b.inputs.token_type_ids = copied(token_types_, a.token_type_ids);
  b.inputs.positions = positions_.view().first(tokens);
  b.token_keys = {token_samples_.view().first(tokens), b.inputs.positions};
  b.sequences = {copied(offsets_, a.offsets), copied(lengths_, a.lengths), sequences, tokens, 0};
  b.sequence_keys = {copied(samples_, a.samples), zeros_.view().first(sequences)};
  b.first_rows = copied(first_rows_, a.offsets.first(a.lengths.size()));
  b.label_rows = copied(label_rows_, a.label_rows);
  b.labels = copied(labels_, a.labels);
  b.sequence_labels = copied(sequence_labels_, a.sequence_labels);
  b.sequence_ends = copied(sequence_ends_, a.sequence_ends);
  b.sequence_values = copied(sequence_values_, a.sequence_values);
  auto* positions = positions_.view().data<std::int32_t>();
  auto* samples = token_samples_.view().data<std::int64_t>();
  for (std::size_t s = 0; s < a.lengths.size(); ++s) {
    const std::int32_t begin = a.offsets[s], end = a.offsets[s + 1];
    b.sequences.longest = std::max<std::int64_t>(b.sequences.longest, end - begin);
    for (std::int32_t t = begin; t < end; ++t) {
      positions[t] = t - begin;
      samples[t] = a.samples[s];
    }
  }
  return batch_;
}

}  // namespace nystrom
