// Books as plain text: hard-wrapped lines to paragraphs, Project Gutenberg's licence removed.

#include <filesystem>
#include <unordered_set>

#include "data/corpus/book_parts.h"
#include "data/corpus/corpus.h"
#include "data/corpus/gutenberg.h"
#include "data/corpus/paragraphs.h"
#include "data/text/ascii.h"
#include "data/xxh3.h"

namespace nystrom {
namespace {

constexpr std::size_t kLongLine = 100;  // characters; hard-wrapped text rarely has a longer one

/// Where to split a text that is too long for one document: after a blank line, a line, a word, a character.
std::size_t cut_of(std::string_view text) {
  for (const std::string_view end : {"\n\n", "\n\r\n", "\r\r", "\n", "\r", " "}) {
    const std::size_t at = text.rfind(end);
    if (at != std::string_view::npos && at > text.size() / 2) return at + end.size();
  }
  std::size_t cut = text.size();
  while (cut > 1 && (static_cast<unsigned char>(text[cut - 1]) & 0xC0U) == 0x80U) --cut;
  return cut - 1;
}

/// Are line ends in this text hard wraps? They are where paragraphs are set off by blank lines and no line
/// is long.
bool is_hard_wrapped(std::string_view text) {
  std::size_t blank = 0, filled = 0, long_lines = 0;
  for_each_line(text, [&](std::string_view line) {
    if (is_blank(line)) {
      ++blank;
    } else {
      ++filled;
      if (line.size() > kLongLine) ++long_lines;
    }
  });
  return blank * 50 >= filled && long_lines * 20 <= filled && blank > 0;
}

bool is_word_byte(char c) {
  return is_ascii_letter(c) || is_ascii_digit(c) || static_cast<unsigned char>(c) >= 0x80;
}

/// The words of a book, to distinguish a hyphen put in by line wrapping from one that belongs to the word.
class Words {
 public:
  explicit Words(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      while (at < text.size() && !is_ascii_letter(text[at])) ++at;
      std::size_t end = at;
      while (end < text.size() && is_ascii_letter(text[end])) ++end;
      if (end > at && end - at < kMaxWordBytes) hashes_.insert(xxh3(lower_ascii(text.substr(at, end - at))));
      at = end;
    }
  }
  [[nodiscard]] bool has(std::string_view word) const {
    return word.size() < kMaxWordBytes && hashes_.contains(xxh3(lower_ascii(word)));
  }

 private:
  static constexpr std::size_t kMaxWordBytes = 40;
  std::unordered_set<std::uint64_t> hashes_;
};

/// Joins a line to a paragraph; returns the number of hyphens removed.
int append_line(std::string& paragraph, std::string_view line, const Words& words) {
  line = trimmed(line);
  const std::size_t n = paragraph.size();
  // A hyphen at the line's end belongs to the word; a dash ("--") does not.
  const bool hyphen = n >= 2 && paragraph[n - 1] == '-' && is_ascii_letter(paragraph[n - 2]) &&
                      !line.empty() && is_ascii_letter(line.front());
  int removed = 0;
  if (hyphen) {
    std::size_t begin = n - 1, end = 0;
    while (begin > 0 && is_ascii_letter(paragraph[begin - 1])) --begin;
    while (end < line.size() && is_ascii_letter(line[end])) ++end;
    const bool compound = begin > 0 && paragraph[begin - 1] == '-';
    if (!compound && words.has(paragraph.substr(begin, n - 1 - begin).append(line.substr(0, end)))) {
      paragraph.pop_back();
      removed = 1;
    }
  } else if (n > 0) {
    paragraph += ' ';
  }
  paragraph += line;
  return removed;
}

/// Removes the underscores of "_emphasis_", not those inside words; returns how many.
std::int64_t remove_emphasis(std::string& text) {
  std::size_t to = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool inside =
        i > 0 && i + 1 < text.size() && is_word_byte(text[i - 1]) && is_word_byte(text[i + 1]);
    if (text[i] != '_' || inside) text[to++] = text[i];
  }
  const auto removed = static_cast<std::int64_t>(text.size() - to);
  text.resize(to);
  return removed;
}

bool has_words(std::string_view text) {
  for (const char c : text) {
    if (is_word_byte(c)) return true;
  }
  return false;
}

class Books final : public Corpus {
 public:
  Books(const CorpusSpec& spec, SourceFiles files) : Corpus(std::move(files)), spec_(spec) {}

  bool next(RawDocument& document) override {
    for (;;) {
      if (!open_) {
        if (!files_.open_next()) return false;
        text_ = std::make_unique<Utf16Stream>(files_.content(), utf16_of(spec_), skipped_.repairs);
        open_ = true;
        part_ = 0;
        rest_.clear();
      }
      document.text = read_part();
      if (document.text.empty()) {
        if (part_ == 0) skip("empty file", 0);
        open_ = false;
        continue;
      }
      if (part_ == 0) encoding_ = encoding_of(spec_, document.text, true);
      ++part_;
      document.encoding = encoding_;
      document.title = std::filesystem::path(files_.path()).filename();
      document.id = document.title;
      if (part_ > 1) document.id.append("#").append(std::to_string(part_));
      files_.count_document();
      return true;
    }
  }

  [[nodiscard]] Extraction extract(RawDocument document) const override {
    Extraction result;
    const std::string text = decode_text(std::move(document.text), document.encoding, result.repairs);
    result.characters = count_characters(text);
    const std::string_view body = without_licence(text);
    result.dropped["licence"] = result.characters - count_characters(body);
    add_paragraphs(body, document.id == document.title, result);
    std::int64_t rest = result.characters;
    for (const auto& [reason, count] : result.dropped) rest -= count;
    for (const auto& paragraph : result.paragraphs) rest -= count_characters(paragraph);
    result.dropped["white space"] += rest;
    return result;
  }

 private:
  std::string read_part() {
    std::string text = std::move(rest_);
    rest_.clear();
    read_up_to(*text_, kMaxDocumentBytes, text);
    if (text.size() == kMaxDocumentBytes) {
      const std::size_t cut = cut_of(text);
      rest_ = text.substr(cut);
      text.resize(cut);
    }
    return text;
  }

  /// `first`: not the rest of a book that was split.
  static void add_paragraphs(std::string_view body, bool first, Extraction& result) {
    const bool wrapped = is_hard_wrapped(body);
    const Words words(wrapped ? body : std::string_view());
    ContentsTable contents;
    std::string paragraph;
    int index = 0;
    const auto finish = [&] {
      if (paragraph.empty()) return;
      result.dropped["emphasis marks"] += remove_emphasis(paragraph);
      const auto reason = !has_words(paragraph)         ? "ornaments"
                          : is_credit(paragraph, index) ? "licence"
                          : is_illustration(paragraph)  ? "illustrations"
                          : is_page_number(paragraph)   ? "page numbers"
                          : contents.holds(paragraph)   ? "tables of contents"
                          : is_heading(paragraph)       ? "headings"
                                                        : nullptr;
      if (reason == nullptr)
        result.paragraphs.push_back(paragraph);
      else
        result.dropped[reason] += count_characters(paragraph);
      ++index;
      paragraph.clear();
    };
    for_each_line(body, [&](std::string_view line) {
      if (is_blank(line)) return finish();
      result.dropped["hyphens at line ends"] += append_line(paragraph, line, words);
      if (!wrapped) finish();
    });
    finish();
    const auto front = static_cast<std::ptrdiff_t>(first ? front_matter(result.paragraphs) : 0);
    const auto begin = result.paragraphs.begin();
    for (auto at = begin; at != begin + front; ++at) result.dropped["front matter"] += count_characters(*at);
    result.paragraphs.erase(begin, begin + front);
  }

  CorpusSpec spec_;
  Encoding encoding_ = Encoding::kUtf8;
  std::unique_ptr<Utf16Stream> text_;
  bool open_ = false;
  int part_ = 0;
  std::string rest_;
};

}  // namespace

std::unique_ptr<Corpus> open_books(const CorpusSpec& spec, SourceFiles files) {
  return std::make_unique<Books>(spec, std::move(files));
}

}  // namespace nystrom
