#pragma once
// Fine-tuning starts from another model's encoder under a head of its own.

#include <string>
#include <vector>

#include "model/exchange/safetensors.h"
#include "model/layers/parameters.h"

namespace nystrom {

struct WarmStart {
  ParameterId first_of_head = 0;    ///< the parameters before it are the encoder's
  bool redraw_head = false;         ///< a stored head of another shape is left aside instead of refused
  std::int64_t redrawn_layers = 0;  ///< so many top layers keep their drawn values
  std::string path;                 ///< of the stored model, for messages
};

/// Fills an allocated and initialized store with the tensors of its names; refreshes its rounded copy. Gives
/// what is to be said about it: which tensors keep their drawn values. Refuses (InputError), naming each,
/// encoder tensors that are missing or of another shape, and head tensors of another shape unless
/// `redraw_head`.
std::vector<std::string> start_warm(ParameterStore& store, const std::vector<TensorToWrite>& stored,
                                    const WarmStart& options);

}  // namespace nystrom
