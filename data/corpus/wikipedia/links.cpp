#include "data/corpus/wikipedia/links.h"

#include <algorithm>
#include <array>

#include "data/corpus/paragraphs.h"
#include "data/corpus/wikipedia/languages.h"

namespace nystrom {
namespace {

using std::string_view;

constexpr auto kSchemes = std::to_array<string_view>(
    {"http://", "https://", "ftp://", "//", "mailto:", "news:", "irc://", "gopher://", "telnet://"});

constexpr auto kMediaEndings = std::to_array<string_view>(
    {".djvu", ".flac", ".gif", ".jpeg", ".jpg", ".mid", ".mp3",  ".mp4", ".mpg",  ".oga",  ".ogg", ".ogv",
     ".opus", ".pdf",  ".png", ".stl",  ".svg", ".tif", ".tiff", ".wav", ".webm", ".webp", ".xcf"});

/// Links to these show their text.
constexpr auto kOtherWikis = std::to_array<string_view>(
    {"b",           "c",           "commons",    "d",         "foundation", "incubator",
     "m",           "meta",        "mw",         "n",         "outreach",   "q",
     "s",           "species",     "v",          "voy",       "w",          "wikibooks",
     "wikidata",    "wikimedia",   "wikinews",   "wikipedia", "wikiquote",  "wikisource",
     "wikispecies", "wikiversity", "wikivoyage", "wikt",      "wiktionary"});

/// A file by its ending, whatever its namespace is called here.
bool names_media(string_view prefix, string_view name) {
  const bool other =
      std::binary_search(kOtherWikis.begin(), kOtherWikis.end(), string_view(lower_ascii(prefix)));
  if (other || name.find(':') != string_view::npos) return false;
  const auto folded = lower_ascii(trimmed(name));
  return std::any_of(kMediaEndings.begin(), kMediaEndings.end(),
                     [&](string_view ending) { return folded.ends_with(ending); });
}

}  // namespace

bool begins_with_url(string_view text) {
  return std::any_of(kSchemes.begin(), kSchemes.end(),
                     [text](string_view scheme) { return text.starts_with(scheme); });
}

bool is_hidden_target(string_view target, const WikiSite& site) {
  constexpr std::size_t kMaxPrefixBytes = 90;  // bytes
  const std::size_t colon = target.find(':');
  if (colon == string_view::npos || colon == 0 || colon > kMaxPrefixBytes) return false;
  const auto prefix = trimmed(target.substr(0, colon));
  const auto rest = target.substr(colon + 1);
  if (site.hidden.has(wiki_folded(prefix))) return true;
  if (is_wiki_code(prefix)) return prefix != site.language && !rest.starts_with(' ');
  return names_media(prefix, rest);
}

string_view without_qualifier(string_view target) {
  if (const std::size_t colon = target.find(':'); colon != string_view::npos) target.remove_prefix(colon + 1);
  if (target.ends_with(')')) target = target.substr(0, target.rfind('('));
  return trimmed(target);
}

}  // namespace nystrom
