#pragma once
// All parameters of a network in flat memory, under Hugging Face's tensor names. They are added in the order
// of forward, so backward finishes them from the end: "gradients at and beyond offset x are final" is one
// number.

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

enum class Init {
  kNormal,  ///< normal(0, initializer_range), as tables are
  kWeight,  ///< of a linear layer [outputs, inputs] or a convolution [channels, ...]: by Initialization
  kBias,    ///< the same, of the linear layer whose weight was added right before
  kZero,
  kOne,
  kProjection  ///< [..., R, N]: normal(0, 1 / sqrt(R)), so that N = R keep their size
};

struct Parameter {
  std::string name;     ///< e.g. "nystromformer.encoder.layer.0.attention.self.query.weight"
  Shape shape;          ///< as stored in a checkpoint; conv.weight is [H, 1, K, 1]
  std::int64_t offset;  ///< elements from the start of the flat tensors
  Init init;
  std::int64_t fan_in = 0;  ///< of kWeight and kBias: inputs of an output
  /// Tensors of two or more dimensions are decayed by the optimizer.
  [[nodiscard]] bool decayed() const { return shape.rank() > 1; }
  /// The weight of a linear layer: passes read it by compute_weight() alone, never by weight().
  [[nodiscard]] bool only_multiplied() const { return init == Init::kWeight && shape.rank() == 2; }
  [[nodiscard]] std::int64_t numel() const { return shape.numel(); }
};

using ParameterId = std::size_t;

enum class Initialization;  // model/config/model_config.h

class ParameterStore {
 public:
  /// Weights and gradients in compute_dtype(activation); with activation bf16 also a rounded copy of all
  /// weights.
  explicit ParameterStore(DType activation, Memory& memory = Memory::host())
      : activation_(activation), memory_(&memory) {}

  /// Declares a parameter. Throws InternalError once allocate() has run or if the name is taken.
  ParameterId add(std::string name, Shape shape, Init init);
  /// Declares parameters of equal shape that are one after another without a gap, so that they also are one
  /// tensor.
  ParameterId add_group(const std::vector<std::string>& names, Shape shape, Init init);

  /// What allocate() takes.
  [[nodiscard]] double bytes_needed(bool training) const;
  /// Takes the memory; gradients only where `training`. Values are zero until initialize() or a load.
  void allocate(bool training);

  /// Draws every parameter from (seed, its index), as Init has it; row `zero_row` of the parameter
  /// `zero_row_of` is zero (the padding token's embedding).
  void initialize(std::uint64_t seed, double range, ParameterId zero_row_of, std::int64_t zero_row,
                  Initialization layers = {});

  [[nodiscard]] std::size_t count() const { return parameters_.size(); }
  [[nodiscard]] const Parameter& operator[](ParameterId id) const { return parameters_[id]; }
  [[nodiscard]] std::span<const Parameter> all() const { return parameters_; }
  /// The parameter of that name, or nullptr.
  [[nodiscard]] const Parameter* find(std::string_view name) const;

  [[nodiscard]] Tensor weight(ParameterId id) const { return part(weights_, parameters_[id]); }
  [[nodiscard]] Tensor gradient(ParameterId id) const { return part(gradients_, parameters_[id]); }
  /// The weight in the activation dtype, for matrix products.
  [[nodiscard]] Tensor compute_weight(ParameterId id) const {
    return part(copy_.view().empty() ? weights_ : copy_, parameters_[id]);
  }
  /// `count` grouped parameters from `id` on, as one tensor of that many times the rows.
  [[nodiscard]] Tensor grouped_weight(ParameterId id, std::int64_t count) const;
  [[nodiscard]] Tensor grouped_gradient(ParameterId id, std::int64_t count) const;
  [[nodiscard]] Tensor grouped_compute_weight(ParameterId id, std::int64_t count) const;

  /// Flat tensors over all parameters (with alignment gaps, which stay zero).
  [[nodiscard]] const Tensor& weights() const { return weights_.view(); }
  [[nodiscard]] const Tensor& gradients() const { return gradients_.view(); }
  /// Rounded copy [flat]; empty unless activations are bf16.
  [[nodiscard]] const Tensor& rounded_copy() const { return copy_.view(); }

  /// Number of parameter values, gaps not counted.
  [[nodiscard]] std::int64_t values() const;
  [[nodiscard]] std::int64_t flat_size() const { return flat_size_; }
  [[nodiscard]] DType activation() const { return activation_; }

  /// Where weights and gradients are.
  [[nodiscard]] Memory& memory() const { return *memory_; }

  /// All gradients are zero for the ops that follow.
  void zero_gradients(Context& context);
  /// Calls fill(tensor) with the weight within the host's reach, for it to overwrite.
  template <class Fill>
  void fill_weight(ParameterId id, const Fill& fill) {
    const HostValues values(weight(id), *memory_);
    fill(values.view());
    values.write_back();
  }
  /// Rounds all weights into the copy; a no-op unless activations are bf16. After every load and
  /// initialization.
  void refresh_copy();
  /// The same where the weights are, for the ops that follow.
  void round_copy(Context& context);

 private:
  static Tensor part(const OwnedTensor& flat, const Parameter& parameter);
  static Tensor group(const OwnedTensor& flat, const Parameter& first, std::int64_t count);

  DType activation_;
  Memory* memory_;
  std::vector<Parameter> parameters_;
  std::map<std::string, ParameterId, std::less<>> by_name_;
  std::int64_t flat_size_ = 0;
  bool allocated_ = false;
  OwnedTensor weights_, gradients_, copy_;
};

}  // namespace nystrom
