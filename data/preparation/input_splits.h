#pragma once
// How the sources are divided into work: a function of their files' names and sizes alone, so that any number
// of threads and ranks, and a preparation that goes on after a kill, work on the same parts.

#include <cstdint>
#include <string>
#include <vector>

#include "data/corpus/corpus.h"

namespace nystrom {

/// A stretch gives one or more parts, in order.
struct Stretch {
  std::size_t source = 0;  ///< index into the corpora
  CorpusPiece piece = {};
  /// Read by one thread of one rank. Where that would be too much for one (a large file that cannot be read
  /// in pieces), all threads share one reader, and each rank reads it and takes its parts.
  bool shared = false;
  std::int64_t bytes = 0;  ///< as they lie on the disk
};

std::vector<Stretch> stretches_of(const std::vector<CorpusSpec>& corpora,
                                  const std::vector<CorpusListing>& listings);

}  // namespace nystrom
