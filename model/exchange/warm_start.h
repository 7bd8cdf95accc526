#pragma once
// Warm start: the encoder of a stored model, under a head that may be new.

#include <string>
#include <vector>

#include "model/exchange/safetensors.h"
#include "model/parameters/parameters.h"

namespace nystrom {

struct WarmStart {
  ParameterId first_of_head = 0;          ///< the parameters before it are the encoder's
  bool reinitialize_head = false;         ///< a stored head of another shape is skipped instead of refused
  std::int64_t reinitialized_layers = 0;  ///< number of top layers that keep their random initialization
  std::string path;                       ///< of the stored model, for messages
};

/// Fills an allocated and initialized store with the stored tensors of the same names, and refreshes its
/// rounded copy. Returns notes for the log: which tensors keep their random initialization. Refuses
/// (InputError), naming each, encoder tensors that are missing or of another shape, and head tensors of
/// another shape unless `reinitialize_head`.
std::vector<std::string> start_warm(ParameterStore& store, const std::vector<TensorToWrite>& stored,
                                    const WarmStart& options);

}  // namespace nystrom
