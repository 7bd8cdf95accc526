#include "data/corpus/wikipedia/pages.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "data/corpus/entities.h"
#include "data/corpus/paragraphs.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::size_t kBlock = 1U << 20U;
constexpr std::size_t kMaxPageBytes = std::size_t{256} << 20U;  // bytes of XML
constexpr std::string_view kPageBegin = "<page>", kPageEnd = "</page>";

int number_of(std::string_view digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

/// The last revision's text; dumps with all revisions list the newest last.
std::string_view text_of(std::string_view xml) {
  const std::size_t tag = xml.rfind("<text");
  if (tag == std::string_view::npos) return {};
  const std::size_t begin = xml.find('>', tag);
  if (begin == std::string_view::npos || xml[begin - 1] == '/') return {};
  const std::size_t end = xml.find("</text>", begin);
  return end == std::string_view::npos ? std::string_view() : xml.substr(begin + 1, end - begin - 1);
}

/// Does `holds` hold for the name, folded, of any template that is called?
template <class F>
bool any_template(std::string_view wikitext, const F& holds) {
  constexpr std::size_t kMaxNameBytes = 80;  // bytes
  for (std::size_t at = wikitext.find("{{"); at != std::string_view::npos; at = wikitext.find("{{", at + 2)) {
    const auto after = wikitext.substr(at + 2, kMaxNameBytes);
    const auto end = after.find_first_of("|}{\n");
    if (end != std::string_view::npos && holds(wiki_folded(after.substr(0, end)))) return true;
  }
  return false;
}

}  // namespace

bool is_redirect(std::string_view wikitext, const WikiSite& site) {
  constexpr std::size_t kMaxWordBytes = 120;  // bytes
  auto text = trimmed(wikitext.substr(0, kMaxWordBytes));
  const std::string_view mark = text.starts_with("\uFF03") ? "\uFF03" : "#";
  if (!text.starts_with(mark)) return false;
  text.remove_prefix(mark.size());
  const std::size_t end = std::min(text.find_first_of(" \t\n[:"), text.size());
  const std::string word = wiki_folded(text.substr(0, end));
  if (word == "redirect") return true;
  const std::size_t link = text.find_first_not_of(" \t\n:", end);
  return link != std::string_view::npos && text.substr(link).starts_with("[[") && site.redirects.has(word);
}

WikiPageReader::WikiPageReader(ByteStream& stream, std::string origin, bool skip_damaged,
                               std::optional<WikiSite> site)
    : stream_(stream), origin_(std::move(origin)), skip_damaged_(skip_damaged), first_(!site) {
  if (site) site_ = std::move(*site);
}

bool is_disambiguation(std::string_view title, std::string_view wikitext, const WikiSite& site) {
  const std::size_t qualifier = title.rfind('(');
  if (title.ends_with(')') && qualifier != std::string_view::npos &&
      site.qualifiers.has(wiki_folded(title.substr(qualifier + 1, title.size() - qualifier - 2))))
    return true;
  if (wikitext.find("__DISAMBIG__") != std::string_view::npos) return true;
  return any_template(wikitext, [&](const std::string& name) { return site.disambiguation.has(name); });
}

bool is_list(std::string_view title, const WikiSite& site) {
  return site.lists.has(wiki_folded(title));
}

bool is_stub(std::string_view wikitext, const WikiSite& site) {
  return any_template(wikitext, [&](const std::string& name) { return site.stubs.has(name); });
}

bool WikiPageReader::fill() {
  buffer_.erase(0, position_);
  offset_ += static_cast<std::int64_t>(position_);
  position_ = 0;
  const std::size_t size = buffer_.size();
  if (size > kMaxPageBytes) {
    refuse("{}: the page at byte {} of the uncompressed dump has no end within {} MiB. Is the file corrupt?",
           origin_, offset_, kMaxPageBytes >> 20U);
  }
  buffer_.resize(size + kBlock);
  const std::size_t got = stream_.read(buffer_.data() + size, kBlock);
  buffer_.resize(size + got);
  if (const auto gaps = stream_.gaps(); gaps != gaps_) {
    // The text before the gap is incomplete.
    gaps_ = gaps;
    gap_ = true;
    buffer_.erase(0, size);
    offset_ += static_cast<std::int64_t>(size);
  }
  return got > 0;
}

/// Finds `what` at or after `from` bytes after the position, reading on as needed; `at` counts from there
/// too. False at the end, and where a gap was met.
bool WikiPageReader::find(std::string_view what, std::size_t from, std::size_t& at) {
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(position_);
    at = rest.find(what, from);
    if (at != std::string_view::npos) return true;
    from = std::max(from, rest.size() - std::min(rest.size(), what.size() - 1));
    if (!fill() || gap_) return false;
  }
}

bool WikiPageReader::next(WikiPage& page) {
  for (;;) {
    std::size_t begin = 0, end = 0;
    // Before the first page is the header; between pages only blanks, or streams' ends.
    if (!find(kPageBegin, 0, begin)) {
      if (std::exchange(gap_, false) && !buffer_.empty()) continue;
      position_ = buffer_.size();
      return false;
    }
    if (first_) site_ = site_of_header(std::string_view(buffer_).substr(position_, begin));
    first_ = false;
    position_ += begin;
    if (here() >= stream_.boundary()) return false;
    const std::int64_t page_begin = here();
    if (find(kPageEnd, kPageBegin.size(), end)) {
      parse(std::string_view(buffer_).substr(position_, end), page);
      position_ += end + kPageEnd.size();
      return true;
    }
    if (!skip_damaged_) {
      refuse(
          "{} ends inside a page, the one at byte {} of the uncompressed dump: it is truncated. Copy or "
          "download it again.",
          origin_, page_begin);
    }
    ++lost_;
    const bool at_gap = std::exchange(gap_, false);
    if (!at_gap || buffer_.empty()) return false;
  }
}

WikiSite read_site(const std::string& path) {
  FileStream file(path);
  // If the beginning is corrupt, English names have to do.
  std::vector<std::string> ignored;
  const auto content = decompressed(file, {.skip_damaged = true, .damage = &ignored});
  std::string head(kBlock, '\0');
  head.resize(read_fully(*content, head.data(), head.size()));
  return site_of_header(std::string_view(head).substr(0, head.find(kPageBegin)));
}

void WikiPageReader::parse(std::string_view xml, WikiPage& page) const {
  const auto head = xml.substr(0, xml.find("<revision"));
  page.title = decode_references(between(head, "<title>", "</title>"));
  page.id = between(head, "<id>", "</id>");
  page.redirect = head.find("<redirect") != std::string_view::npos;
  const auto name_space = between(head, "<ns>", "</ns>");
  page.name_space = number_of(name_space);
  if (name_space.empty()) {
    // Old dumps have no <ns>: the title's prefix decides.
    const std::size_t colon = page.title.find(':');
    const auto prefix = wiki_folded(std::string_view(page.title).substr(0, colon));
    const bool known = site_.hidden.has(prefix) || site_.others.has(prefix);
    page.name_space = colon != std::string::npos && known ? -1 : 0;
  }
  page.text = decode_references(text_of(xml));
}

}  // namespace nystrom
