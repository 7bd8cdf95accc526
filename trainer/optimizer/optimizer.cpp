#include "trainer/optimizer/optimizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/optimizer/average.h"
#include "kernels/optimizer/clip_factor.h"
#include "kernels/rows.h"
#include "trainer/optimizer/kinds.h"

namespace nystrom {
namespace {

void check_options(const OptimizerOptions& o) {
  const auto below_one = [](const char* key, double value) {
    if (!(value >= 0 && value < 1)) refuse("`{}` is {}; it must be in [0, 1).", key, value);
  };
  const auto not_negative = [](const char* key, double value) {
    if (!(value >= 0) || !std::isfinite(value))
      refuse("`{}` is {}; it must be a number of at least 0.", key, value);
  };
  below_one("optimizer.beta1", o.beta1);
  below_one("optimizer.beta2", o.beta2);
  below_one("optimizer.momentum", o.momentum);
  below_one("training.ema_decay", o.ema_decay);
  if (!(o.epsilon > 0)) refuse("`optimizer.epsilon` is {}; it must be above 0.", o.epsilon);
  not_negative("optimizer.learning_rate", o.learning_rate);
  not_negative("optimizer.adamw_learning_rate", o.adamw_learning_rate);
  not_negative("optimizer.weight_decay", o.weight_decay);
  if (!(o.layer_decay > 0 && o.layer_decay <= 1))
    refuse("`optimizer.layer_decay` is {}; it must be in (0, 1] (1: one rate for all layers).",
           o.layer_decay);
  if (o.newton_schulz_steps < 1)
    refuse("`optimizer.newton_schulz_steps` is {}; it must be at least 1.", o.newton_schulz_steps);
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options, ParameterStore& store, const ZeroPartition& partition)
    : options_(options), store_(store), partition_(partition), whole_(store, partition, nullptr) {
  if (options.ema_decay > 0)
    average_ = OwnedTensor(store.weights().dtype, {partition.count()}, store.memory());
}

std::vector<OptimizerState> Optimizer::states() const {
  std::vector<OptimizerState> all = moments();
  if (options_.ema_decay > 0) all.push_back({kAverageState, average_, &whole_});
  return all;
}

// The average begins with the weights before the first update, whatever loaded them.
void Optimizer::step(Context& context, const Update& update) {
  const Tensor weights = partition_.shard_of(store_.weights());
  const bool averages = options_.ema_decay > 0;
  if (averages && updates_ == 0) convert(context, weights, average_);
  ++updates_;
  this->update(context, update);
  if (averages) average_step(context, weights, options_.ema_decay, average_);
}

void Optimizer::swap_average(Context& context) {
  NYSTROM_CHECK(has_average(), "no average after {} updates", updates_);
  swap_values(context, partition_.shard_of(store_.weights()), average_);
}

std::span<const OptimizerKind> optimizer_kinds() {
  static const std::array kinds{kAdamW, kStableAdamW, kLamb, kMuon};
  return kinds;
}

const OptimizerKind& find_optimizer(std::string_view name) {
  std::vector<std::string_view> names;
  for (const OptimizerKind& kind : optimizer_kinds()) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  refuse("`optimizer.kind` is {}; it must be one of {}.", name, fmt::join(names, ", "));
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, ParameterStore& store) {
  return make_optimizer(options, store, ZeroPartition(store.flat_size()), {});
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, ParameterStore& store,
                                          const ZeroPartition& partition, SumOverRanks sum) {
  check_options(options);
  NYSTROM_CHECK(!store.gradients().empty(), "an optimizer for {} parameters without gradients",
                store.count());
  return find_optimizer(options.kind).make(options, store, partition, std::move(sum));
}

ZeroPartition optimizer_partition(const OptimizerOptions& options, const ParameterStore& store, int rank,
                                  int ranks) {
  const OptimizerKind& kind = find_optimizer(options.kind);
  if (kind.partition != nullptr) return kind.partition(store, rank, ranks);
  return {store.flat_size(), rank, ranks};
}

std::size_t optimizer_bytes(const OptimizerOptions& options, const ParameterStore& store, int state_ranks) {
  const OptimizerKind& kind = find_optimizer(options.kind);
  const ZeroPartition weights = optimizer_partition(options, store, 0, state_ranks);
  std::vector<std::int64_t> values(static_cast<std::size_t>(state_ranks));
  const auto add = [&](StateLayout::Covers covers) {
    const StateLayout layout(store, weights, covers);
    const auto begins = layout.partition().begins();
    for (std::size_t rank = 0; rank < values.size(); ++rank) values[rank] += begins[rank + 1] - begins[rank];
  };
  for (const OptimizerKind::State& state : kind.states) add(state.covers);
  if (options.ema_decay > 0) add(nullptr);
  const auto most = static_cast<std::size_t>(*std::ranges::max_element(values));
  const std::size_t scratch = kind.scratch_bytes == nullptr ? 0 : kind.scratch_bytes(store);
  return most * size_of(store.weights().dtype) + scratch;
}

std::size_t optimizer_state_bytes(const OptimizerOptions& options, const ParameterStore& store) {
  const OptimizerKind& kind = find_optimizer(options.kind);
  const std::size_t scratch = kind.scratch_bytes == nullptr ? 0 : kind.scratch_bytes(store);
  return optimizer_bytes(options, store, 1) - scratch;
}

std::size_t state_bytes(const OptimizerOptions& options, const ParameterStore& store, int state_ranks) {
  const std::size_t weights_and_gradients = 2 * store.weights().bytes();
  const std::size_t rounded = store.rounded_copy().empty() ? 0 : store.rounded_copy().bytes();
  return weights_and_gradients + rounded + optimizer_bytes(options, store, state_ranks);
}

GradientNorm gradient_norm(Context& context, const ParameterStore& store) {
  return gradient_norm(context, store, ZeroPartition(store.flat_size()));
}

GradientNorm gradient_norm(Context& context, const ParameterStore& store, const ZeroPartition& partition) {
  GradientNorm result{0, store.count()};
  double sum = 0;
  for (ParameterId id = 0; id < store.count(); ++id) {
    const std::int64_t begin = std::max(store[id].offset, partition.begin()),
                       end = std::min(store[id].offset + store[id].numel(), partition.end());
    if (begin >= end) continue;
    const double square = squared_norm(context, store.gradients().rows(begin, end - begin));
    if (!std::isfinite(square)) result.bad = id;
    sum += square;
  }
  result.norm = std::sqrt(sum);
  return result;
}

void GradientClip::measure(Context& context, const Tensor& gradients) {
  clip_factor(context, gradients, clip_, result_);
}

GradientNorm GradientClip::read(Context& context, const ParameterStore& store,
                                const ZeroPartition& partition) const {
  std::array<double, 2> result{};
  context.read(result_, result.data());
  if (std::isfinite(result[0])) return {result[0], store.count()};
  return gradient_norm(context, store, partition);  // slow, to name the parameter
}

double clip_scale(double norm, double clip) {
  return clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0;
}

}  // namespace nystrom
