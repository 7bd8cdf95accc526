#pragma once
// List items inside a paragraph.

#include <cstddef>
#include <string_view>
#include <vector>

namespace nystrom {

/// Where the second and further items begin in a paragraph that is a list run together: "1. Open it 2. Pour",
/// "a) one b) two", a bullet before each item. The paragraph begins with a mark, the others count on from it
/// in the same form, and an item begins with a capital letter. In linear time.
std::vector<std::size_t> list_items(std::string_view paragraph);

/// Without a bullet (and blanks after it) at the front.
std::string_view without_bullet(std::string_view text);

}  // namespace nystrom
