#include "trainer/tasks/task_outputs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>

#include "kernels/core/stage.h"
#include "trainer/batches/batch_source.h"
#include "trainer/tasks/answers.h"
#include "trainer/tasks/task_source.h"

namespace nystrom {
namespace {

std::vector<float> numbers_of(const Context& context, const Tensor& logits) {
  std::vector<float> numbers(static_cast<std::size_t>(logits.numel()));
  if (logits.dtype == DType::kF64)
    std::ranges::transform(logits.span<double>(), numbers.begin(),
                           [](double x) { return static_cast<float>(x); });
  else
    context.read(logits, numbers.data());
  return numbers;
}

/// Entries as text for the other ranks: count, then numbers, of each.
std::string packed(const std::vector<std::vector<float>>& entries) {
  std::string bytes;
  for (const auto& entry : entries) {
    const auto count = static_cast<std::uint64_t>(entry.size());
    bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
    bytes.append(reinterpret_cast<const char*>(entry.data()), entry.size() * sizeof(float));
  }
  return bytes;
}

void unpack(const std::string& bytes, Outputs& to) {
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

struct RowSize {
  std::int64_t row = 0, tokens = 0, labels = 0;
};

std::vector<RowSize> longest_first(const TaskSplit& split, std::int64_t begin, std::int64_t end) {
  std::vector<RowSize> sizes;
  for (std::int64_t row = begin; row < end; ++row) {
    RowSize size{row, 0, 0};
    for (std::int64_t c = 0; c < split.choices(); ++c) {
      const SequenceSize sequence = split.size_of(static_cast<std::size_t>(row * split.choices() + c));
      size.tokens += sequence.tokens;
      size.labels += sequence.labels;
    }
    sizes.push_back(size);
  }
  std::ranges::stable_sort(sizes, std::greater{}, &RowSize::tokens);
  return sizes;
}

/// How many rows from the first of `rows` make a batch within the limits; at least one.
std::size_t count_fitting(std::span<const RowSize> rows, const TaskSplit& split, const BatchLimits& limits) {
  std::int64_t tokens = 0, labels = 0;
  std::size_t count = 0;
  for (; count < rows.size(); ++count) {
    tokens += rows[count].tokens;
    labels += rows[count].labels;
    const bool fits = tokens <= limits.tokens && labels <= limits.labels &&
                      (static_cast<std::int64_t>(count) + 1) * split.choices() <= limits.sequences;
    if (!fits) break;
  }
  return std::max<std::size_t>(count, 1);
}

/// The numbers of each row of a micro-batch, to their places in `entries`.
void take_entries(const Context& context, const HostBatch& batch, std::span<const RowSize> rows,
                  std::int64_t first, const TaskSplit& split, AnswerKind answer, const Network& network,
                  std::vector<std::vector<float>>& entries) {
  const Tensor logits = network.head().logits();
  const std::vector<float> numbers = numbers_of(context, logits);
  const auto width = static_cast<std::size_t>(logits.dim(logits.shape.rank() - 1));
  const auto sizes = entry_of(answer).entry_sizes(batch, split, width);
  NYSTROM_CHECK(sizes.size() == rows.size(), "{} entries of {} rows", sizes.size(), rows.size());
  std::size_t at = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    NYSTROM_CHECK(at + sizes[i] <= numbers.size(), "{} outputs are not enough", numbers.size());
    const auto from = numbers.begin() + static_cast<std::ptrdiff_t>(at);
    entries[static_cast<std::size_t>(rows[i].row - first)].assign(
        from, from + static_cast<std::ptrdiff_t>(sizes[i]));
    at += sizes[i];
  }
  NYSTROM_CHECK(at == numbers.size(), "{} of {} outputs belong to an entry", at, numbers.size());
}

}  // namespace

SplitOutputs compute_outputs(ComputeSession& session, Comm& comm, const TaskSplit& split, AnswerKind answer) {
  Context& context = session.context;
  Network& network = session.network;
  network.head().reset_sums(context);
  const std::int64_t begin = split.rows() * comm.rank() / comm.ranks();
  const std::int64_t end = split.rows() * (comm.rank() + 1) / comm.ranks();
  const std::vector<RowSize> order = longest_first(split, begin, end);
  std::vector<std::vector<float>> entries(order.size());
  double tokens = 0;
  for (const RowSize& size : order) tokens += static_cast<double>(size.tokens);
  Stage stage(fmt::format("evaluating {}", split.name()), tokens);
  for (std::span<const RowSize> left = order; !left.empty();) {
    const std::size_t count = count_fitting(left, split, session.limits);
    HostBatch batch;
    for (const auto& size : left.first(count)) append_row(split, answer, size.row, size.row, batch);
    network.forward(context, session.upload(arrays_of(batch)), Pass{}, LossScales{});
    take_entries(context, batch, left.first(count), begin, split, answer, network, entries);
    left = left.subspan(count);
    stage.advance(static_cast<double>(batch.tokens()));
  }
  std::array<double, 3> sums{};
  std::ranges::copy_n(network.head().read_sums(context).begin(), 3, sums.begin());
  comm.all_reduce(sums, "the sums of a split's losses");
  SplitOutputs result{.outputs = {}, .loss = sums[2] > 0 ? sums[0] / sums[2] : 0};
  if (answer == AnswerKind::kVector) result.loss = std::numeric_limits<double>::quiet_NaN();
  for (const auto& bytes : comm.all_gather_text(packed(entries), "the outputs of a split"))
    unpack(bytes, result.outputs);
  return result;
}

}  // namespace nystrom
