#pragma once
// One split's shards: 00000.h5, 00001.h5, ... each ending before the document that would exceed its tokens.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/shard.h"

namespace nystrom {

struct WrittenShard {
  std::string file;  ///< name inside the split's folder
  std::int64_t bytes = 0;
  std::string sha256 = {};
  ShardCounts counts = {};
};

class ShardSet {
 public:
  /// `folder` is made with the first document.
  ShardSet(std::string folder, ShardHeader header, std::int64_t shard_tokens)
      : folder_(std::move(folder)),
        header_(std::move(header)),
        shard_tokens_(shard_tokens),
        by_source_(header_.sources.size()) {}

  /// A document without tokens is left out; gives false.
  bool add_document(std::int64_t source, const std::vector<std::vector<std::int32_t>>& sentences);
  void finish();

  [[nodiscard]] const std::vector<WrittenShard>& shards() const {
    return shards_;
  }  ///< those that are finished
  [[nodiscard]] const std::vector<ShardCounts>& by_source() const { return by_source_; }
  [[nodiscard]] ShardCounts total() const;

 private:
  void open();
  void close();

  std::string folder_;
  ShardHeader header_;
  std::int64_t shard_tokens_;
  std::vector<ShardCounts> by_source_;
  std::unique_ptr<ShardWriter> writer_;
  std::vector<WrittenShard> shards_;
};

}  // namespace nystrom
