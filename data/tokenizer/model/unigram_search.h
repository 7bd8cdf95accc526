#pragma once
// Viterbi search for the segmentation of a word into pieces with the largest sum of scores (Kudo, "Subword
// Regularization", 2018).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <vector>

#include "data/text/utf8.h"
#include "data/tokenizer/model/trie.h"
#include "data/tokenizer/model/word_pieces.h"

namespace nystrom {

/// `Sum`: the type of sums, which decides between almost equal segmentations: `tokenizers` has double,
/// SentencePiece float, which 0.2.3 keeps small by restarting beyond 100,000.
template <class Sum>
class UnigramSearch {
 public:
  struct Node {
    Sum sum = 0;
    std::int32_t id = Trie::kNone;
    std::uint32_t begin = kNowhere;
  };
  struct Found {
    Sum sum;        ///< at the end of the word
    double margin;  ///< the least distance of two sums between which was chosen
  };

  /// Pieces are added in any order; ids are not negative.
  void add(std::string_view piece, std::int32_t id, Sum score) {
    pieces_.add(piece, id);
    if (scores_.size() <= static_cast<std::size_t>(id)) scores_.resize(static_cast<std::size_t>(id) + 1);
    scores_[static_cast<std::size_t>(id)] = score;
    min_score_ = std::min(min_score_, score);
  }
  /// A sum and the score of one more piece, or of a character that no piece spells (Trie::kNone).
  [[nodiscard]] Sum added(Sum sum, std::int32_t id) const {
    return sum + (id == Trie::kNone ? unknown_score() : scores_[static_cast<std::size_t>(id)]);
  }

  /// Appends the pieces of `word`, which is valid UTF-8, to `pieces`; a character that no piece spells has
  /// the id Trie::kNone. Sums continue from `before`. Of equal sums the first found stays. `nodes` is working
  /// memory.
  Found cut(std::string_view word, Sum before, std::vector<Node>& nodes,
            std::vector<WordPiece>& pieces) const {
    nodes.assign(word.size() + 1, {});
    nodes[0] = {before, Trie::kNone, 0};
    double margin = std::numeric_limits<double>::infinity();
    for (std::size_t at = 0; at < word.size();) {
      const std::size_t length = std::max<std::size_t>(1, utf8_sequence(word.substr(at)));
      if constexpr (std::is_same_v<Sum, float>) start_anew(nodes, at);
      const Sum here = nodes[at].sum;
      const auto reach = [&](std::size_t end, Sum score, std::int32_t id) {
        const Sum sum = here + score;
        Node& node = nodes[end];
        if (node.begin != kNowhere) {
          const double better = static_cast<double>(sum) - static_cast<double>(node.sum);
          margin = std::min(margin, std::abs(better));
          if (better <= 0) return;
        }
        node = {sum, id, static_cast<std::uint32_t>(at)};
      };
      bool single = false;
      std::int32_t node = Trie::kRoot;
      for (std::size_t end = at; end < word.size();) {
        node = pieces_.child(node, word[end]);
        if (node == Trie::kNone) break;
        ++end;
        const auto id = pieces_.value(node);
        if (id == Trie::kNone) continue;
        reach(end, scores_[static_cast<std::size_t>(id)], id);
        single |= end == at + length;
      }
      if (!single) reach(at + length, unknown_score(), Trie::kNone);
      at += length;
    }
    const auto first = static_cast<std::ptrdiff_t>(pieces.size());
    for (auto at = static_cast<std::uint32_t>(word.size()); at > 0; at = nodes[at].begin)
      pieces.push_back({nodes[at].id, nodes[at].begin, at});
    std::reverse(pieces.begin() + first, pieces.end());
    return {nodes.back().sum, margin};
  }

 private:
  static constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();
  static constexpr Sum kUnknownPenalty = 10, kFarthestSum = 100000;

  [[nodiscard]] Sum unknown_score() const { return min_score_ - kUnknownPenalty; }

  // What was reached from `at` on is counted from there.
  static void start_anew(std::vector<Node>& nodes, std::size_t at) {
    const Sum sum = nodes[at].sum;
    if (std::abs(sum) <= kFarthestSum) return;
    for (std::size_t i = at; i < nodes.size(); ++i) {
      if (nodes[i].begin != kNowhere) nodes[i].sum -= sum;
    }
  }

  Trie pieces_;
  std::vector<Sum> scores_;  // by id
  Sum min_score_ = std::numeric_limits<float>::max();
};

}  // namespace nystrom
