#include "model/layers/batch.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace nystrom {

BatchBuffer::Place BatchBuffer::place(DType dtype, std::int64_t most) {
  const Place here{dtype, most, bytes_};
  bytes_ += align_up(static_cast<std::size_t>(most) * size_of(dtype));
  return here;
}

/// Writes the values to the host's block; the tensor's address is relative to the block until it is uploaded.
template <class T>
Tensor BatchBuffer::put(const Place& place, std::span<const T> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  NYSTROM_CHECK(n <= place.most, "a micro-batch has {} values where {} were planned", n, place.most);
  if (n > 0) std::memcpy(filling_ + place.offset, values.data(), values.size_bytes());
  return {filling_ + place.offset, place.dtype, {n}};
}

namespace {
std::int32_t at(std::span<const std::int32_t> values, std::int32_t i) {
  return values[static_cast<std::size_t>(i)];
}
}  // namespace

BatchBuffer::BatchBuffer(const BatchLimits& limits, const Context& context, SequenceGroup* group)
    : input_ids_(place(DType::kI32, limits.tokens)),
      token_types_(place(DType::kI32, limits.tokens)),
      indexes_(place(DType::kI32, limits.tokens)),
      positions_(place(DType::kI32, limits.tokens)),
      token_samples_(place(DType::kI64, limits.tokens)),
      offsets_(place(DType::kI32, limits.sequences + 1)),
      lengths_(place(DType::kI32, limits.sequences)),
      samples_(place(DType::kI64, limits.sequences)),
      pair_samples_(place(DType::kI64, limits.sequences / 2)),
      zeros_(place(DType::kI32, limits.sequences)),
      first_rows_(place(DType::kI32, limits.sequences)),
      sequence_labels_(place(DType::kI32, limits.sequences)),
      sequence_ends_(place(DType::kI32, limits.sequences)),
      sequence_values_(place(DType::kF32, limits.sequences * limits.values)),
      label_rows_(place(DType::kI32, limits.labels)),
      token_labels_(place(DType::kI32, limits.labels)),
      upload_(make_upload(context, bytes_)),
      group_(group) {}

void BatchBuffer::take_spans(const BatchArrays& a) {
  cuts_.assign(a.cuts.begin(), a.cuts.end());
  firsts_.assign(a.firsts.begin(), a.firsts.end());
  wholes_.assign(a.wholes.begin(), a.wholes.end());
  batch_.spans = {};
  if (cuts_.empty()) return;
  NYSTROM_CHECK(group_ != nullptr && std::ssize(cuts_) == group_->ranks() + 1 &&
                    firsts_.size() == a.lengths.size() && wholes_.size() == a.lengths.size(),
                "a span of {} cuts, {} first rows of {} sequences", cuts_.size(), firsts_.size(),
                a.lengths.size());
  batch_.spans = {group_, cuts_, firsts_, wholes_};
}

const Batch& BatchBuffer::upload(const BatchArrays& a) {
  const auto tokens = static_cast<std::int64_t>(a.input_ids.size());
  const auto sequences = static_cast<std::int64_t>(a.lengths.size());
  NYSTROM_CHECK(a.offsets.size() == a.lengths.size() + 1 && a.samples.size() == a.lengths.size() &&
                    a.token_type_ids.size() == a.input_ids.size() && a.offsets.back() == tokens &&
                    (a.positions.empty() || a.positions.size() == a.input_ids.size()) &&
                    a.label_rows.size() == a.token_labels.size(),
                "a micro-batch of {} sequences, {} offsets, {} tokens", a.lengths.size(), a.offsets.size(),
                tokens);
  take_spans(a);
  filling_ = upload_->begin();
  Batch& b = batch_;
  b.inputs.input_ids = put(input_ids_, a.input_ids);
  b.inputs.token_type_ids = put(token_types_, a.token_type_ids);
  NYSTROM_CHECK(tokens <= indexes_.most, "a micro-batch of {} tokens where {} were planned", tokens,
                indexes_.most);
  const Tensor indexes{filling_ + indexes_.offset, DType::kI32, {tokens}};
  b.token_keys = {{filling_ + token_samples_.offset, DType::kI64, {tokens}}, indexes};
  b.inputs.positions = a.positions.empty() ? indexes : put(positions_, a.positions);
  b.sequences = {put(offsets_, a.offsets), put(lengths_, a.lengths), sequences, tokens, 0, 0};
  std::memset(filling_ + zeros_.offset, 0, static_cast<std::size_t>(sequences) * sizeof(std::int32_t));
  b.sequence_keys = {put(samples_, a.samples), {filling_ + zeros_.offset, DType::kI32, {sequences}}};
  const Tensor pairs{filling_ + pair_samples_.offset, DType::kI64, {sequences / 2}};
  for (std::int64_t p = 0; p < sequences / 2; ++p)
    pairs.data<std::int64_t>()[p] = a.samples[static_cast<std::size_t>(2 * p)];
  b.pair_keys = {pairs, {filling_ + zeros_.offset, DType::kI32, {sequences / 2}}};
  b.first_rows = put(first_rows_, a.offsets.first(a.lengths.size()));
  b.label_rows = put(label_rows_, a.label_rows);
  b.token_labels = put(token_labels_, a.token_labels);
  b.sequence_labels = put(sequence_labels_, a.sequence_labels);
  b.sequence_ends = put(sequence_ends_, a.sequence_ends);
  b.sequence_values = put(sequence_values_, a.sequence_values);
  auto* index = indexes.data<std::int32_t>();
  auto* samples = b.token_keys.samples.data<std::int64_t>();
  for (std::size_t s = 0; s < a.lengths.size(); ++s) {
    const std::int32_t begin = a.offsets[s], end = a.offsets[s + 1];
    const auto first = cuts_.empty() ? std::int32_t{0} : static_cast<std::int32_t>(firsts_[s]);
    const std::int64_t rows = cuts_.empty() ? end - begin : wholes_[s];
    b.sequences.longest = std::max(b.sequences.longest, rows);
    b.sequences.shortest = s == 0 ? rows : std::min(b.sequences.shortest, rows);
    for (std::int32_t t = begin; t < end; ++t) {
      index[t] = first + t - begin;
      samples[t] = a.samples[s];
      NYSTROM_CHECK(a.positions.empty() || t == begin || at(a.positions, t - 1) < at(a.positions, t),
                    "token {} of sequence {} has position {} after {}", t - begin, s, at(a.positions, t),
                    at(a.positions, t - 1));
    }
  }
  // The views were of the host's block; ops find the same places in theirs.
  std::byte* const block = upload_->commit();
  for (Tensor* tensor : std::array{&b.inputs.input_ids, &b.inputs.token_type_ids, &b.inputs.positions,
                                   &b.token_keys.samples, &b.token_keys.positions, &b.sequences.offsets,
                                   &b.sequences.lengths, &b.sequence_keys.samples, &b.sequence_keys.positions,
                                   &b.pair_keys.samples, &b.pair_keys.positions, &b.first_rows, &b.label_rows,
                                   &b.token_labels, &b.sequence_labels, &b.sequence_ends, &b.sequence_values})
    tensor->address = block + (static_cast<std::byte*>(tensor->address) - filling_);
  return batch_;
}

}  // namespace nystrom
