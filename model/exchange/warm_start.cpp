#include "model/exchange/warm_start.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "kernels/core/stage.h"
#include "model/exchange/tensor_edits.h"

namespace nystrom {
namespace {

void fill(const TensorToWrite& tensor, const Tensor& weight) {
  const std::vector<std::byte> bytes = tensor.bytes();
  dispatch_float(weight.dtype, [&]<class T>(T) {
    const auto values = weight.span<T>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double stored = stored_number(tensor.name, tensor.type, bytes, i);
      values[i] = T(static_cast<Compute<T>>(stored));
      check_fits(tensor.name, stored, static_cast<double>(values[i]), "fp32");
    }
  });
}

bool same_shape(const TensorToWrite& tensor, const Parameter& parameter) {
  return std::ranges::equal(tensor.shape, parameter.shape.dims());
}

std::string listed(std::vector<std::string> items) {
  constexpr std::size_t kMaxListed = 8;
  const std::size_t count = items.size();
  if (count > kMaxListed) items.resize(kMaxListed);
  return fmt::format("{}{}", fmt::join(items, ", "),
                     count > kMaxListed ? fmt::format(" and {} more", count - kMaxListed) : "");
}

std::int64_t layer_of(const std::string& name) {
  constexpr std::string_view kBlock = "nystromformer.encoder.layer.";
  return name.starts_with(kBlock) ? std::stoll(name.substr(kBlock.size())) : -1;
}

std::int64_t count_layers(const ParameterStore& store) {
  std::int64_t layers = 0;
  for (const auto& parameter : store.all()) layers = std::max(layers, layer_of(parameter.name) + 1);
  return layers;
}

}  // namespace

std::vector<std::string> start_warm(ParameterStore& store, const std::vector<TensorToWrite>& stored,
                                    const WarmStart& options) {
  const std::int64_t kept_layers = count_layers(store) - options.reinitialized_layers;
  if (options.reinitialized_layers < 0 || kept_layers < 0)
    refuse("`model.reinitialize_layers` is {}; the model has {} layers.", options.reinitialized_layers,
           count_layers(store));
  std::vector<std::string> missing, misshapen, other_head, fresh;
  std::vector<std::pair<const TensorToWrite*, ParameterId>> found;
  std::map<std::string_view, const TensorToWrite*> by_name;
  for (const auto& tensor : stored) by_name.emplace(tensor.name, &tensor);
  for (ParameterId id = 0; id < store.count(); ++id) {
    const Parameter& parameter = store[id];
    const bool head = id >= options.first_of_head;
    if (layer_of(parameter.name) >= kept_layers) {
      fresh.push_back(parameter.name);
      continue;
    }
    const auto entry = by_name.find(parameter.name);
    const TensorToWrite* tensor = entry == by_name.end() ? nullptr : entry->second;
    if (tensor == nullptr) {
      (head ? fresh : missing).push_back(parameter.name);
    } else if (!same_shape(*tensor, parameter)) {
      const std::string shapes = fmt::format("{} ([{}] stored, {} needed)", parameter.name,
                                             fmt::join(tensor->shape, ", "), parameter.shape.text());
      (head ? other_head : misshapen).push_back(shapes);
      if (head) fresh.push_back(parameter.name);
    } else {
      found.emplace_back(tensor, id);
    }
  }
  if (!missing.empty()) refuse("{} lacks encoder tensors: {}.", options.path, listed(missing));
  if (!misshapen.empty())
    refuse("{} has encoder tensors of other shapes: {}. Omit the keys of `model` to use its shape.",
           options.path, listed(misshapen));
  if (!other_head.empty() && !options.reinitialize_head)
    refuse(
        "{} has a head for another number of labels: {}. Set `model.reinitialize_head` to true for a new "
        "head.",
        options.path, listed(other_head));
  Stage stage(fmt::format("loading {}", options.path), static_cast<double>(found.size()));
  for (const auto& [tensor, id] : found) {
    store.fill_weight(id, [from = tensor](const Tensor& weight) { fill(*from, weight); });
    stage.advance();
  }
  store.refresh_copy();
  if (fresh.empty()) return {};
  return {fmt::format("{} tensors are initialized randomly instead of from {}: {}.", fresh.size(),
                      options.path, listed(fresh))};
}

}  // namespace nystrom
