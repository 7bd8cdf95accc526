#include "trainer/metrics/evaluation.h"

#include "kernels/core/stage.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nystrom {
namespace {
constexpr std::size_t kColumns = 3;          // of a head's sums: loss, correct predictions, labels
constexpr std::string_view kWhole = "loss";  // name of a head's single loss

double count_known(std::span<const std::int32_t> labels) {
  return static_cast<double>(std::ranges::count_if(labels, [](std::int32_t label) { return label >= 0; }));
}

// A task head has labels of tokens, labels of sequences, or values: the other arrays are empty.
double count_answers(const BatchArrays& arrays) {
  const auto known = [](float value) { return !std::isnan(value); };
  return count_known(arrays.token_labels) + count_known(arrays.sequence_labels) +
         static_cast<double>(std::ranges::count_if(arrays.sequence_values, known));
}
}  // namespace

Losses mean_losses(const Head& head, std::span<const double> sums, const Objective& objective) {
  Losses losses;
  const auto names = head.losses();
  NYSTROM_CHECK(sums.size() >= names.size() * kColumns, "{} sums of {} losses", sums.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto row = sums.subspan(i * kColumns, kColumns);
    const double labels = row[2], share = labels > 0 ? 1 / labels : 0;
    losses.loss += objective.weights[i] * row[0] * share;
    if (names[i] == kWhole || labels == 0) continue;
    losses.terms.push_back({names[i], row[0] * share, row[1] * share, static_cast<std::int64_t>(labels)});
  }
  return losses;
}

std::array<double, kMaxLosses> count_labels(const Head& head, const BatchArrays& arrays) {
  std::array<double, kMaxLosses> counts{};
  const auto names = head.losses();
  for (std::size_t i = 0; i < names.size(); ++i)
    counts[i] = names[i] == kWhole  ? count_answers(arrays)
                : names[i] == "mlm" ? static_cast<double>(arrays.token_labels.size())
                                    : count_known(arrays.sequence_labels);
  return counts;
}

Losses evaluate(Context& context, Comm& comm, Network& network, BatchBuffer& buffer, BatchSource& source,
                std::int64_t batches, const Objective& objective, DeviceReduction* reduction) {
  Head& head = network.head();
  head.reset_sums(context);
  batches = std::min(batches, source.batches());
  Stage stage("validation", static_cast<double>(batches));
  for (std::int64_t index = 0; index < batches; ++index) {
    for (const HostBatch& micro_batch : source.read(index).micro_batches) {
      if (micro_batch.tokens() == 0) continue;
      network.forward(context, buffer.upload(arrays_of(micro_batch)), Pass{}, LossScales{});
      if (reduction != nullptr) reduction->settle(comm.activity().step());
    }
    stage.advance();
  }
  std::array<double, kMaxLosses * kColumns> sums{};
  std::ranges::copy(head.read_sums(context), sums.begin());
  comm.all_reduce(sums, "the sums of the validation losses");
  return mean_losses(head, sums, objective);
}

}  // namespace nystrom
