#pragma once
// Held-out documents: which split a document goes to, by its hash.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "data/split.h"

namespace nystrom {

/// The split that a document's hash chooses, independently of all other documents.
inline Split split_of(std::uint64_t hash, double validation, double test) {
  const double u = static_cast<double>(hash >> 11U) * 0x1.0p-53;
  return u < validation ? Split::kValidation : u < validation + test ? Split::kTest : Split::kTrain;
}

/// Fills held-out splits that got no document although their fraction is above 0: the training document with
/// the smallest hash moves there, as long as one is left for training. Sees all documents, in any order;
/// keeps two.
template <class Place>
class EmptySides {
 public:
  EmptySides(double validation, double test) : wanted_{false, validation > 0, test > 0} {}

  void add(Split side, std::uint64_t hash, const Place& place) {
    ++count_.at(static_cast<std::size_t>(side));
    if (side != Split::kTrain) return;
    std::pair<std::uint64_t, Place> entry{hash, place};
    for (auto& smallest : smallest_) {
      if (!smallest.used || entry < smallest.entry) {
        std::swap(entry, smallest.entry);
        if (!std::exchange(smallest.used, true)) break;
      }
    }
  }

  /// The training documents that move, and their new split.
  [[nodiscard]] std::vector<std::pair<Place, Split>> moves() const {
    std::vector<std::pair<Place, Split>> moves;
    std::size_t left = count_[0];
    for (const Split side : {Split::kValidation, Split::kTest}) {
      const auto index = static_cast<std::size_t>(side);
      if (!wanted_.at(index) || count_.at(index) > 0 || left < 2) continue;
      moves.emplace_back(smallest_.at(moves.size()).entry.second, side);
      --left;
    }
    return moves;
  }

 private:
  struct Smallest {
    bool used = false;
    std::pair<std::uint64_t, Place> entry;
  };
  std::array<bool, 3> wanted_;
  std::array<std::size_t, 3> count_{};
  std::array<Smallest, 2> smallest_{};
};

}  // namespace nystrom
