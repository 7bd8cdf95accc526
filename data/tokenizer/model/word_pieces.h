#pragma once
// Byte pair encoding of a word: merges of neighbouring pieces.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

namespace nystrom {

/// Bytes [begin, end) of a word. A negative id: no piece of the vocabulary.
struct WordPiece {
  std::int32_t id;
  std::uint32_t begin, end;
};

/// What two neighbours become; smaller ranks come first.
struct PieceMerge {
  std::int32_t rank, id;
};

namespace detail {

/// Of long words: pairs in a queue, pieces in a linked list, n log n.
template <class Find>
void merge_by_queue(std::vector<WordPiece>& pieces, const Find& find) {
  struct Candidate {
    PieceMerge merge;
    std::size_t at;
    std::int32_t left, right;
    bool operator<(const Candidate& o) const {
      return merge.rank != o.merge.rank ? merge.rank > o.merge.rank : at > o.at;
    }
  };
  constexpr auto kEnd = static_cast<std::size_t>(-1);
  std::vector<std::size_t> next(pieces.size()), previous(pieces.size());
  std::vector<bool> gone(pieces.size());
  std::priority_queue<Candidate> queue;
  const auto offer = [&](std::size_t a) {
    const std::size_t b = a == kEnd ? kEnd : next[a];
    if (b == kEnd) return;
    if (const std::optional<PieceMerge> merge = find(pieces[a], pieces[b]))
      queue.push({*merge, a, pieces[a].id, pieces[b].id});
  };
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    next[i] = i + 1 < pieces.size() ? i + 1 : kEnd;
    previous[i] = i > 0 ? i - 1 : kEnd;
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) offer(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    const std::size_t b = gone[best.at] ? kEnd : next[best.at];
    if (b == kEnd || pieces[best.at].id != best.left || pieces[b].id != best.right) continue;
    pieces[best.at].id = best.merge.id;
    pieces[best.at].end = pieces[b].end;
    gone[b] = true;
    next[best.at] = next[b];
    if (next[b] != kEnd) previous[next[b]] = best.at;
    offer(previous[best.at]);
    offer(best.at);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!gone[i]) pieces[kept++] = pieces[i];
  }
  pieces.resize(kept);
}

}  // namespace detail

/// Byte pair encoding of a word (Sennrich et al., 2016): joins the neighbours of the least rank, of equal
/// ranks the leftmost, until `find(left, right)`, which returns std::optional<PieceMerge>, finds none.
template <class Find>
void merge_pieces(std::vector<WordPiece>& pieces, const Find& find) {
  constexpr std::size_t kLongWord = 48;
  if (pieces.size() > kLongWord) return detail::merge_by_queue(pieces, find);
  while (pieces.size() > 1) {
    std::optional<PieceMerge> best;
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      const std::optional<PieceMerge> merge = find(pieces[i], pieces[i + 1]);
      if (merge && (!best || merge->rank < best->rank)) {
        best = merge;
        where = i;
      }
    }
    if (!best) return;
    pieces[where] = {best->id, pieces[where].begin, pieces[where + 1].end};
    pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

}  // namespace nystrom
