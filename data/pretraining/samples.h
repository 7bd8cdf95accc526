#pragma once
// Sample sources of the loader: one per kind of shard.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/pretraining/masking.h"
#include "data/pretraining/mixture.h"
#include "data/pretraining/packing.h"
#include "data/pretraining/permutation.h"
#include "data/sample.h"
#include "data/shards/shard.h"

namespace nystrom {

/// Not thread-safe: one thread reads at a time.
class SampleSource {
 public:
  SampleSource() = default;
  SampleSource(const SampleSource&) = delete;
  SampleSource& operator=(const SampleSource&) = delete;
  virtual ~SampleSource() = default;

  [[nodiscard]] virtual std::uint64_t samples() const = 0;
  /// Tokens in all samples together, special ones included; -1: not counted.
  [[nodiscard]] virtual std::int64_t tokens() const = 0;
  /// No sample has more masked positions.
  [[nodiscard]] virtual std::int64_t max_masked() const = 0;
  /// Of our shards; NVIDIA's have none.
  [[nodiscard]] virtual const ShardHeader* header() const = 0;
  /// For a shuffle that does not read each block again for each of its samples; none where that costs little.
  [[nodiscard]] virtual Blocks blocks() const { return {}; }
  /// The samples by corpus; none if the shards do not record it.
  [[nodiscard]] virtual std::span<const CorpusSamples> corpora() const { return {}; }
  /// Sentences for the log.
  [[nodiscard]] virtual std::vector<std::string> warnings() const { return {}; }

  /// Sample `index` < samples(), with the random draws of `key`.
  virtual void read(std::uint64_t index, std::uint64_t key, Sample& sample) = 0;
};

struct SampleOptions {
  std::vector<std::string> shards;
  std::int64_t sequence_length = 512;
  bool pairs = true;  ///< SOP pairs and labels; else one segment, no label
  PairStyle pair_style = PairStyle::kExact;
  Packing packing = Packing::kSentences;
  double short_sequence_probability = 0;
  Masking masking = {};
  SpecialIds special = {};
  std::int64_t vocabulary_size = 0;
  std::vector<bool> starts_word = {};
  std::string tokenizer_sha256 = {};  ///< refuse shards of another tokenizer; empty: any, but one
  std::uint64_t seed = 0;
  std::size_t cache_bytes = std::size_t{1} << 26U;
  /// Shards of no more than this (as stored, all together) are read through when they are opened, so that
  /// corruption is found before the first step; larger ones are checked as they are read.
  std::uint64_t verify_bytes = std::uint64_t{1} << 28U;
};

/// Recognizes the kind by content. Refuses (InputError) an empty list, mixed kinds or tokenizers (naming two
/// files), a vocabulary larger than `vocabulary_size`, corrupt shards, and shards without any sample.
std::unique_ptr<SampleSource> open_samples(const SampleOptions& options);

}  // namespace nystrom
