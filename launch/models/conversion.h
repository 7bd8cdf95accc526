#pragma once
// From a checkpoint or a Hugging Face folder to the other, or to another of the same kind.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nystrom {

struct ConvertOptions {
  std::string from = {}, to = {};
  std::optional<std::int64_t> sequence_length =
      {};                       ///< transformers' Nystrom path takes one length only; none: the trained
  std::string dtype = {};       ///< fp32, fp16 or bf16 of a folder's weights; empty: as they are stored
  std::string shard_size = {};  ///< of a folder: largest file of weights ("2GB"); empty: one file
  std::optional<std::int64_t> positions = {};  ///< lengthen the position table to so many by tiling
  std::vector<std::string> overrides = {};     ///< model.attention.…=value for what is written
};

/// Writes `to`: a checkpoint if the name ends in .h5 or .hdf5, else a folder. Checks all tensors of `from`
/// against its configuration first; refuses a target that exists. Gives sentences about what was done.
std::vector<std::string> convert(const ConvertOptions& options);

}  // namespace nystrom
