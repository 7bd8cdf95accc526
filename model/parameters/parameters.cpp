#include "model/parameters/parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/core/philox.h"
#include "kernels/fill.h"
#include "kernels/rows.h"
#include "model/config/model_config.h"

namespace nystrom {
namespace {
constexpr std::int64_t kGap = static_cast<std::int64_t>(kAlignment / sizeof(float));

/// What a parameter's values begin as: normal(0, deviation), or uniform in (-bound, bound); with neither,
/// constant.
struct Start {
  double deviation = 0, bound = 0, constant = 0;
};

Start start_of(const Parameter& parameter, double range, Initialization layers) {
  const auto inverse_root = [](std::int64_t n) { return 1 / std::sqrt(static_cast<double>(n)); };
  switch (parameter.init) {
    case Init::kNormal:
      return {.deviation = range};
    case Init::kWeight:
    case Init::kBias:
      if (layers == Initialization::kTorch) return {.bound = inverse_root(parameter.fan_in)};
      return {.deviation = parameter.init == Init::kWeight ? range : 0};
    case Init::kProjection:
      return {.deviation = inverse_root(parameter.shape[parameter.shape.rank() - 2])};
    case Init::kOne:
      return {.constant = 1};
    case Init::kZero:
      break;
  }
  return {};
}

template <class T>
void fill(std::span<T> values, const Start& start, std::uint64_t seed, std::uint64_t index) {
  Random random(seed, Purpose::kInitialization, index);
  const auto draw = [&] {
    if (start.bound > 0) return start.bound * (2 * random.uniform() - 1);
    return start.deviation > 0 ? start.deviation * random.normal() : start.constant;
  };
  for (T& v : values) v = static_cast<T>(static_cast<float>(draw()));
}

/// Inputs of an output of what is added behind `before`.
std::int64_t fan_in_of(const Shape& shape, Init init, const std::vector<Parameter>& before) {
  if (init == Init::kWeight) return shape.numel() / shape[0];
  if (init != Init::kBias) return 0;
  NYSTROM_CHECK(!before.empty() && before.back().init == Init::kWeight,
                "a bias after {} parameters has no weight", before.size());
  return before.back().fan_in;
}

Tensor rows_times(Tensor tensor, std::int64_t count) {
  tensor.shape[0] *= count;
  return tensor;
}
}  // namespace

ParameterId ParameterStore::add(std::string name, Shape shape, Init init) {
  return add_group({std::move(name)}, shape, init);
}

ParameterId ParameterStore::add_group(const std::vector<std::string>& names, Shape shape, Init init) {
  NYSTROM_CHECK(!allocated_, "{} is added after allocation", names.front());
  const ParameterId first = parameters_.size();
  const std::int64_t fan_in = fan_in_of(shape, init, parameters_);
  for (const auto& name : names) {
    NYSTROM_CHECK(find(name) == nullptr, "{} is added twice", name);
    by_name_.emplace(name, parameters_.size());
    parameters_.push_back({name, shape, flat_size_, init, fan_in});
    flat_size_ += shape.numel();
  }
  flat_size_ = (flat_size_ + kGap - 1) / kGap * kGap;
  return first;
}

double ParameterStore::bytes_needed(bool training) const {
  const DType master = compute_dtype(activation_);
  const std::size_t bytes =
      size_of(master) * (training ? 2 : 1) + (activation_ != master ? size_of(activation_) : 0);
  return static_cast<double>(flat_size_) * static_cast<double>(bytes);
}

void ParameterStore::allocate(bool training) {
  NYSTROM_CHECK(!allocated_, "parameters are allocated twice ({})", parameters_.size());
  allocated_ = true;
  const DType master = compute_dtype(activation_);
  weights_ = OwnedTensor(master, {flat_size_}, *memory_);
  if (training) gradients_ = OwnedTensor(master, {flat_size_}, *memory_);
  if (activation_ != master) copy_ = OwnedTensor(activation_, {flat_size_}, *memory_);
}

void ParameterStore::initialize(std::uint64_t seed, double range, ParameterId zero_row_of,
                                std::int64_t zero_row, Initialization layers) {
  for (ParameterId id = 0; id < count(); ++id) {
    fill_weight(id, [&](const Tensor& w) {
      dispatch_float(w.dtype, [&]<class T>(T) {
        if constexpr (!std::is_same_v<T, BF16>)
          fill(w.span<T>(), start_of(parameters_[id], range, layers), seed, id);
      });
      if (id == zero_row_of && zero_row >= 0 && zero_row < w.dim(0)) {
        const Tensor row = w.rows(zero_row, 1);
        std::memset(row.address, 0, row.bytes());
      }
    });
  }
  refresh_copy();
}

const Parameter* ParameterStore::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &parameters_[found->second];
}

Tensor ParameterStore::part(const OwnedTensor& flat, const Parameter& parameter) {
  return flat.view().rows(parameter.offset, parameter.numel()).reshaped(parameter.shape);
}

Tensor ParameterStore::grouped_weight(ParameterId id, std::int64_t n) const {
  return group(weights_, parameters_[id], n);
}
Tensor ParameterStore::grouped_gradient(ParameterId id, std::int64_t n) const {
  return group(gradients_, parameters_[id], n);
}
Tensor ParameterStore::grouped_compute_weight(ParameterId id, std::int64_t n) const {
  return group(copy_.view().empty() ? weights_ : copy_, parameters_[id], n);
}

Tensor ParameterStore::group(const OwnedTensor& flat, const Parameter& first, std::int64_t count) {
  return rows_times(part(flat, first), count);
}

std::int64_t ParameterStore::values() const {
  std::int64_t n = 0;
  for (const auto& p : parameters_) n += p.numel();
  return n;
}

void ParameterStore::zero_gradients(Context& context) {
  if (!gradients_.view().empty()) fill_zero(context, gradients_);
}

void ParameterStore::refresh_copy() {
  if (copy_.view().empty()) return;
  const HostValues weights(weights_, *memory_), copy(copy_, *memory_);
  const auto from = weights.view().span<float>();
  const auto to = copy.view().span<BF16>();
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = BF16(from[i]);
  copy.write_back();
}

void ParameterStore::round_copy(Context& context) {
  if (!copy_.view().empty()) convert(context, weights_, copy_);
}

}  // namespace nystrom
