#pragma once
// Validation of shards in a child process (data/hdf5/child_check.h) before the program itself opens them.

#include <span>
#include <string>

namespace nystrom {

enum class ShardCheck {
  kStructure,  ///< attributes, types, sizes, and where each chunk lies; no data
  kAll,        ///< and all data
  kAuto        ///< all data of NVIDIA's, which have no checksums, up to 256 MiB in all; else the structure
};

/// Throws InputError, naming the file, for a shard that is corrupt or makes the HDF5 library crash.
void check_shards(std::span<const std::string> shards, ShardCheck depth);

/// The same in this process, for one shard. Precondition: not kAuto.
void check_shard(const std::string& path, ShardCheck depth);

}  // namespace nystrom
