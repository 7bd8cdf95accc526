#pragma once
// A rank's part of an attention case whose sequences lie on several ranks.

#include <algorithm>
#include <cstring>
#include <vector>

#include "attention/attention_case.h"

namespace nystrom::testing {

/// What one rank has of a batch.
struct Part {
  std::vector<std::int32_t> rows;
  std::vector<std::int64_t> firsts, lengths;
  std::int64_t begin = 0;  ///< its first token
};

inline Part part_of(const CaseOptions& whole, const std::vector<std::int64_t>& cuts, int rank) {
  const std::int64_t begin = cuts[static_cast<std::size_t>(rank)],
                     end = cuts[static_cast<std::size_t>(rank) + 1];
  Part part{.rows = {}, .firsts = {}, .lengths = {}, .begin = begin};
  std::int64_t first = 0;
  for (const std::int32_t rows : whole.rows) {
    const std::int64_t from = std::max(begin, first), to = std::min<std::int64_t>(end, first + rows);
    if (from < to) {
      part.rows.push_back(static_cast<std::int32_t>(to - from));
      part.firsts.push_back(from - first);
      part.lengths.push_back(rows);
    }
    first += rows;
  }
  return part;
}

template <class T>
void copy_rows(const Tensor& from, std::int64_t begin, const Tensor& to) {
  const Tensor rows = from.rows(begin, to.dim(0));
  std::memcpy(to.address, rows.address, to.bytes());
}

}  // namespace nystrom::testing
