#pragma once
// Preparation: raw text to a tokenizer, shards and a manifest.
//
// Stages: read and clean the text and split it into sentences; find duplicates; train the tokenizer;
// tokenize; write shards. Each leaves files in the output directory's folder `.preparing` and resumes from
// those that are there. The result is a function of the options and the text alone: equal input gives equal
// bytes, whatever the number of threads and ranks, the directory, and the number of interruptions. Memory is
// bounded by the tokenizer's sample, the text being processed on each thread and the largest page.

#include "data/preparation/options.h"

namespace nystrom {

/// Prepares, resumes a preparation of the same options, or reports that it is complete. Its stages can be
/// watched (kernels/core/stage.h). All ranks of a group call it; rank 0 gets the report.
/// Throws InputError for invalid options, a source without documents (naming it), corrupt input, sources that
/// changed since the preparation began, and a directory that holds something else; then the directory holds
/// nothing of this preparation. Throws Error if the work fails (a full disk); finished files stay, and the
/// next call resumes.
PrepareReport prepare(const PrepareOptions& options);

/// What prepare() would read and find.
struct PrepareStart {
  struct Source {
    std::string name;
    CorpusSpec spec;
    std::int64_t files = 0, bytes = 0;  ///< as they are on the disk
  };
  std::vector<Source> sources;
  bool resumes = false;   ///< an unfinished preparation of these options
  bool complete = false;  ///< the directory holds this preparation: nothing is to be done
  int threads = 1;
};

/// Refuses what prepare() refuses before it reads the text, and writes nothing. On one rank.
[[nodiscard]] PrepareStart check_preparation(const PrepareOptions& options);

}  // namespace nystrom
