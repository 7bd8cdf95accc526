#include "trainer/checkpoint_content.h"

#include <algorithm>
#include <cstring>

namespace nystrom {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

Tensor like(const Tensor& original, const std::vector<std::byte>& copy) {
  return Tensor(const_cast<std::byte*>(copy.data()), original.dtype, original.shape);
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
          .state = state};
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
    const auto* from = static_cast<const std::byte*>(all[i].address);
    std::byte* to = copies_[i].data();
    const std::size_t bytes = copies_[i].size();
    const auto pieces = static_cast<std::int64_t>((bytes + kPiece - 1) / kPiece);
#pragma omp parallel for schedule(static) num_threads(context.threads())
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      const std::size_t begin = static_cast<std::size_t>(piece) * kPiece;
      std::memcpy(to + begin, from + begin, std::min(kPiece, bytes - begin));
    }
  }
}

CheckpointContent CheckpointSnapshot::content() const {
  CheckpointContent content = content_of(network_, optimizer_, state_, identity_);
  content.validation = validation_;
  content.weights = like(content.weights, copies_[0]);
  for (std::size_t i = 0; i < content.states.size(); ++i)
    content.states[i].values = like(content.states[i].values, copies_[i + 1]);
  return content;
}

std::size_t CheckpointSnapshot::bytes() const {
  std::size_t sum = 0;
  for (const auto& copy : copies_) sum += copy.size();
  return sum;
}

}  // namespace nystrom
