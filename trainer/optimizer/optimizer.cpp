#include "trainer/optimizer/optimizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/adamw.h"
#include "kernels/clip_factor.h"
#include "kernels/rows.h"

namespace nystrom {
namespace {

void check_options(const OptimizerOptions& o) {
  const auto below_one = [](const char* key, double value) {
    if (!(value >= 0 && value < 1)) refuse("`optimizer.{}` is {}; it must lie in [0, 1).", key, value);
  };
  below_one("beta1", o.beta1);
  below_one("beta2", o.beta2);
  if (!(o.epsilon > 0)) refuse("`optimizer.epsilon` is {}; it must be above 0.", o.epsilon);
  if (!(o.learning_rate >= 0) || !std::isfinite(o.learning_rate))
    refuse("`optimizer.learning_rate` is {}; it must be a number of at least 0.", o.learning_rate);
  if (!(o.layer_decay > 0 && o.layer_decay <= 1))
    refuse("`optimizer.layer_decay` is {}; it must lie in (0, 1] (1: one rate for all layers).",
           o.layer_decay);
  if (!(o.weight_decay >= 0) || !std::isfinite(o.weight_decay))
    refuse("`optimizer.weight_decay` is {}; it must be a number of at least 0.", o.weight_decay);
}

/// Number of the block that a parameter belongs to; -1: embeddings; `layers`: head.
std::int64_t layer_of(const std::string& name, std::int64_t layers) {
  constexpr std::string_view kBlock = "nystromformer.encoder.layer.",
                             kEmbeddings = "nystromformer.embeddings.";
  if (name.starts_with(kEmbeddings)) return -1;
  return name.starts_with(kBlock) ? std::stoll(name.substr(kBlock.size())) : layers;
}

std::int64_t count_layers(const ParameterStore& store) {
  std::int64_t layers = 0;
  for (const auto& parameter : store.all()) layers = std::max(layers, layer_of(parameter.name, -1) + 1);
  return layers;
}

constexpr std::array<std::string_view, 2> kAdamWStates{"exp_avg", "exp_avg_sq"};

class AdamWOptimizer final : public Optimizer {
 public:
  AdamWOptimizer(const OptimizerOptions& options, ParameterStore& store, const ZeroPartition& partition)
      : Optimizer(partition),
        options_(options),
        store_(store),
        m_(store.weights().dtype, {partition.count()}, store.memory()),
        v_(store.weights().dtype, {partition.count()}, store.memory()) {
    // Neighbours that are treated alike are one group; gaps between parameters are zero and stay so.
    const std::int64_t layers = count_layers(store);
    std::vector<std::int64_t> begins;
    std::vector<double> rates, decays;
    for (const auto& parameter : store.all()) {
      const double rate =
          std::pow(options.layer_decay, static_cast<double>(layers - layer_of(parameter.name, layers)));
      const double decay = parameter.decayed() ? 1 : 0;
      if (!begins.empty() && rates.back() == rate && decays.back() == decay) continue;
      if (parameter.offset >= partition.end()) break;
      if (parameter.offset <= partition.begin()) {  // so far the one that this part begins with
        begins.clear();
        rates.clear();
        decays.clear();
      }
      begins.push_back(std::max<std::int64_t>(0, parameter.offset - partition.begin()));
      rates.push_back(rate);
      decays.push_back(decay);
    }
    begins_ = on_memory(begins, store.memory());
    rates_ = on_memory(rates, store.memory());
    decays_ = on_memory(decays, store.memory());
  }

  [[nodiscard]] std::vector<OptimizerState> states() const override {
    return {{kAdamWStates[0], m_.view()}, {kAdamWStates[1], v_.view()}};
  }

 private:
  template <class T>
  static OwnedTensor on_memory(const std::vector<T>& values, Memory& memory) {
    OwnedTensor tensor(dtype_of<T>(), {static_cast<std::int64_t>(values.size())}, memory);
    memory.write(tensor.view().address, values.data(), tensor.view().bytes());
    return tensor;
  }

  void update(Context& context, double learning_rate, double gradient_scale, const Tensor& factor) override {
    if (partition().count() == 0) return;
    adamw_step(context, {.weights = partition().shard_of(store_.weights()),
                         .gradients = partition().shard_of(store_.gradients()),
                         .m = m_,
                         .v = v_,
                         .copy = partition().shard_of(store_.rounded_copy()),
                         .config = {options_.beta1, options_.beta2, options_.epsilon},
                         .learning_rate = learning_rate,
                         .weight_decay = options_.weight_decay,
                         .gradient_scale = gradient_scale,
                         .step = updates(),
                         .factor = factor,
                         .groups = {begins_, rates_, decays_}});
  }

  OptimizerOptions options_;
  ParameterStore& store_;
  OwnedTensor m_, v_;                    // [flat]
  OwnedTensor begins_, rates_, decays_;  // [groups]
};

std::unique_ptr<Optimizer> make_adamw(const OptimizerOptions& options, ParameterStore& store,
                                      const ZeroPartition& partition) {
  return std::make_unique<AdamWOptimizer>(options, store, partition);
}

constexpr std::array kKinds{OptimizerKind{"adamw", kAdamWStates, &make_adamw}};

}  // namespace

std::span<const OptimizerKind> optimizer_kinds() {
  return kKinds;
}

const OptimizerKind& find_optimizer(std::string_view name) {
  std::vector<std::string_view> names;
  for (const OptimizerKind& kind : kKinds) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  refuse("`optimizer.kind` is {}; it must be one of {}.", name, fmt::join(names, ", "));
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, ParameterStore& store) {
  return make_optimizer(options, store, ZeroPartition(store.flat_size()));
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, ParameterStore& store,
                                          const ZeroPartition& partition) {
  check_options(options);
  NYSTROM_CHECK(!store.gradients().empty(), "an optimizer for {} parameters without gradients",
                store.count());
  return find_optimizer(options.kind).make(options, store, partition);
}

std::size_t optimizer_bytes(const OptimizerOptions& options, const ParameterStore& store, int state_ranks) {
  return find_optimizer(options.kind).states.size() * store.weights().bytes() /
         static_cast<std::size_t>(state_ranks);
}

std::size_t state_bytes(const OptimizerOptions& options, const ParameterStore& store, int state_ranks) {
  const std::size_t weights_and_gradients = 2 * store.weights().bytes();
  const std::size_t rounded = store.rounded_copy().empty() ? 0 : store.rounded_copy().bytes();
  return weights_and_gradients + rounded + optimizer_bytes(options, store, state_ranks);
}

GradientNorm gradient_norm(Context& context, const ParameterStore& store) {
  GradientNorm result{0, store.count()};
  double sum = 0;
  for (ParameterId id = 0; id < store.count(); ++id) {
    const double square = squared_norm(context, store.gradient(id));
    if (!std::isfinite(square)) result.bad = id;
    sum += square;
  }
  result.norm = std::sqrt(sum);
  return result;
}

void GradientClip::measure(Context& context, const ParameterStore& store) {
  clip_factor(context, store.gradients(), clip_, result_);
}

GradientNorm GradientClip::read(Context& context, const ParameterStore& store) const {
  std::array<double, 2> result{};
  context.read(result_, result.data());
  if (std::isfinite(result[0])) return {result[0], store.count()};
  return gradient_norm(context, store);  // slow, to name the parameter
}

double clip_scale(double norm, double clip) {
  return clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0;
}

}  // namespace nystrom
