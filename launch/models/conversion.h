#pragma once
// Conversion between checkpoints and Hugging Face folders: `nystrom convert`.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nystrom {

struct ConvertOptions {
  std::string from = {}, to = {};
  /// The one length that transformers' Nystrom attention takes. Default: that of training.
  std::optional<std::int64_t> sequence_length = {};
  std::string dtype = {};       ///< type of a folder's weights: fp32, fp16 or bf16; empty: as stored
  std::string shard_size = {};  ///< maximum size of a folder's weight files, such as "2GB"; empty: one file
  std::optional<std::int64_t> positions = {};  ///< extend the position table to this many, by tiling
  std::string weights = "trained";             ///< or `ema`: averaged ones of a checkpoint that has them
  bool plain = false;                          ///< a folder without code and files for sentence-transformers
  /// JSON that a checkpoint gets as its provenance (trainer/checkpoint/run_state.h), the source's within it.
  std::string provenance = {};
  std::vector<std::string> overrides = {};  ///< model.attention.…=value of the target
};

/// Writes `to`: a checkpoint if the name ends in .h5 or .hdf5, else a folder. Validates all tensors of `from`
/// against its configuration first. Refuses a target that exists. Returns sentences about what was done.
std::vector<std::string> convert(const ConvertOptions& options);

}  // namespace nystrom
