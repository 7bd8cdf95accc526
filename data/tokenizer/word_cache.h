#pragma once
// The pieces of words lately seen: text is mostly the same few thousand words.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "data/tokenizer/word_pieces.h"

namespace nystrom {

/// Direct-mapped: a word takes the place of another of the same slot. For one thread at a time; 1.2 MB.
class WordCache {
 public:
  static constexpr std::size_t kLongestWord = 24;  ///< bytes; longer ones are not kept
  static constexpr std::size_t kMostPieces = 8;

  /// What stands in a slot. Pieces cover the word: each begins where the one before it ends.
  struct Entry {
    std::array<std::uint64_t, kLongestWord / 8> word{};
    std::array<std::int32_t, kMostPieces> ids{};
    std::array<std::uint8_t, kMostPieces> ends{};
    std::uint8_t length = 0, count = 0;
  };

  /// The slot of a word of 1 to kLongestWord bytes; ours if `holds` says so.
  [[nodiscard]] Entry& slot(std::string_view word) {
    if (entries_.empty()) entries_.resize(kSlots);
    key_ = {};
    std::memcpy(key_.data(), word.data(), word.size());
    std::uint64_t hash = word.size();
    for (const auto part : key_) hash = (hash ^ part) * 0x9E3779B97F4A7C15U, hash ^= hash >> 29U;
    return entries_[static_cast<std::size_t>(hash >> 20U) % kSlots];
  }
  /// Does the slot that was asked for last hold its word?
  [[nodiscard]] bool holds(const Entry& entry, std::string_view word) const {
    return entry.length == word.size() && entry.word == key_;
  }
  /// Puts the word that was asked for last into its slot, if it is short enough.
  void put(Entry& entry, std::string_view word, std::span<const WordPiece> pieces) const {
    if (pieces.size() > kMostPieces) return;
    entry.word = key_;
    entry.length = static_cast<std::uint8_t>(word.size());
    entry.count = static_cast<std::uint8_t>(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      entry.ids[i] = pieces[i].id;
      entry.ends[i] = static_cast<std::uint8_t>(pieces[i].end);
    }
  }

 private:
  static constexpr std::size_t kSlots = std::size_t{1} << 14U;
  std::vector<Entry> entries_;
  std::array<std::uint64_t, kLongestWord / 8> key_{};
};

}  // namespace nystrom
