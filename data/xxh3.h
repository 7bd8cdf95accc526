#pragma once
// XXH3, a fast 64-bit hash for tables and for finding equal texts (not for identities that others may forge).

#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace nystrom {

/// The same on every machine.
inline std::uint64_t xxh3(std::string_view text, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

}  // namespace nystrom
