#pragma once
// Localized names in Wikipedias, by language: namespaces and redirects as MediaWiki's language tables name
// them (languages/messages), the rest as the wikis do.

#include <algorithm>
#include <string_view>

namespace nystrom {

/// Names separated by "|", in any case. Where noted, a "*" at an end of a name matches any text.
struct WikiLanguage {
  std::string_view code;           ///< of the wiki; several separated by "|"
  std::string_view hidden = {};    ///< namespaces of files, categories and media, with their aliases
  std::string_view redirect = {};  ///< what follows the "#" of a redirect
  // Pages that are not prose.
  std::string_view disambiguation = {};  ///< templates ("*")
  std::string_view qualifiers = {};      ///< titles of disambiguation pages end with one in parentheses
  std::string_view lists = {};           ///< titles of lists ("*")
  std::string_view stubs = {};           ///< templates ("*")
  // Sections of sources and links. Of `works` only the items of lists go: they may be about literature.
  std::string_view sources = {};
  std::string_view works = {};
};

/// The language with this code, or without what follows the "-" of "zh-hant"; nullptr for an unknown one.
[[nodiscard]] const WikiLanguage* find_wiki_language(std::string_view code);

/// Calls f(name) for each of the names in `text`, which are separated by "|".
template <class F>
void for_each_name(std::string_view text, const F& f) {
  while (!text.empty()) {
    const std::size_t bar = std::min(text.find('|'), text.size());
    f(text.substr(0, bar));
    text.remove_prefix(std::min(bar + 1, text.size()));
  }
}

/// Is this the code of a Wikipedia, or one that links still use for it?
[[nodiscard]] bool is_wiki_code(std::string_view code);

}  // namespace nystrom
