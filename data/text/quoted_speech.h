#pragma once
// Sentence boundaries after quotations, in scripts without capitals.

#include <string_view>

namespace nystrom {

/// `before`: a sentence so far, which ends with a stop at `stop` bytes and closing quotes or brackets after
/// that. True where `after` says who spoke (他说, قال, ने कहा), continues with a particle (と, という), or
/// where the parenthesis that was closed is inside the sentence (（…。）).
[[nodiscard]] bool goes_on_behind_quote(std::string_view before, std::size_t stop, std::string_view after);

}  // namespace nystrom
