#pragma once
// Trie of the pieces of a vocabulary.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace nystrom {

/// A trie whose edges are in one hash table: a step is one look-up, whatever the alphabet. (Those of the
/// root, which every search begins with, have their own table.)
class Trie {
 public:
  Trie() { first_.fill(kNone); }
  static constexpr std::int32_t kRoot = 0, kNone = -1;

  void add(std::string_view bytes, std::int32_t value);

  /// The node that `byte` leads to; kNone if there is none.
  [[nodiscard]] std::int32_t child(std::int32_t node, char byte) const {
    if (node == kRoot) return first_[static_cast<unsigned char>(byte)];
    if (edges_.empty()) return kNone;
    const std::uint64_t key = key_of(node, byte);
    for (std::size_t at = slot(key);; at = (at + 1) & mask_) {
      if (edges_[at].key == key) return edges_[at].node;
      if (edges_[at].key == 0) return kNone;
    }
  }
  /// The value of the piece that ends at `node`; kNone if none does.
  [[nodiscard]] std::int32_t value(std::int32_t node) const {
    return values_[static_cast<std::size_t>(node)];
  }

 private:
  struct Edge {
    std::uint64_t key = 0;
    std::int32_t node = 0;
  };
  // Never 0.
  static std::uint64_t key_of(std::int32_t node, char byte) {
    return (static_cast<std::uint64_t>(node) << 8U | static_cast<unsigned char>(byte)) + 1;
  }
  [[nodiscard]] std::size_t slot(std::uint64_t key) const {
    return static_cast<std::size_t>(key * 0x9E3779B97F4A7C15U >> 20U) & mask_;
  }
  void insert(std::uint64_t key, std::int32_t node);

  std::array<std::int32_t, 256> first_;
  std::vector<Edge> edges_;
  std::vector<std::int32_t> values_{kNone};
  std::size_t count_ = 0, mask_ = 0;
};

}  // namespace nystrom
