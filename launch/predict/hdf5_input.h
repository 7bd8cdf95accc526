#pragma once
// HDF5 input of `predict`.

#include "launch/predict/input.h"

namespace nystrom {

/// A dataset of texts (of fixed or variable length) for each column; or `input_ids`. Precondition: the file
/// went through check_foreign_hdf5 (data/hdf5/foreign_file.h).
[[nodiscard]] std::unique_ptr<InputReader> open_hdf5_input(const InputOptions& options);

}  // namespace nystrom
