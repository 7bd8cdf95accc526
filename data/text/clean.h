#pragma once
// Text cleaning: Unicode normalization, white space, control characters.

#include <cstdint>
#include <string>

namespace nystrom {

enum class Normalization : std::uint8_t { kNone, kNfc, kNfkc };

/// "none", "nfc" or "nfkc"; throws InputError otherwise.
Normalization normalization_of(const std::string& name);

/// Characters that cleaning removed; `normalization` is what composing removed or decomposing added.
struct CleanCounts {
  std::int64_t control = 0;
  std::int64_t white_space = 0;
  std::int64_t normalization = 0;
};

/// Cleans one paragraph of valid UTF-8: normal form; control and invisible formatting characters out; each
/// run of white space (line ends and Unicode's spaces too) one blank; none at the ends. Adds to `counts`.
std::string clean_text(std::string text, Normalization normalization, CleanCounts& counts);

}  // namespace nystrom
