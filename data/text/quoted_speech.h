#pragma once
// What stands behind a quotation, in scripts without capitals: is the sentence over, or does it go on?

#include <string_view>

namespace nystrom {

/// `before`: a sentence so far, which ends with a stop at `stop` bytes and closing quotes or brackets behind
/// that. True where `after` says who spoke (他说, قال, ने कहा), goes on with a particle (と, という), or where
/// the parenthesis that was closed stands inside the sentence (（…。）).
[[nodiscard]] bool goes_on_behind_quote(std::string_view before, std::size_t stop, std::string_view after);

}  // namespace nystrom
