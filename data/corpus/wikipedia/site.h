#pragma once
// A wiki, by its dump's header and its language: the names of its namespaces, redirects and sections.

#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

/// A set of names, compared without regard to case and with "_" for a blank.
class WikiNames {
 public:
  /// Names separated by "|"; a "*" at an end of one matches any text.
  void add(std::string_view names);
  /// `folded`: a name as wiki_folded returns it.
  [[nodiscard]] bool has(const std::string& folded) const;

 private:
  std::vector<std::string> exact_;  // sorted
  std::vector<std::string> begins_, ends_;
};

struct WikiSite {
  std::string language;  ///< code of the wiki, such as "de"; empty: unknown
  WikiNames hidden;      ///< namespaces whose links show nothing: files, categories and media
  WikiNames others;      ///< all other namespaces
  WikiNames redirects;
  WikiNames disambiguation, qualifiers, lists, stubs;  ///< of pages, as WikiLanguage has them
  WikiNames sources, works;                            ///< of sections
};

/// The names of English and of that language.
[[nodiscard]] WikiSite wiki_site(std::string_view language);

/// Of the dump that begins with `header`: the names of its language, English, and the namespaces that it
/// lists.
[[nodiscard]] WikiSite site_of_header(std::string_view header);

/// Case folded, with blanks for "_", and none at the ends.
[[nodiscard]] std::string wiki_folded(std::string_view name);

}  // namespace nystrom
