#pragma once
// Learning rate and weight decay of each tensor: layer decay, number of dimensions, `optimizer.groups`.

#include <vector>

#include "model/parameters/parameters.h"
#include "trainer/optimizer/optimizer_options.h"

namespace nystrom {

struct TensorRate {
  double rate = 1;          ///< factor of the learning rate
  double weight_decay = 0;  ///< lambda
  bool operator==(const TensorRate&) const = default;
};

/// Of every parameter, by its id. Refuses a pattern of `groups` that matches none, naming it.
[[nodiscard]] std::vector<TensorRate> tensor_rates(const OptimizerOptions& options,
                                                   const ParameterStore& store);

/// Is it a parameter of one of the encoder's blocks?
[[nodiscard]] bool is_of_block(const Parameter& parameter);

}  // namespace nystrom
