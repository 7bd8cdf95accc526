#pragma once
// HDF5 input of `predict`.

#include "launch/predict/input.h"

namespace nystrom {

/// A dataset of texts (of fixed or variable length) for each column; or `input_ids`.
[[nodiscard]] std::unique_ptr<InputReader> open_hdf5_input(const InputOptions& options);

}  // namespace nystrom
