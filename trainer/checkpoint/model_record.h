#pragma once
// Model configuration as attributes of an HDF5 group, so that a checkpoint is self-contained.

#include "data/hdf5/hdf5_file.h"
#include "model/config/model_config.h"
#include "model/heads/head_config.h"

namespace nystrom {

/// Attributes of the group `model`, which must exist.
void write_model_record(hdf5::File& file, const ModelConfig& model, const HeadConfig& head);

struct ModelRecord {
  ModelConfig model;
  HeadConfig head;
};
/// Throws InputError, naming the attribute, for what is missing or unknown.
[[nodiscard]] ModelRecord read_model_record(const hdf5::File& file);

}  // namespace nystrom
