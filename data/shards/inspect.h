#pragma once
// Summary of a shard, for `nystrom inspect` and for comparisons.

#include <cstdint>
#include <string>
#include <vector>

#include "data/shards/shard.h"
#include "data/shards/shard_reader.h"

namespace nystrom {

/// Counts of lengths by powers of two: bins[k] is how many are in [2^k, 2^(k+1)).
struct LengthHistogram {
  std::vector<std::int64_t> bins;
  std::int64_t longest = 0;

  void add(std::int64_t length);  ///< length >= 1
};

struct ShardSummary {
  struct Source {
    std::string name;
    ShardCounts counts;
  };

  std::string path;
  ShardKind kind = ShardKind::kNystrom;
  std::uint64_t file_bytes = 0;

  // Ours.
  ShardHeader header;
  ShardCounts counts;
  std::vector<Source> sources;
  LengthHistogram document_tokens, sentence_tokens;

  // NVIDIA's: `sequences` of at most `width` tokens, `counts.tokens` in all without padding.
  std::int64_t sequences = 0, width = 0, max_masked = 0, masked = 0;
  LengthHistogram sequence_tokens;
};

/// Reads the whole shard, in bounded memory; so all of it is checked, and corruption is an InputError.
ShardSummary summarize_shard(const std::string& path);

/// How often each id occurs in the text of these shards (our special ids not counted; of NVIDIA's shards
/// the masked tokens' labels alone, since their special ids are not known).
std::vector<std::uint64_t> count_tokens(const std::vector<std::string>& shards);

/// The entropy, -sum p log p in nats, of the distribution of the counts; 0 if all are 0. It is the MLM loss
/// of a unigram baseline, which a run must beat.
double entropy_of(const std::vector<std::uint64_t>& counts);

/// entropy_of(count_tokens(shards)): nats a token.
double unigram_entropy(const std::vector<std::string>& shards);

}  // namespace nystrom
