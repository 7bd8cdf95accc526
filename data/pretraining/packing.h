#pragma once
// Packing of sentences into samples.

#include <cstdint>
#include <vector>

#include "kernels/core/names.h"

namespace nystrom {

enum class Packing : std::uint8_t {
  kSentences,  ///< a sample is of one document
  kDocuments,  ///< whole documents share a sample where they fit
};

template <>
struct EnumNames<Packing> {
  static constexpr Named<Packing> kAll[] = {{Packing::kSentences, "sentences"},
                                            {Packing::kDocuments, "documents"}};
};

enum class PairStyle : std::uint8_t {
  kExact,     ///< every token once; a sample without a sentence boundary has no label
  kOriginal,  ///< as the preparation of the original (and of ALBERT): see TextSamples
};

template <>
struct EnumNames<PairStyle> {
  static constexpr Named<PairStyle> kAll[] = {{PairStyle::kExact, "exact"},
                                              {PairStyle::kOriginal, "original"}};
};

struct PackingOptions {
  std::uint64_t capacity = 0;    ///< text tokens of a sample, at most; at least 2
  double short_probability = 0;  ///< share of the samples that end early
  Packing packing = Packing::kSentences;
  PairStyle pairs = PairStyle::kExact;
  std::uint64_t seed = 0;
};

/// Sample `index` of all ends with the sentence that reaches this length: `capacity`, or, with
/// `short_probability`, any from 2 to it, each equally likely. A pure function of (seed, index).
[[nodiscard]] std::uint64_t target_length(const PackingOptions& options, std::uint64_t index);

/// Where a sample or a document begins in its shard. Eight bytes, so that the samples of billions of tokens
/// fit into memory on every rank.
struct SampleStart {
  std::uint32_t token;
  std::uint32_t sentence;  ///< that the token belongs to
};

/// The result of packing a shard.
struct PackedSamples {
  struct Source {
    std::uint64_t first_sample;  ///< of these; until the next entry's they come from
    std::uint32_t source;
  };
  std::vector<SampleStart> starts;     ///< of each sample; it ends where the next one begins
  std::vector<SampleStart> documents;  ///< of each document
  std::vector<Source> sources;
  std::int64_t special_tokens = 0;  ///< in all samples; of PairStyle::kOriginal not known
};

/// Packs one shard. Sentences go together, in order, as long as they fit and the sample has not reached its
/// target length. With kExact a sentence longer than the capacity is split into pieces, the last of which is
/// packed with what follows: the samples tile the token stream. With kOriginal a sample ends with the
/// sentence that reaches the target, however far beyond: reading cuts it. With kDocuments a document joins
/// the sample before it if it is of the same source and fits as a whole, with a token between them.
class SamplePacker {
 public:
  /// `first_sample`: samples before this shard's. `pairs`: samples with a sentence boundary get three special
  /// tokens, not two.
  SamplePacker(const PackingOptions& options, bool pairs, std::uint64_t first_sample);

  void begin_document(std::uint32_t source);
  void add_sentence(std::uint64_t sentence, std::uint64_t first_token, std::uint64_t end_token);
  PackedSamples finish();

 private:
  struct Sentence {
    std::uint64_t index, first, end;
  };

  void place_document();
  [[nodiscard]] bool joins() const;
  [[nodiscard]] bool appends(const Sentence& sentence) const;
  void begin_sample(std::uint64_t token, std::uint64_t sentence);
  void end_sample();

  PackingOptions options_;
  bool pairs_;
  std::uint64_t first_sample_;
  std::uint32_t source_ = 0;            // of the current document
  std::vector<Sentence> document_;      // of the current one
  std::uint64_t start_ = 0, used_ = 0;  // of the current sample: first token, tokens and separators
  std::uint64_t target_ = 0;
  std::uint64_t boundaries_ = 0, documents_ = 0;
  PackedSamples packed_;
};

}  // namespace nystrom
