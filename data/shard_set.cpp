#include "data/shard_set.h"

#include <filesystem>

#include "data/sha256.h"
#include "kernels/core/check.h"

namespace nystrom {

namespace fs = std::filesystem;

bool ShardSet::add_document(std::int64_t source, const std::vector<std::vector<std::int32_t>>& sentences) {
  ShardCounts counts{.documents = 1};
  for (const auto& sentence : sentences) {
    if (sentence.empty()) continue;
    ++counts.sentences;
    counts.tokens += static_cast<std::int64_t>(sentence.size());
  }
  if (counts.tokens == 0) return false;
  if (writer_ && writer_->counts().tokens + counts.tokens > shard_tokens_) close();
  if (!writer_) open();
  writer_->add_document(source, sentences);
  auto& sum = by_source_.at(static_cast<std::size_t>(source));
  sum.documents += 1;
  sum.sentences += counts.sentences;
  sum.tokens += counts.tokens;
  return true;
}

void ShardSet::finish() {
  if (writer_) close();
}

ShardCounts ShardSet::total() const {
  ShardCounts total;
  for (const auto& counts : by_source_) {
    total.documents += counts.documents;
    total.sentences += counts.sentences;
    total.tokens += counts.tokens;
  }
  return total;
}

void ShardSet::open() {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) fail("{} cannot be made: {}.", folder_, error.message());
  shards_.push_back({.file = fmt::format("{:05}.h5", shards_.size())});
  writer_ = std::make_unique<ShardWriter>((fs::path(folder_) / shards_.back().file).string(), header_);
}

void ShardSet::close() {
  auto& shard = shards_.back();
  writer_->finish();
  shard.counts = writer_->counts();
  writer_.reset();
  const auto path = (fs::path(folder_) / shard.file).string();
  shard.bytes = static_cast<std::int64_t>(fs::file_size(path));
  shard.sha256 = sha256_of_file(path);
}

}  // namespace nystrom
