#include "trainer/optimizer/tensor_rates.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace nystrom {
namespace {

constexpr std::string_view kBlock = "nystromformer.encoder.layer.", kEmbeddings = "nystromformer.embeddings.";

/// Number of the block that a parameter belongs to; -1: embeddings; `layers`: head.
std::int64_t layer_of(const std::string& name, std::int64_t layers) {
  if (name.starts_with(kEmbeddings)) return -1;
  return name.starts_with(kBlock) ? std::stoll(name.substr(kBlock.size())) : layers;
}

std::int64_t count_layers(const ParameterStore& store) {
  std::int64_t layers = 0;
  for (const auto& parameter : store.all()) layers = std::max(layers, layer_of(parameter.name, -1) + 1);
  return layers;
}

bool matches(const OptimizerGroup& group, const Parameter& parameter) {
  return fnmatch(group.match.c_str(), parameter.name.c_str(), 0) == 0;
}

/// The member of the first entry that matches the parameter and has it, or else `otherwise`.
double of_groups(const OptimizerOptions& options, const Parameter& parameter,
                 std::optional<double> OptimizerGroup::*member, double otherwise) {
  for (const OptimizerGroup& group : options.groups)
    if (group.*member && matches(group, parameter)) return *(group.*member);
  return otherwise;
}

void refuse_idle_groups(const OptimizerOptions& options, const ParameterStore& store) {
  for (const OptimizerGroup& group : options.groups)
    if (std::ranges::none_of(store.all(), [&](const Parameter& each) { return matches(group, each); }))
      refuse(
          "`optimizer.groups`: the pattern {} matches no tensor of this model, whose tensors have names like "
          "{}; `nystrom inspect` lists those of a checkpoint.",
          group.match, store[store.count() / 2].name);
}

}  // namespace

bool is_of_block(const Parameter& parameter) {
  return parameter.name.starts_with(kBlock);
}

std::vector<TensorRate> tensor_rates(const OptimizerOptions& options, const ParameterStore& store) {
  refuse_idle_groups(options, store);
  const std::int64_t layers = count_layers(store);
  const bool decays_all = options.kind == "lamb" && options.all_tensors;
  std::vector<TensorRate> rates;
  for (const Parameter& parameter : store.all()) {
    const auto depth = static_cast<double>(layers - layer_of(parameter.name, layers));
    const double decay = parameter.decayed() || decays_all ? options.weight_decay : 0;
    rates.push_back({.rate = std::pow(options.layer_decay, depth) *
                             of_groups(options, parameter, &OptimizerGroup::rate, 1),
                     .weight_decay = of_groups(options, parameter, &OptimizerGroup::weight_decay, decay)});
  }
  return rates;
}

}  // namespace nystrom
