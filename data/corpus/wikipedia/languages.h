#pragma once
// What the Wikipedias call things, by language: namespaces and redirects as MediaWiki's language tables name
// them (languages/messages), the rest as the wikis do.

#include <span>
#include <string_view>

namespace nystrom {

/// Names separated by "|", in any case. Where said, a "*" at an end of a name stands for any text.
struct WikiLanguage {
  std::string_view code;           ///< of the wiki; several separated by "|"
  std::string_view hidden = {};    ///< namespaces of files, categories and media, with their aliases
  std::string_view redirect = {};  ///< what follows the "#" of a redirect
  // Pages that are no prose.
  std::string_view disambiguation = {};  ///< templates ("*")
  std::string_view qualifiers = {};      ///< titles of disambiguation pages end with one in parentheses
  std::string_view lists = {};           ///< titles of lists ("*")
  std::string_view stubs = {};           ///< templates ("*")
  // Sections of sources and links. Of `works` only the items of lists go: they may be about literature.
  std::string_view sources = {};
  std::string_view works = {};
};

/// English first.
[[nodiscard]] std::span<const WikiLanguage> wiki_languages();

/// Is this the code of a Wikipedia, or one that links still use for it?
[[nodiscard]] bool is_wiki_code(std::string_view code);

}  // namespace nystrom
