#include "data/shards/shard_check.h"

#include <filesystem>

#include "data/hdf5/child_check.h"
#include "data/shards/bert_shard_reader.h"
#include "data/shards/inspect.h"
#include "data/shards/shard_reader.h"

namespace nystrom {
namespace {

constexpr std::uintmax_t kMaxRead = std::uintmax_t{256} << 20U;

/// HDF5 keeps the addresses of the chunks in B-trees, whose nodes are read only when their chunks are.
void walk_chunks(const std::string& path) {
  const hdf5::File file = hdf5::File::open(path, hdf5::Filters::kCompression);
  for (const std::string& name : file.datasets()) file.dataset(name, 0).check_chunks();
}

}  // namespace

void check_shard(const std::string& path, ShardCheck depth) {
  const ShardKind kind = shard_kind(path);
  if (depth == ShardCheck::kAll) {
    (void)summarize_shard(path);
  } else if (kind == ShardKind::kNystrom) {
    const ShardReader reader(path);
  } else {
    ChunkCache cache(ShardReader::kOwnCacheBytes);
    const BertShardReader reader(path, &cache);
  }
  walk_chunks(path);
}

void check_shards(std::span<const std::string> shards, ShardCheck depth) {
  if (depth == ShardCheck::kNone) return;
  std::uintmax_t left = kMaxRead;
  check_in_child(shards, {}, [depth, left](const std::string& path) mutable {
    if (depth != ShardCheck::kAuto) return check_shard(path, depth);
    const std::uintmax_t bytes = std::filesystem::file_size(path);
    const bool all = bytes <= left && shard_kind(path) == ShardKind::kBert;
    if (all) left -= bytes;
    check_shard(path, all ? ShardCheck::kAll : ShardCheck::kStructure);
  });
}

}  // namespace nystrom
