#pragma once
// Sequences made from our shards: consecutive sentences of one document.

#include <cstdint>
#include <span>
#include <vector>

#include "data/hdf5/chunk_cache.h"
#include "data/pretraining/masking.h"
#include "data/pretraining/mixture.h"
#include "data/pretraining/packing.h"
#include "data/pretraining/samples.h"
#include "data/shards/reader_pool.h"
#include "data/shards/shard_reader.h"

namespace nystrom {

class Random;

/// Sentences are packed greedily, in order, into samples of at most sequence_length - 3 tokens (- 2 without
/// pairs) by SamplePacker. With PairStyle::kExact the samples tile the token stream: every token of every
/// document is in exactly one.
///
/// A pair is split at one of the sample's sentence boundaries, each equally likely, and swapped with
/// probability 1/2: `<s> A </s> B </s>`, types 0 up to the first `</s>`, then 1; label 1 if swapped. A sample
/// without a boundary is `<s> A </s>`, label -1; so are all of them without pairs. A sample of several
/// documents is `<s> D </s> E </s> F </s>`, types 0, label -1.
///
/// PairStyle::kOriginal is the preparation of the original Nystromformer (mlpen/Nystromformer,
/// reorganized_code/BERT/dataset.py), which follows ALBERT's: the sentence that reaches the target length is
/// taken whole, and a pair that is then too long is truncated, token by token, at an end of its longer half,
/// front or back equally likely. A sample of one sentence becomes a pair with text of the same document from
/// a sentence drawn at random, label 1.
class TextSamples : public SampleSource {
 public:
  explicit TextSamples(const SampleOptions& options);

  [[nodiscard]] std::uint64_t samples() const override { return first_sample_.back(); }
  [[nodiscard]] std::int64_t tokens() const override { return tokens_; }
  [[nodiscard]] std::int64_t max_masked() const override { return masker_.count(packing_.capacity); }
  [[nodiscard]] const ShardHeader* header() const override { return &shards_.peek(0).header(); }
  [[nodiscard]] std::span<const CorpusSamples> corpora() const override { return corpora_; }
  void read(std::uint64_t index, std::uint64_t key, Sample& sample) override;

 private:
  using Ids = std::span<const std::int32_t>;

  void check_compatible(const ShardReader& reader, const SampleOptions& options) const;
  void add_shard(const ShardReader& reader);
  void add_corpora(const ShardReader& reader, const PackedSamples& packed);
  void read_boundaries(ShardReader& reader, const SampleStart& start, const SampleStart& end);
  bool write_documents(std::size_t shard, const SampleStart& start, const SampleStart& end, Sample& sample);
  void write_pair(Ids a, Ids b, Sample& sample) const;
  void write_exact_pair(const SampleStart& start, std::uint64_t key, Sample& sample);
  void write_original_pair(std::size_t shard, std::uint64_t index, const SampleStart& start,
                           std::uint64_t key, Sample& sample);
  void read_other(std::size_t shard, const SampleStart& start, std::uint64_t target, Random& random);
  [[nodiscard]] std::span<const SampleStart> documents_of(std::size_t shard) const;

  PackingOptions packing_;
  bool pairs_;
  SpecialIds special_;
  std::uint64_t seed_;
  ChunkCache cache_;
  ReaderPool<ShardReader> shards_;
  Masker masker_;
  std::vector<SampleStart> starts_;            // of all shards, each shard followed by its end
  std::vector<std::uint64_t> first_sample_;    // by shard, and the total
  std::vector<SampleStart> documents_;         // likewise, where reading needs them
  std::vector<std::uint64_t> first_document_;  // by shard, the shards' ends counted
  std::vector<CorpusSamples> corpora_;
  std::int64_t tokens_ = 0;
  std::vector<std::int32_t> text_, other_;  // scratch of read()
  std::vector<std::uint64_t> boundaries_;   // scratch: sentence boundaries inside the sample
};

}  // namespace nystrom
