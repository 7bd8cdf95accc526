#include "trainer/task_outputs.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "trainer/batch_source.h"
#include "trainer/task_source.h"

namespace nystrom {
namespace {

/// Numbers of each entry of a micro-batch, in the order in which the head lays them out.
std::vector<std::size_t> entry_sizes(const HostBatch& batch, const TaskSplit& split, AnswerKind answer,
                                     std::size_t labels) {
  const auto sequences = static_cast<std::size_t>(batch.sequences());
  if (answer == AnswerKind::kChoice)
    return std::vector(sequences / static_cast<std::size_t>(split.choices()),
                       static_cast<std::size_t>(split.choices()));
  std::vector<std::size_t> sizes(sequences, labels);
  if (answer == AnswerKind::kSpan)
    for (std::size_t i = 0; i < sequences; ++i) sizes[i] = 2 * static_cast<std::size_t>(batch.lengths[i]);
  if (answer == AnswerKind::kTags)
    for (std::size_t i = 0; i < sequences; ++i)
      sizes[i] =
          labels * static_cast<std::size_t>(std::ranges::count_if(batch.mlm_rows, [&](std::int32_t row) {
            return row >= batch.offsets[i] && row < batch.offsets[i + 1];
          }));
  return sizes;
}

std::vector<float> numbers_of(const Tensor& logits) {
  std::vector<float> numbers;
  if (logits.dtype == DType::kF64)
    for (const double x : logits.span<double>()) numbers.push_back(static_cast<float>(x));
  else
    numbers.assign(logits.span<float>().begin(), logits.span<float>().end());
  return numbers;
}

/// Entries as text for the other ranks: count, then numbers, of each.
class Parcel {
 public:
  void add(std::span<const float> entry) {
    const auto count = static_cast<std::uint64_t>(entry.size());
    bytes_.append(reinterpret_cast<const char*>(&count), sizeof count);
    bytes_.append(reinterpret_cast<const char*>(entry.data()), entry.size_bytes());
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

  static void unpack(const std::string& bytes, Outputs& to) {
    std::vector<float> entry;
    for (std::size_t at = 0; at < bytes.size();) {
      std::uint64_t count = 0;
      std::memcpy(&count, bytes.data() + at, sizeof count);
      at += sizeof count;
      entry.resize(count);
      if (count > 0) std::memcpy(entry.data(), bytes.data() + at, count * sizeof(float));
      at += count * sizeof(float);
      to.append(entry);
    }
  }

 private:
  std::string bytes_;
};

void add_entries(const HostBatch& batch, const TaskSplit& split, AnswerKind answer, const Tensor& logits,
                 std::size_t labels, Parcel& parcel) {
  const std::vector<float> numbers = numbers_of(logits);
  std::size_t at = 0;
  for (const std::size_t size : entry_sizes(batch, split, answer, labels)) {
    parcel.add(std::span(numbers).subspan(at, size));
    at += size;
  }
  NYSTROM_CHECK(at == numbers.size(), "{} of {} outputs belong to an entry", at, numbers.size());
}

}  // namespace

HeadConfig head_for(const TaskInfo& info) {
  const auto labels = static_cast<std::int64_t>(info.labels.size());
  switch (info.answer) {
    case AnswerKind::kClass:
      return {HeadKind::kSequenceClassification, labels};
    case AnswerKind::kLabels:
      return {HeadKind::kSequenceClassification, labels, Problem::kMultiLabel};
    case AnswerKind::kValue:
      return {HeadKind::kSequenceClassification, 1, Problem::kRegression};
    case AnswerKind::kTags:
      return {HeadKind::kTokenClassification, labels};
    case AnswerKind::kSpan:
      return {HeadKind::kQuestionAnswering, 2};
    case AnswerKind::kChoice:
      return {HeadKind::kMultipleChoice, 1};
  }
  return {};
}

SplitOutputs compute_outputs(Context& context, Comm& comm, Network& network, BatchBuffer& buffer,
                             const TaskSplit& split, AnswerKind answer, std::int64_t micro_batch) {
  network.head().reset_sums(context);
  const auto labels = static_cast<std::size_t>(network.head_config().labels);
  const std::int64_t end = split.rows() * (comm.rank() + 1) / comm.ranks();
  Parcel parcel;
  for (std::int64_t row = split.rows() * comm.rank() / comm.ranks(); row < end;) {
    HostBatch batch;
    for (const std::int64_t stop = std::min(row + micro_batch, end); row < stop; ++row)
      append_row(split, answer, row, row, batch);
    network.forward(context, buffer.upload(arrays_of(batch)), Pass{}, LossScales{});
    add_entries(batch, split, answer, network.head().logits(), labels, parcel);
  }
  std::array<double, 3> sums{};
  std::ranges::copy(network.head().sums().span<double>().first(3), sums.begin());
  comm.all_reduce(sums, "the sums of a split's losses");
  SplitOutputs result{.outputs = {}, .loss = sums[2] > 0 ? sums[0] / sums[2] : 0};
  for (const auto& bytes : comm.all_gather_text(parcel.bytes(), "the outputs of a split"))
    Parcel::unpack(bytes, result.outputs);
  return result;
}

}  // namespace nystrom
