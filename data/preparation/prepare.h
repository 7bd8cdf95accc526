#pragma once
// Raw text to a tokenizer, shards and a manifest.
//
// Stages, each of which leaves files in the output directory's folder `.preparing` and goes on from those
// that are there: the sources' text, cleaned and split into sentences; a search for copies; the tokenizer;
// the text as ids; shards. The result is a function of the options and the text alone: equal input gives
// equal bytes, whatever the number of threads and ranks, the directory, and how often the work was killed.
// Memory is bounded by the tokenizer's sample, the text in work on each thread and the largest page.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/preparation/worker_pool.h"
#include "data/tokenizer/training.h"

namespace nystrom {

struct PrepareTokenizer {
  std::string path;            ///< an existing model; empty: train one
  TokenizerTraining training;  ///< its names serve an existing model too
  std::int64_t sample_bytes = std::int64_t{16}
                              << 20U;  ///< of text that training sees; it needs 25 times that in memory
};

/// What is left out, and how sources are read.
struct CleaningOptions {
  std::int64_t minimum_characters = 0;  ///< of a document; shorter ones are dropped
  bool duplicate_documents = true;      ///< drop all but the first of equal documents, over all sources
  bool duplicate_paragraphs = true;     ///< of equal paragraphs of at least 120 bytes
  bool near_duplicates = false;         ///< and of documents that differ little (by MinHash)
  /// Patterns of files; documents that share 13 consecutive words with them are dropped.
  std::vector<std::string> decontaminate;
  bool keep_dropped = false;      ///< write what is dropped to dropped.jsonl
  bool skip_damaged = false;      ///< pass over damaged places; else they end it
  double expansion_limit = 1000;  ///< a compressed file may unpack to so many times its size
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
  CleaningOptions cleaning;
  PrepareGroup group;  ///< several ranks that share the work; changes nothing but speed
  int threads = 0;     ///< 0: as many as the process may use; changes nothing but speed
};

struct PrepareProgress {
  std::string stage;      ///< "reading the text", "tokenizing", "writing shards", ...
  std::int64_t done = 0;  ///< "reading the text": bytes of the sources as they lie on the disk; else parts
  std::int64_t total = 0;
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

/// wikipedia, books, books-2, ...: what sources are called in shards and manifests.
std::vector<std::string> source_names(const std::vector<CorpusSpec>& corpora);

/// Prepares, goes on where a preparation of the same options was ended, or finds that it was done. Calls
/// `progress` now and then, on the calling thread. All ranks of a group call it; rank 0 gets the report.
/// Throws InputError for options that cannot be, a source that gives no document (naming it), damaged input,
/// sources that changed since work began, and a directory that holds something else; then the directory holds
/// nothing of this preparation. Throws Error if the work fails (a full disk); what was done stays, and the
/// next call goes on.
PrepareReport prepare(const PrepareOptions& options, const PrepareCallback& progress = {});

}  // namespace nystrom
