#include "trainer/checkpoint_content.h"

#include <algorithm>
#include <cstring>

namespace nystrom {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

Tensor like(const Tensor& original, const std::vector<std::byte>& copy) {
  return Tensor(const_cast<std::byte*>(copy.data()), original.dtype, original.shape);
}

void copy_in_pieces(const std::byte* from, std::vector<std::byte>& to, int threads) {
  const auto pieces = static_cast<std::int64_t>((to.size() + kPiece - 1) / kPiece);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    const std::size_t begin = static_cast<std::size_t>(piece) * kPiece;
    std::memcpy(to.data() + begin, from + begin, std::min(kPiece, to.size() - begin));
  }
}

}  // namespace

CheckpointContent content_of(const Network& network, const Optimizer& optimizer, const RunState& state,
                             const RunIdentity& identity) {
  const ParameterStore& store = network.parameters();
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
  for (const Tensor& source : sources()) copies_.emplace_back(source.bytes());
}

std::vector<Tensor> CheckpointSnapshot::sources() const {
  std::vector<Tensor> all{network_.parameters().weights()};
  for (const OptimizerState& state : optimizer_.states()) all.push_back(state.values);
  return all;
}

void CheckpointSnapshot::take(Context& context, const RunState& state, std::optional<double> validation) {
  state_ = state;
  validation_ = validation;
  const std::vector<Tensor> all = sources();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (context.cuda() != nullptr)
      context.read(all[i], copies_[i].data());
    else
      copy_in_pieces(static_cast<const std::byte*>(all[i].address), copies_[i], context.threads());
  }
}

CheckpointContent CheckpointSnapshot::content() const {
  const ParameterStore& store = network_.parameters();
  std::vector<OptimizerState> states = optimizer_.states();
  for (std::size_t i = 0; i < states.size(); ++i) states[i].values = like(states[i].values, copies_[i + 1]);
  return {.model = network_.config(),
          .head = network_.head_config(),
          .parameters = store.all(),
          .weights = like(store.weights(), copies_[0]),
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
