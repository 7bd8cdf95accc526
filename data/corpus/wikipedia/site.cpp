#include "data/corpus/wikipedia/site.h"

#include <algorithm>
#include <charconv>

#include "data/corpus/entities.h"
#include "data/corpus/paragraphs.h"
#include "data/corpus/wikipedia/languages.h"
#include "data/text/case_folding.h"

namespace nystrom {
namespace {

using std::string_view;

void add_language(WikiSite& site, const WikiLanguage& language) {
  site.hidden.add(language.hidden);
  site.redirects.add(language.redirect);
  site.disambiguation.add(language.disambiguation);
  site.qualifiers.add(language.qualifiers);
  site.lists.add(language.lists);
  site.stubs.add(language.stubs);
  site.sources.add(language.sources);
  site.works.add(language.works);
}

/// "de" of <mediawiki ... xml:lang="de"> or, without that, of <dbname>dewiki</dbname>.
std::string language_of_header(string_view header) {
  const auto tag = between(header, "<mediawiki", ">");
  auto code = between(tag, "xml:lang=\"", "\"");
  if (code.empty()) {
    code = between(header, "<dbname>", "</dbname>");
    code = code.substr(0, std::min(code.find("wiki"), code.size()));
  }
  std::string folded = lower_ascii(code);
  std::replace(folded.begin(), folded.end(), '_', '-');
  return folded;
}

}  // namespace

void WikiNames::add(string_view names) {
  for_each_name(names, [this](string_view name) {
    const std::string folded = wiki_folded(name);
    const string_view text = folded;
    if (text.starts_with('*'))
      ends_.emplace_back(text.substr(1));
    else if (text.ends_with('*'))
      begins_.emplace_back(text.substr(0, text.size() - 1));
    else if (!text.empty())
      exact_.push_back(folded);
  });
  std::sort(exact_.begin(), exact_.end());
}

bool WikiNames::has(const std::string& folded) const {
  if (std::binary_search(exact_.begin(), exact_.end(), folded)) return true;
  const auto begins = [&](const std::string& part) { return folded.starts_with(part); };
  const auto ends = [&](const std::string& part) { return folded.ends_with(part); };
  return std::any_of(begins_.begin(), begins_.end(), begins) || std::any_of(ends_.begin(), ends_.end(), ends);
}

WikiSite wiki_site(string_view language) {
  WikiSite site;
  site.language = language;
  const WikiLanguage& english = *find_wiki_language("en");
  add_language(site, english);
  const WikiLanguage* own = find_wiki_language(language);
  if (own != nullptr && own != &english) add_language(site, *own);
  site.others.add(
      "talk|user|user talk|wikipedia|wikipedia talk|file talk|mediawiki|mediawiki talk|template|template talk|"
      "help|help talk|category talk|portal|portal talk|draft|module");
  return site;
}

WikiSite site_of_header(string_view header) {
  WikiSite site = wiki_site(language_of_header(header));
  for (std::size_t at = header.find("<namespace "); at != string_view::npos;
       at = header.find("<namespace ", at + 1)) {
    const auto element = header.substr(at, 300);
    const auto digits = between(element, "key=\"", "\"");
    int key = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), key);
    if (key == 0) continue;
    const bool hides = key == 6 || key == 14 || key == -2;
    (hides ? site.hidden : site.others).add(decode_references(between(element, ">", "</namespace>")));
  }
  return site;
}

std::string wiki_folded(string_view name) {
  std::string folded = case_folded(name);
  std::replace(folded.begin(), folded.end(), '_', ' ');
  return std::string(trimmed(folded));
}

}  // namespace nystrom
