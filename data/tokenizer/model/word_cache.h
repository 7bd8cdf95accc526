#pragma once
// Cache of the pieces of recent words: text is mostly the same few thousand words.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "data/tokenizer/model/word_pieces.h"

namespace nystrom {

/// Direct-mapped: a word replaces another of the same slot. For one thread at a time; 1.2 MB.
class WordCache {
 public:
  static constexpr std::size_t kLongestWord = 24;  ///< bytes; longer ones are not kept
  static constexpr std::size_t kMaxPieces = 8;

  /// A word of 1 to kLongestWord bytes, and where its slot is.
  struct Key {
    std::array<std::uint64_t, kLongestWord / 8> bytes{};
    std::uint8_t length = 0;
    std::size_t slot = 0;
  };
  /// The content of a slot. Pieces cover the word: each begins where the one before it ends.
  struct Entry {
    std::array<std::uint64_t, kLongestWord / 8> bytes{};
    std::array<std::int32_t, kMaxPieces> ids{};
    std::array<std::uint8_t, kMaxPieces> ends{};
    std::uint8_t length = 0, count = 0;
  };

  [[nodiscard]] static Key key_of(std::string_view word) {
    Key key;
    std::memcpy(key.bytes.data(), word.data(), word.size());
    key.length = static_cast<std::uint8_t>(word.size());
    std::uint64_t hash = word.size();
    for (const auto part : key.bytes) {
      hash = (hash ^ part) * 0x9E3779B97F4A7C15U;
      hash ^= hash >> 29U;
    }
    key.slot = static_cast<std::size_t>(hash >> 20U) % kSlots;
    return key;
  }
  /// Null if the word is not kept.
  [[nodiscard]] const Entry* find(const Key& key) const {
    if (entries_.empty()) return nullptr;
    const Entry& entry = entries_[key.slot];
    return entry.length == key.length && entry.bytes == key.bytes ? &entry : nullptr;
  }
  /// Keeps the word, if its pieces are few enough.
  void put(const Key& key, std::span<const WordPiece> pieces) {
    if (pieces.size() > kMaxPieces) return;
    if (entries_.empty()) entries_.resize(kSlots);
    Entry& entry = entries_[key.slot];
    entry.bytes = key.bytes;
    entry.length = key.length;
    entry.count = static_cast<std::uint8_t>(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      entry.ids[i] = pieces[i].id;
      entry.ends[i] = static_cast<std::uint8_t>(pieces[i].end);
    }
  }

 private:
  static constexpr std::size_t kSlots = std::size_t{1} << 14U;
  std::vector<Entry> entries_;
};

}  // namespace nystrom
