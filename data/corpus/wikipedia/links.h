#pragma once
// Targets of links in wiki markup.

#include <string_view>

#include "data/corpus/wikipedia/site.h"

namespace nystrom {

/// Does `text` begin with the scheme of a URL, as the inside of an external link does?
[[nodiscard]] bool begins_with_url(std::string_view text);

/// Does a link to `target` show nothing on the page? Files, categories, and links to the same article in
/// another language do not.
[[nodiscard]] bool is_hidden_target(std::string_view target, const WikiSite& site);

/// The pipe trick: "Mercury (planet)|" shows "Mercury", "Help:Contents|" shows "Contents".
[[nodiscard]] std::string_view without_qualifier(std::string_view target);

}  // namespace nystrom
