#include "trainer/checkpoint/content.h"

#include <algorithm>
#include <cstring>

namespace nystrom {
namespace {

constexpr std::int64_t kGrain = 1 << 20;  // bytes worth a thread

Tensor flat_view(const std::vector<std::byte>& copy, DType type) {
  return Tensor(const_cast<std::byte*>(copy.data()), type,
                {static_cast<std::int64_t>(copy.size() / size_of(type))});
}

void copy_on_all_threads(Context& context, const std::byte* from, std::vector<std::byte>& to) {
  parallel_for(context, static_cast<std::int64_t>(to.size()), kGrain,
               [&](std::int64_t begin, std::int64_t end) {
                 std::memcpy(to.data() + begin, from + begin, static_cast<std::size_t>(end - begin));
               });
}

void copy_tensor(Context& context, const Tensor& from, std::vector<std::byte>& to) {
  NYSTROM_CHECK(from.bytes() == to.size(), "{} bytes are copied to {}", from.bytes(), to.size());
  if (context.cuda() != nullptr)
    context.read(from, to.data());
  else
    copy_on_all_threads(context, static_cast<const std::byte*>(from.address), to);
}

}  // namespace

CheckpointContent content_of(const Network& network, const Optimizer& optimizer, const RunState& state,
                             const RunIdentity& identity) {
  const ParameterStore& store = network.parameters();
  NYSTROM_CHECK(!optimizer.partition().sharded(), "a checkpoint of {} of {} weights' state",
                optimizer.partition().count(), store.flat_size());
  return {.model = network.config(),
          .head = network.head_config(),
          .parameters = store.all(),
          .weights = store.weights(),
          .states = optimizer.states(),
          .identity = identity,
          .state = state,
          .memory = store.memory()};
}

CheckpointSnapshot::CheckpointSnapshot(const Network& network, const Optimizer& optimizer,
                                       const RunIdentity& identity)
    : network_(network), optimizer_(optimizer), identity_(identity) {
  const Tensor& weights = network.parameters().weights();
  copies_.emplace_back(weights.bytes());
  for (const OptimizerState& state : optimizer.states())
    copies_.emplace_back(static_cast<std::size_t>(state.layout->partition().size()) *
                         size_of(state.values.dtype));
}

std::vector<Tensor> CheckpointSnapshot::state_copies() const {
  std::vector<Tensor> all;
  for (const OptimizerState& state : optimizer_.states())
    all.push_back(flat_view(copies_[all.size() + 1], state.values.dtype));
  return all;
}

void CheckpointSnapshot::take(Context& context, const RunState& state, std::optional<double> validation) {
  state_ = state;
  validation_ = validation;
  copy_tensor(context, network_.parameters().weights(), copies_[0]);
  if (optimizer_.partition().sharded()) return;
  const auto states = optimizer_.states();
  for (std::size_t i = 0; i < states.size(); ++i) copy_tensor(context, states[i].values, copies_[i + 1]);
}

CheckpointContent CheckpointSnapshot::content() const {
  const ParameterStore& store = network_.parameters();
  std::vector<OptimizerState> states = optimizer_.states();
  const std::vector<Tensor> copies = state_copies();
  for (std::size_t i = 0; i < states.size(); ++i) states[i].values = copies[i];
  return {.model = network_.config(),
          .head = network_.head_config(),
          .parameters = store.all(),
          .weights = flat_view(copies_[0], store.weights().dtype),
          .states = std::move(states),
          .identity = identity_,
          .state = state_,
          .validation = validation_};
}

std::size_t CheckpointSnapshot::bytes() const {
  std::size_t sum = 0;
  for (const auto& copy : copies_) sum += copy.size();
  return sum;
}

}  // namespace nystrom
