#pragma once
// Raw text to a tokenizer, shards and a manifest.
//
// Two passes over the corpora: the first draws a sample for the tokenizer (none if one is given), the second
// writes documents as sentences of ids into train/, validation/ and test/. The result is a function of the
// options and the text alone: equal input gives equal bytes, whatever the number of threads and the
// directory. Memory is bounded by the sample and the largest documents.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/tokenizer/training.h"

namespace nystrom {

struct PrepareTokenizer {
  std::string path;            ///< an existing model; empty: train one
  TokenizerTraining training;  ///< its names serve an existing model too
  std::int64_t sample_bytes = std::int64_t{16}
                              << 20U;  ///< of text that training sees; it needs 25 times that in memory
};

struct PrepareOptions {
  std::vector<CorpusSpec> corpora;
  PrepareTokenizer tokenizer;
  std::string directory;                 ///< of the output; made if it is not there
  std::int64_t shard_tokens = 33554432;  ///< a shard ends before the document that would exceed them
  double validation_fraction = 0.005;    ///< share of the documents
  double test_fraction = 0;
  std::uint64_t seed = 1;             ///< of the sample and of the split
  std::string normalization = "nfc";  ///< nfc | nfkc | none
  int threads = 0;                    ///< 0: as many as the process may use; changes nothing but speed
};

struct PrepareProgress {
  std::string stage;            ///< "reading for the tokenizer", "training the tokenizer", "writing shards"
  std::int64_t bytes_done = 0;  ///< of the sources as they lie on the disk
  std::int64_t bytes_total = 0;
  std::int64_t documents = 0;
};
using PrepareCallback = std::function<void(const PrepareProgress&)>;

struct SplitCounts {
  std::int64_t documents = 0, sentences = 0, tokens = 0;
  std::int64_t shards = 0;
};

struct PrepareReport {
  bool already_done = false;  ///< the directory held this very preparation: nothing was done
  SplitCounts train, validation, test;
  std::int32_t vocabulary_size = 0;
  std::string tokenizer_sha256;
  std::string manifest;               ///< its path
  std::vector<std::string> warnings;  ///< sentences that a user should see
};

/// Prepares, or finds that it was done. Calls `progress` now and then, on the calling thread.
/// Throws InputError for options that cannot be, a source that gives no document (naming it), damaged input,
/// and a directory that holds something else; Error if the work fails (a full disk). After an exception the
/// directory holds nothing of this preparation; after a kill, what the next call removes.
PrepareReport prepare(const PrepareOptions& options, const PrepareCallback& progress = {});

}  // namespace nystrom
