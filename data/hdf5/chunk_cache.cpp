#include "data/hdf5/chunk_cache.h"

namespace nystrom {

const std::vector<std::byte>* ChunkCache::find(std::uint32_t column, std::uint64_t block) {
  const auto found = index_.find({column, block});
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->bytes;
}

const std::vector<std::byte>& ChunkCache::insert(std::uint32_t column, std::uint64_t block,
                                                 std::vector<std::byte> bytes) {
  bytes_ += bytes.size();
  entries_.push_front({{column, block}, std::move(bytes)});
  index_[entries_.front().key] = entries_.begin();
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.back().bytes.size();
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
  return entries_.front().bytes;
}

}  // namespace nystrom
