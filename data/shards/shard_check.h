#pragma once
// Validation of shards in a child process (data/hdf5/child_check.h) before the program itself opens them.

#include <span>
#include <string>

#include "kernels/core/names.h"

namespace nystrom {

enum class ShardCheck {
  kStructure,  ///< attributes, types, sizes, and the address of each chunk; no data
  kAll,        ///< and all data
  kAuto,       ///< all data of NVIDIA's, which have no checksums, up to 256 MiB in all; else the structure
  kNone        ///< nothing
};

/// `run.check_shards`; kStructure has no word.
template <>
struct EnumNames<ShardCheck> {
  static constexpr Named<ShardCheck> kAll[] = {
      {ShardCheck::kAuto, "auto"}, {ShardCheck::kAll, "all"}, {ShardCheck::kNone, "none"}};
};

/// Throws InputError, naming the file, for a shard that is corrupt or makes the HDF5 library crash.
void check_shards(std::span<const std::string> shards, ShardCheck depth);

/// The same in this process, for one shard. Precondition: kStructure or kAll.
void check_shard(const std::string& path, ShardCheck depth);

}  // namespace nystrom
