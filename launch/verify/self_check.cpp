#include "launch/verify/self_check.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "kernels/core/check.h"
#include "kernels/core/stage.h"
#include "launch/verify/case_run.h"
#include "launch/verify/self_cases.h"

namespace nystrom {
namespace {

/// Numbers in [-1, 1) that are exact in fp32: a hash of a name and 0 .. count - 1. As in make_case.py.
Values hashed(std::string_view name, std::size_t count) {
  std::uint32_t seed = 2166136261U;  // FNV-1a
  for (const char byte : name) seed = (seed ^ static_cast<unsigned char>(byte)) * 16777619U;
  Values numbers;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t x = seed + static_cast<std::uint32_t>(i) * 0x9E3779B9U;
    x = (x ^ x >> 16U) * 0x85EBCA6BU;  // MurmurHash3's finalizer
    x = (x ^ x >> 13U) * 0xC2B2AE35U;
    x ^= x >> 16U;
    numbers.push_back(static_cast<double>(x >> 8U) / (1U << 23U) - 1);
  }
  return numbers;
}

/// Matrices in [-1, 1), vectors in [-1/8, 1/8), around 1 where they scale.
std::vector<std::string> fill_weights(Network& network) {
  ParameterStore& store = network.parameters();
  for (ParameterId id = 0; id < store.count(); ++id) {
    const Parameter& parameter = store[id];
    const bool vector = parameter.shape.dims().size() == 1;
    const bool scales =
        parameter.name.ends_with("LayerNorm.weight") || parameter.name.ends_with("_norm.weight");
    const double shift = scales ? 1 : 0;
    const Values values = hashed(parameter.name, static_cast<std::size_t>(parameter.numel()));
    store.fill_weight(id, [&](const Tensor& weight) {
      dispatch_float(weight.dtype, [&]<class T>(T) {
        const auto to = weight.span<T>();
        for (std::size_t i = 0; i < to.size(); ++i)
          to[i] = T(static_cast<float>(vector ? values[i] / 8 + shift : values[i]));
      });
    });
  }
  store.refresh_copy();
  return {};
}

ModelConfig model_of(const SelfCase& self) {
  ModelConfig model;
  model.vocabulary_size = 23;
  model.hidden_size = 8;
  model.layers = 2;
  model.intermediate_size = 12;
  model.max_positions = 32;
  model.pad_token_id = -1;  // none
  model.attention.heads = 2;
  model.attention.kind = self.attention;
  model.attention.landmarks = self.landmarks;
  model.attention.taps = self.taps;
  model.attention.window = 4;
  model.attention.global_tokens = GlobalTokens::kFirst;
  model.attention.projection = 3;
  model.attention.features = 6;
  model.attention.hashes = 2;
  model.attention.chunk = 3;
  model.network = self.network;
  return model;
}

ReferenceCase reference_of(const SelfCase& self, const ModelConfig& model) {
  ReferenceCase c;
  c.path = self.name;
  c.head = HeadKind::kPretraining;
  c.attention = model.attention;
  c.sequences = std::ssize(self.lengths);
  c.length = *std::ranges::max_element(self.lengths);
  c.lengths.assign(self.lengths.begin(), self.lengths.end());
  const auto count = static_cast<std::size_t>(c.sequences * c.length);
  const Values ids = hashed("ids", count), labels = hashed("labels", count);
  const double half = static_cast<double>(model.vocabulary_size) / 2;
  for (std::int32_t b = 0; b < c.sequences; ++b) {
    for (std::int32_t t = 0; t < c.length; ++t) {
      const std::size_t at = c.input_ids.size();
      const std::int32_t length = self.lengths[static_cast<std::size_t>(b)];
      const bool labelled = t < length && t % 3 == 1;
      c.input_ids.push_back(static_cast<std::int32_t>((ids[at] + 1) * half));
      c.token_type_ids.push_back(2 * t >= length ? 1 : 0);
      c.labels.token_labels.push_back(labelled ? static_cast<std::int32_t>((labels[at] + 1) * half) : -100);
    }
    c.labels.sequence_labels.push_back(b % 2);
  }
  return c;
}

/// The numbers that performer and reformer attention draw: features in [-2, 2), three buckets.
void add_random(const ModelConfig& model, ReferenceCase& c) {
  const AttentionConfig& a = model.attention;
  for (std::int64_t layer = 0; layer < model.layers; ++layer) {
    const std::string at = " " + std::to_string(layer);
    if (a.kind == "performer")
      for (const double x :
           hashed("features" + at, static_cast<std::size_t>(a.heads * a.features * model.head_size())))
        c.features.push_back(static_cast<float>(2 * x));
    if (a.kind == "reformer")
      for (const double x :
           hashed("buckets" + at, static_cast<std::size_t>(a.hashes * c.sequences * a.heads * c.length)))
        c.buckets.push_back(static_cast<std::int32_t>((x + 1) * 1.5));
  }
}

std::vector<Distance> gradient_distances(const CaseRun& run, const SelfCase& self) {
  const ParameterStore& store = run.network().parameters();
  double all = 0;
  for (const auto& gradient : self.gradients) all += gradient.norm * gradient.norm;
  std::vector<Distance> distances;
  for (const auto& gradient : self.gradients) {
    const Parameter* parameter = store.find(gradient.name);
    NYSTROM_CHECK(parameter != nullptr, "no parameter {}", gradient.name);
    const Values ours = run.gradient(static_cast<ParameterId>(parameter - &store[0]));
    const Values direction = hashed(std::string("along ") + gradient.name, ours.size());
    double along = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) along += ours[i] * direction[i];
    const double far = std::max(std::abs(norm_of(ours) - gradient.norm),
                                std::abs(along - gradient.along) / norm_of(direction));
    distances.push_back({gradient.name, quotient(far, std::max(gradient.norm, 1e-3 * std::sqrt(all))), 0});
  }
  NYSTROM_CHECK(std::ssize(distances) == static_cast<std::ptrdiff_t>(store.count()), "{} gradients of {}",
                distances.size(), store.count());
  return distances;
}

Verification check_one(const SelfCase& self, const VerifyOptions& options) {
  const ModelConfig model = model_of(self);
  ReferenceCase reference = reference_of(self, model);
  add_random(model, reference);
  CaseRun run({.model = reference.applied_to(model),
               .load = fill_weights,
               .device = options.device,
               .threads = options.threads,
               .precision = options.precision,
               .gradients = true},
              reference);
  Verification result;
  result.tolerance = options.tolerance > 0 ? options.tolerance : default_tolerance(options.precision);
  const Values hidden(self.hidden.begin(), self.hidden.end());
  const Values ours = run.hidden_state(static_cast<std::size_t>(model.layers));
  NYSTROM_CHECK(ours.size() == hidden.size(), "{} hidden values of {}", ours.size(), hidden.size());
  result.outputs = {
      {"mlm_loss", quotient(std::abs(run.loss(0) - self.mlm_loss), self.mlm_loss), result.tolerance},
      {"sop_loss", quotient(std::abs(run.loss(1) - self.sop_loss), self.sop_loss), result.tolerance},
      {"hidden_state", quotient(difference(ours, hidden), norm_of(hidden)), result.tolerance}};
  run.backward();
  result.gradients = gradient_distances(run, self);
  for (Distance& distance : result.gradients) distance.limit = 10 * result.tolerance;
  return result;
}

}  // namespace

std::vector<SelfCheck> check_self(const VerifyOptions& options) {
  std::vector<SelfCheck> checks;
  Stage stage("verifying", static_cast<double>(std::size(self_cases::kAll)));
  for (const SelfCase& self : self_cases::kAll) {
    checks.push_back({self.name, check_one(self, options)});
    stage.advance();
  }
  return checks;
}

}  // namespace nystrom
