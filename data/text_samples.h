#pragma once
// Sequences made from our shards: consecutive sentences of one document.

#include <cstdint>
#include <vector>

#include "data/chunk_cache.h"
#include "data/masking.h"
#include "data/reader_pool.h"
#include "data/samples.h"
#include "data/shard_reader.h"

namespace nystrom {

/// Sentences are packed greedily, in order, into samples of at most sequence_length - 3 tokens (- 2 without
/// pairs); a sentence longer than that is cut into pieces, the last of which is packed with what follows. So
/// the samples tile the token stream: every token of every document is in exactly one. No sample crosses a
/// document.
///
/// A pair is cut at one of the sample's sentence boundaries, each equally likely, and swapped with
/// probability 1/2: `<s> A </s> B </s>`, types 0 up to the first `</s>`, then 1; label 1 if swapped. A sample
/// without a boundary is `<s> A </s>`, label -1; so are all of them without pairs.
class TextSamples : public SampleSource {
 public:
  explicit TextSamples(const SampleOptions& options);

  [[nodiscard]] std::uint64_t samples() const override { return first_sample_.back(); }
  [[nodiscard]] std::int64_t tokens() const override { return tokens_; }
  [[nodiscard]] std::int64_t most_masked() const override { return masker_.count(capacity_); }
  [[nodiscard]] const ShardHeader* header() const override { return &shards_.peek(0).header(); }
  void read(std::uint64_t index, std::uint64_t key, Sample& sample) override;

 private:
  /// Where a sample begins in its shard; it ends where the next one begins. Eight bytes a sample, so that a
  /// corpus of billions of tokens fits into memory on every rank.
  struct Start {
    std::uint32_t token;
    std::uint32_t sentence;  // that the token belongs to
  };

  void check_compatible(const ShardReader& reader, const SampleOptions& options) const;
  void add_shard(const ShardReader& reader, std::uint64_t special_tokens);
  void read_boundaries(ShardReader& reader, const Start& start, const Start& end);

  std::uint64_t capacity_;  // text tokens of a sample, at most
  bool pairs_;
  SpecialIds special_;
  std::uint64_t seed_;
  ChunkCache cache_;
  ReaderPool<ShardReader> shards_;
  Masker masker_;
  std::vector<Start> starts_;                // of all shards, each shard followed by its end
  std::vector<std::uint64_t> first_sample_;  // by shard, and the total
  std::int64_t tokens_ = 0;
  std::vector<std::int32_t> text_;         // scratch of read()
  std::vector<std::uint64_t> boundaries_;  // scratch: sentence boundaries inside the sample
};

}  // namespace nystrom
