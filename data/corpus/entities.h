#pragma once
// Character references of HTML: &amp; &#8211; &#x2013; &nbsp;

#include <string>
#include <string_view>

namespace nystrom {

/// If `text` begins with a reference ("&...;"), appends its character to `to` and returns its length in
/// bytes; else 0.
std::size_t append_reference(std::string_view text, std::string& to);

/// The text with all references replaced, once: "&amp;lt;" becomes "&lt;".
std::string decode_references(std::string_view text);

}  // namespace nystrom
