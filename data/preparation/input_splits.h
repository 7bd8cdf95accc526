#pragma once
// Input splits: how the sources are divided among threads and ranks. They depend on the files' names and
// sizes alone, so any number of threads and ranks, and a resumed preparation, see the same splits.

#include <cstdint>
#include <string>
#include <vector>

#include "data/corpus/corpus.h"

namespace nystrom {

/// The files, or the byte range of a file, that one reader reads. Gives one or more blocks, in order.
struct InputSplit {
  std::size_t source = 0;  ///< index into the corpora
  CorpusShare share = {};
  /// False: read by one thread of one rank. True, for a large file that cannot be divided: all threads share
  /// one reader, and every rank reads the file and takes its own blocks.
  bool shared = false;
  std::int64_t bytes = 0;  ///< compressed size on disk
};

std::vector<InputSplit> make_input_splits(const std::vector<CorpusSpec>& corpora,
                                          const std::vector<CorpusListing>& listings);

}  // namespace nystrom
