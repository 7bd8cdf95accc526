#pragma once
// Options and report of a preparation.

#include <cstdint>
#include <string>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/preparation/worker_pool.h"
#include "data/tokenizer/training.h"

namespace nystrom {

struct PrepareTokenizer {
  std::string path;            ///< of an existing model; empty: train one
  Tokenizer existing = {};     ///< what the caller read from `path`; empty: `path` is a tokenizer's file
  TokenizerTraining training;  ///< its names serve an existing model too
  std::int64_t sample_bytes = std::int64_t{16}
                              << 20U;  ///< of text that training sees; it needs 25 times that in memory
};

/// What is dropped, and how sources are read.
struct CleaningOptions {
  std::int64_t minimum_characters = 0;  ///< of a document; shorter ones are dropped
  bool duplicate_documents = true;      ///< drop all but the first of equal documents, over all sources
  bool duplicate_paragraphs = true;     ///< of equal paragraphs of at least 120 bytes
  bool near_duplicates = false;         ///< and of near duplicates (by MinHash)
  /// Patterns of files; documents that share 13 consecutive words with them are dropped.
  std::vector<std::string> decontaminate;
  bool keep_dropped = false;      ///< write what is dropped to dropped.jsonl
  bool skip_damaged = false;      ///< skip corrupt input; else it ends the preparation
  double expansion_limit = 1000;  ///< maximum ratio of decompressed to compressed size
};

struct PrepareOptions {
  std::vector<CorpusSpec> corpora;
  PrepareTokenizer tokenizer;
  std::string directory;                 ///< of the output; created if it does not exist
  std::int64_t shard_tokens = 33554432;  ///< a shard ends before the document that would exceed them
  double validation_fraction = 0.005;    ///< share of the documents
  double test_fraction = 0;
  std::uint64_t seed = 1;             ///< of the tokenizer's sample and of the splits
  std::string normalization = "nfc";  ///< nfc | nfkc | none
  CleaningOptions cleaning;
  PrepareGroup group;  ///< several ranks that share the work; changes only the speed
  int threads = 0;     ///< 0: as many as the process may use; changes only the speed
};

struct SplitCounts {
  std::int64_t documents = 0, sentences = 0, tokens = 0;
  std::int64_t shards = 0;
};

struct PrepareReport {
  bool already_done = false;  ///< the directory was complete: nothing was done
  SplitCounts train, validation, test;
  std::int32_t vocabulary_size = 0;
  std::string tokenizer_sha256;
  std::string manifest;               ///< its path
  std::vector<std::string> warnings;  ///< sentences that a user should see
};

}  // namespace nystrom
