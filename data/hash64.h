#pragma once
// A fast hash for tables and for finding equal texts (not for identities that strangers may forge).

#include <cstdint>
#include <cstring>
#include <string_view>

namespace nystrom {

/// Both halves of the 128-bit product, folded: the mixing step of wyhash.
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const auto product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

/// The same on every machine of the same byte order.
inline std::uint64_t hash64(std::string_view text, std::uint64_t seed = 0) {
  constexpr std::uint64_t kA = 0xA0761D6478BD642FU, kB = 0xE7037ED1A0B428DBU;
  std::uint64_t h = seed ^ kA ^ fold_multiply(text.size() ^ kB, kA);
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    h = fold_multiply(h ^ word, kB);
    text.remove_prefix(8);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, text.data(), text.size());
  return fold_multiply(fold_multiply(h ^ rest, kB) ^ kA, kA ^ text.size());
}

}  // namespace nystrom
