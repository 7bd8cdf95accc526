#include "trainer/guards/self_check.h"

#include <algorithm>
#include <array>
#include <map>

#include "trainer/guards/consistency.h"

namespace nystrom {
namespace {

std::string names_of(Comm& comm, const std::vector<int>& ranks) {
  std::string names;
  for (const int rank : ranks) names += fmt::format("{}{}", names.empty() ? "" : ", ", comm.rank_name(rank));
  if (!names.empty()) names.front() = 'R';
  return names;
}

/// Ranks whose text differs from the majority's; all if there is no majority.
std::vector<int> outliers(const std::vector<std::string>& texts) {
  std::map<std::string, std::size_t> counts;
  for (const auto& text : texts) ++counts[text];
  const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
  const bool majority = 2 * most->second > texts.size();
  std::vector<int> found;
  for (std::size_t rank = 0; rank < texts.size(); ++rank)
    if (!majority || texts[rank] != most->first) found.push_back(static_cast<int>(rank));
  return found;
}

/// Digest of each parameter's gradient, in the store's order.
std::vector<std::string> gradient_digests(const ParameterStore& store) {
  std::vector<std::string> digests;
  for (const Parameter& parameter : store.all())
    digests.push_back(
        digest_of(HostValues(store.gradients().rows(parameter.offset, parameter.numel()), store.memory())));
  return digests;
}

}  // namespace

void check_states_agree(Comm& comm, std::span<const Tensor> weights, Memory& memory,
                        const Optimizer& optimizer, std::int64_t step) {
  if (comm.ranks() == 1) return;
  constexpr std::string_view kWhat = "the comparison of the weights";
  std::string mine;
  for (const Tensor& tensor : weights) mine += digest_of(HostValues(tensor, memory));
  if (!optimizer.partition().sharded())
    for (const OptimizerState& state : optimizer.states())
      mine += digest_of(HostValues(state.values, memory));
  std::array differing{comm.broadcast_text(mine, 0, kWhat) == mine ? 0.0 : 1.0};
  comm.all_reduce(differing, kWhat);
  if (differing[0] == 0) return;
  const auto drifted = outliers(comm.all_gather_text(mine, kWhat));
  fail(
      "At step {} the ranks no longer have the same weights and optimizer state: {} drifted from the "
      "others. Its memory or CPU is likely faulty: remove the machine, and resume from a checkpoint "
      "before the last check that passed.",
      step, names_of(comm, drifted));
}

void check_arithmetic(Context& context, Comm& comm, Network& network, BatchBuffer& buffer,
                      const StepBatch& batch, const Pass& pass, const LossScales& scales, std::int64_t step,
                      DeviceReduction* reduction) {
  const ParameterStore& store = network.parameters();
  const auto compute = [&]() -> std::vector<std::string> {
    if (batch.micro_batches.empty() || batch.micro_batches.front().tokens() == 0) return {};
    network.parameters().zero_gradients(context);
    network.head().reset_sums(context);
    const Batch& uploaded = buffer.upload(arrays_of(batch.micro_batches.front()));
    network.forward(context, uploaded, pass, scales);
    network.backward(context, uploaded, pass, scales, [](std::int64_t) {});
    if (reduction != nullptr) reduction->settle(step);
    return gradient_digests(store);
  };
  check_same_twice(
      comm, compute, [&](std::size_t i) { return store[i].name; }, step);
}

void check_same_twice(Comm& comm, const std::function<std::vector<std::string>()>& compute,
                      const std::function<std::string(std::size_t)>& name_of_item, std::int64_t step) {
  std::string bad;
  const auto first = compute(), second = compute();
  for (std::size_t i = 0; i < first.size() && bad.empty(); ++i)
    if (first[i] != second[i]) bad = name_of_item(i);
  constexpr std::string_view kWhat = "the check of the arithmetic";
  std::array differing{bad.empty() ? 0.0 : 1.0};
  comm.all_reduce(differing, kWhat);
  if (differing[0] == 0) return;
  const auto all = comm.all_gather_text(bad, kWhat);
  std::vector<int> ranks;
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    if (!all[rank].empty()) ranks.push_back(static_cast<int>(rank));
  fail(
      "At step {} the same micro-batch gave different gradients of {} when computed twice: {}. Its CPU "
      "or memory is likely faulty: remove the machine, and resume from a checkpoint before the last "
      "check that passed.",
      step, all[static_cast<std::size_t>(ranks.front())], names_of(comm, ranks));
}

}  // namespace nystrom
