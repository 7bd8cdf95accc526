#include "trainer/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/adamw.h"
#include "kernels/rows.h"

namespace nystrom {
namespace {

void check_options(const OptimizerOptions& o) {
  const auto below_one = [](const char* key, double value) {
    if (!(value >= 0 && value < 1)) refuse("optimizer.{} is {}; it must lie in [0, 1).", key, value);
  };
  below_one("beta1", o.beta1);
  below_one("beta2", o.beta2);
  if (!(o.epsilon > 0)) refuse("optimizer.epsilon is {}; it must be above 0.", o.epsilon);
  if (!(o.learning_rate >= 0) || !std::isfinite(o.learning_rate))
    refuse("optimizer.learning_rate is {}; it must be a number of at least 0.", o.learning_rate);
  if (!(o.layer_decay > 0 && o.layer_decay <= 1))
    refuse("optimizer.layer_decay is {}; it must lie in (0, 1] (1: one rate for all layers).", o.layer_decay);
  if (!(o.weight_decay >= 0) || !std::isfinite(o.weight_decay))
    refuse("optimizer.weight_decay is {}; it must be a number of at least 0.", o.weight_decay);
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

class AdamWOptimizer final : public Optimizer {
 public:
  AdamWOptimizer(const OptimizerOptions& options, ParameterStore& store)
      : options_(options),
        store_(store),
        m_(store.weights().dtype, store.weights().shape),
        v_(store.weights().dtype, store.weights().shape) {
    // Neighbours that are treated alike are one call. Gaps between them are zero and stay so.
    const std::int64_t layers = count_layers(store);
    for (const auto& parameter : store.all()) {
      const double rate =
          std::pow(options.layer_decay, static_cast<double>(layers - layer_of(parameter.name, layers)));
      if (runs_.empty() || runs_.back().decayed != parameter.decayed() || runs_.back().rate != rate)
        runs_.push_back({parameter.offset, 0, parameter.decayed(), rate});
      runs_.back().count = parameter.offset + parameter.numel() - runs_.back().begin;
    }
  }

  [[nodiscard]] std::vector<OptimizerState> states() const override {
    return {{"exp_avg", m_.view()}, {"exp_avg_sq", v_.view()}};
  }

 private:
  struct Run {
    std::int64_t begin, count;
    bool decayed;
    double rate;  // share of the learning rate
  };

  void update(Context& context, double learning_rate, double gradient_scale) override {
    for (const Run& run : runs_) {
      const auto part = [&run](const Tensor& flat) {
        return flat.empty() ? Tensor{} : flat.rows(run.begin, run.count);
      };
      adamw_step(context, {.weights = part(store_.weights()),
                           .gradients = part(store_.gradients()),
                           .m = part(m_),
                           .v = part(v_),
                           .copy = part(store_.rounded_copy()),
                           .config = {options_.beta1, options_.beta2, options_.epsilon},
                           .learning_rate = learning_rate * run.rate,
                           .weight_decay = run.decayed ? options_.weight_decay : 0.0,
                           .gradient_scale = gradient_scale,
                           .step = updates()});
    }
  }

  OptimizerOptions options_;
  ParameterStore& store_;
  OwnedTensor m_, v_;  // [flat]
  std::vector<Run> runs_;
};

using Make = std::unique_ptr<Optimizer> (*)(const OptimizerOptions&, ParameterStore&);
struct Kind {
  std::string_view name;
  Make make;
};
constexpr std::array kKinds{
    Kind{"adamw", [](const OptimizerOptions& options, ParameterStore& store) -> std::unique_ptr<Optimizer> {
           return std::make_unique<AdamWOptimizer>(options, store);
         }}};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, ParameterStore& store) {
  check_options(options);
  NYSTROM_CHECK(!store.gradients().empty(), "an optimizer for {} parameters without gradients",
                store.count());
  std::string known;
  for (const Kind& kind : kKinds) {
    if (kind.name == options.kind) return kind.make(options, store);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", kind.name);
  }
  refuse("optimizer.kind is `{}`; known: {}.", options.kind, known);
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

double clip_scale(double norm, double clip) {
  return clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0;
}

}  // namespace nystrom
