// Pass 1 of wiki markup. One buffer takes the output of all open constructs: what a construct encloses is
// kept after its `out_begin`, so that dropping it is a resize, and nothing is copied for what stays open.

#include <algorithm>
#include <array>

#include "data/corpus/entities.h"
#include "data/corpus/paragraphs.h"
#include "data/corpus/wikipedia/links.h"
#include "data/corpus/wikipedia/tags.h"
#include "data/corpus/wikipedia/templates.h"
#include "data/corpus/wikipedia/wikitext.h"
#include "data/text/utf8.h"

namespace nystrom {
namespace {

using std::string_view;
constexpr auto npos = string_view::npos;

constexpr std::size_t kMaxHeadingBytes = 300;     // bytes
constexpr std::size_t kMaxConversionBytes = 400;  // bytes between "-{" and "}-"
constexpr std::size_t kMaxMagicWordBytes = 120;   // bytes

enum class Construct : std::uint8_t { kTemplate, kLink, kExternalLink, kTable };
enum Reason : std::uint8_t {
  kTemplates,
  kTables,
  kReferences,
  kFiles,
  kCode,
  kFormulas,
  kComments,
  kReasons
};
constexpr std::array<string_view, kReasons> kReasonNames{
    "templates", "tables", "references", "files and categories", "code and pictures", "formulas", "comments"};
using Counts = std::array<std::int64_t, kReasons>;

struct Argument {
  std::size_t begin = 0;      // in the output
  std::size_t equals = npos;  // position of its first "=" in the output
};

struct Frame {
  Construct construct;
  bool triple = false;        // {{{parameter}}}
  std::size_t in_begin = 0;   // in the input
  std::size_t out_begin = 0;  // in the output
  Counts dropped_before;      // an enclosing removal counts for all inside it
  std::vector<Argument> arguments;
};

constexpr std::array<bool, 256> special_bytes() {
  std::array<bool, 256> special{};
  for (const char c : string_view("{}[]|=<&'\n_-")) special.at(static_cast<unsigned char>(c)) = true;
  return special;
}
constexpr auto kSpecial = special_bytes();

/// The text between the "__" of a word such as __NOTOC__: capitals, of any language, "_" between them.
/// Small letters count where a script has no ASCII ones, and in the words of English.
bool is_magic_word(string_view word) {
  const auto is_capital = [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_capital)) return true;
  constexpr auto kEnglish = std::to_array<string_view>(
      {"toc", "notoc", "forcetoc", "noeditsection", "nogallery", "newsectionlink", "nonewsectionlink",
       "index", "noindex", "hiddencat", "disambig", "staticredirect", "nocontentconvert", "notitleconvert"});
  return std::find(kEnglish.begin(), kEnglish.end(), lower_ascii(word)) != kEnglish.end();
}

class InlineParser {
 public:
  InlineParser(string_view in, const WikiSite& site) : in_(in), site_(site) { out_.reserve(in.size()); }

  void run() {
    while (pos_ < in_.size()) {
      std::size_t plain = pos_;
      while (plain < in_.size() && !kSpecial[static_cast<unsigned char>(in_[plain])]) ++plain;
      out_.append(in_, pos_, plain - pos_);
      pos_ = plain;
      if (pos_ < in_.size()) step();
    }
    give_up_all();
  }

  std::string take() { return std::move(out_); }
  [[nodiscard]] const Counts& dropped() const { return dropped_; }

 private:
  // -- reading
  [[nodiscard]] bool at(string_view what) const { return in_.substr(pos_).starts_with(what); }
  [[nodiscard]] char peek(std::size_t ahead) const {
    return pos_ + ahead < in_.size() ? in_[pos_ + ahead] : '\0';
  }
  void keep(std::size_t count) {
    out_.append(in_, pos_, count);
    pos_ += count;
  }
  [[nodiscard]] bool top_is(Construct construct) const {
    return !frames_.empty() && frames_.back().construct == construct;
  }

  /// Does the position follow a line's begin, marks of lists and indentation aside?
  [[nodiscard]] bool at_line_begin() const {
    std::size_t i = pos_;
    for (int marks = 0; i > 0 && marks < 20 && string_view(": \t*#").find(in_[i - 1]) != npos; ++marks) --i;
    return i == 0 || in_[i - 1] == '\n';
  }

  // -- counting
  void count_dropped(Reason reason, std::size_t begin, std::size_t end) {
    dropped_.at(reason) += count_characters(in_.substr(begin, end - begin));
  }
  /// The construct shows nothing: what was counted inside it counts as its own.
  void drop_frame(Reason reason) {
    const Frame& frame = frames_.back();
    dropped_ = frame.dropped_before;
    count_dropped(reason, frame.in_begin, pos_);
    out_.resize(frame.out_begin);
    frames_.pop_back();
  }

  // -- the special bytes
  void step() {
    switch (in_[pos_]) {
      case '{':
        return open_brace();
      case '}':
        return close_brace();
      case '[':
        return open_bracket();
      case ']':
        return close_bracket();
      case '|':
        return bar();
      case '=':
        return equals();
      case '<':
        return tag();
      case '&':
        return reference();
      case '\'':
        return quotes();
      case '\n':
        return line_end();
      case '_':
        return magic_word();
      default:
        return conversion();
    }
  }

  bool push(Construct construct, std::size_t length) {
    if (frames_.size() >= kDeepestNesting) {
      pos_ += length;
      return false;
    }
    const std::size_t begin = pos_;
    pos_ += length;
    frames_.push_back({construct, false, begin, out_.size(), dropped_, {{out_.size(), npos}}});
    return true;
  }

  void open_brace() {
    if (peek(1) == '|' && peek(2) != '}' && at_line_begin()) {
      push(Construct::kTable, 2);
    } else if (peek(1) == '{') {
      const bool triple = peek(2) == '{' && peek(3) != '{';
      if (!push(Construct::kTemplate, triple ? 3 : 2))
        ++too_deep_braces_;
      else
        frames_.back().triple = triple;
    } else {
      keep(1);
    }
  }

  void close_brace() {
    if (peek(1) != '}') return keep(1);
    if (too_deep_braces_ > 0) {
      --too_deep_braces_;
      pos_ += 2;
      return;
    }
    // Links that were never closed end with the template around them.
    std::size_t depth = frames_.size();
    while (depth > 0 && (frames_[depth - 1].construct == Construct::kLink ||
                         frames_[depth - 1].construct == Construct::kExternalLink))
      --depth;
    if (depth == 0 || frames_[depth - 1].construct != Construct::kTemplate) {
      pos_ += 2;  // closes nothing
      return;
    }
    while (frames_.size() > depth) frames_.pop_back();
    pos_ += frames_.back().triple && peek(2) == '}' ? 3 : 2;
    close_template();
  }

  void close_template() {
    const Frame& frame = frames_.back();
    TemplateCall call;
    const string_view out = out_;
    for (std::size_t i = 0; i < frame.arguments.size(); ++i) {
      const std::size_t begin = frame.arguments[i].begin;
      const std::size_t end = i + 1 < frame.arguments.size() ? frame.arguments[i + 1].begin : out.size();
      const std::size_t equals = frame.arguments[i].equals;
      if (i == 0)
        call.name = out.substr(begin, end - begin);
      else if (equals == npos)
        call.arguments.push_back({{}, out.substr(begin, end - begin)});
      else
        call.arguments.push_back(
            {trimmed(out.substr(begin, equals - begin)), out.substr(equals + 1, end - equals - 1)});
    }
    const std::string shown = frame.triple ? std::string() : expand_template(call, site_.language);
    if (shown.empty()) return drop_frame(kTemplates);
    const auto name = lower_ascii(trimmed(call.name));
    out_.resize(frame.out_begin);
    mark_script(name, out_, shown);
    out_ += shown;
    frames_.pop_back();
  }

  /// `name`: of the tag or template that shows `content` after `out`.
  static void mark_script(string_view name, std::string& out, string_view content) {
    if (name.size() != 3) return;
    const auto folded = lower_ascii(name);
    if (folded == "sup" || folded == "sub") out += script_mark(out, folded == "sup", content);
  }

  void open_bracket() {
    if (peek(1) == '[') {
      if (!push(Construct::kLink, 2)) ++too_deep_brackets_;
      return;
    }
    if (!begins_with_url(in_.substr(pos_ + 1))) return keep(1);
    const std::size_t end = std::min(in_.find_first_of(" \t\n]<>[{|\"", pos_ + 1), in_.size());
    if (!push(Construct::kExternalLink, end - pos_)) return;
    while (peek(0) == ' ' || peek(0) == '\t') ++pos_;
  }

  void close_bracket() {
    if (top_is(Construct::kExternalLink)) {
      ++pos_;
      frames_.pop_back();
    } else if (peek(1) != ']') {
      keep(1);
    } else if (too_deep_brackets_ > 0) {
      --too_deep_brackets_;
      pos_ += 2;
    } else {
      pos_ += 2;
      if (top_is(Construct::kLink)) close_link();
    }
  }

  void close_link() {
    const Frame& frame = frames_.back();
    const string_view out = out_;
    const bool has_text = frame.arguments.size() > 1;
    const std::size_t target_end = has_text ? frame.arguments[1].begin : out.size();
    string_view target = trimmed(out.substr(frame.out_begin, target_end - frame.out_begin));
    const bool shown_anyway = target.starts_with(':');
    if (shown_anyway) target.remove_prefix(1);
    if (!shown_anyway && is_hidden_target(target, site_)) return drop_frame(kFiles);
    string_view text = has_text ? out.substr(target_end) : target;
    if (has_text && trimmed(text).empty()) text = without_qualifier(target);
    const std::string shown(text);
    out_.resize(frame.out_begin);
    out_ += shown;
    frames_.pop_back();
  }

  void bar() {
    if (top_is(Construct::kTable) && peek(1) == '}' && at_line_begin()) {
      pos_ += 2;
      return drop_frame(kTables);
    }
    ++pos_;
    if (frames_.empty() || frames_.back().construct == Construct::kExternalLink) {
      out_ += '|';
    } else if (auto& frame = frames_.back(); frame.construct == Construct::kTable) {
      out_ += '|';
    } else if (frame.construct == Construct::kLink && frame.arguments.size() == 2) {
      frame.arguments[1].begin = out_.size();  // of a link's texts the last one shows
    } else {
      frame.arguments.push_back({out_.size(), npos});
    }
  }

  void equals() {
    if (top_is(Construct::kTemplate) && frames_.back().arguments.back().equals == npos)
      frames_.back().arguments.back().equals = out_.size();
    keep(1);
  }

  void line_end() {
    while (top_is(Construct::kExternalLink)) frames_.pop_back();
    const char next = peek(1);
    if (next == '\n') {
      while (top_is(Construct::kLink)) frames_.pop_back();
    }
    keep(1);
    if (next == '=' && !frames_.empty() && heading_follows()) give_up_all();
  }

  /// Headings do not occur inside constructs: where one follows, something was never closed.
  [[nodiscard]] bool heading_follows() const {
    auto line = in_.substr(pos_, kMaxHeadingBytes);
    line = trimmed(line.substr(0, line.find('\n')));
    return line.size() > 4 && line.starts_with("==") && line.ends_with("==");
  }

  void give_up_all() {
    while (!frames_.empty()) give_up();
    too_deep_braces_ = too_deep_brackets_ = 0;
  }

  /// A construct that is never closed: links keep their text; of templates and tables what follows them
  /// stays, as far as that can be determined.
  void give_up() {
    const Frame frame = std::move(frames_.back());
    frames_.pop_back();
    const auto inside = string_view(out_).substr(frame.out_begin);
    std::size_t lost = 0;
    Reason reason = kTables;
    if (frame.construct == Construct::kTable) {
      const std::size_t row = std::max(inside.rfind("\n|") + 1, inside.rfind("\n!") + 1);
      lost = std::min(inside.find('\n', row), inside.size());
    } else if (frame.construct == Construct::kTemplate && frame.arguments.size() > 1) {
      reason = kTemplates;
      lost = std::min(inside.find("\n\n"), inside.size());
    }
    if (lost == 0) return;
    dropped_.at(reason) += count_characters(inside.substr(0, lost));
    out_.erase(frame.out_begin, lost);
  }

  // -- tags
  void tag() {
    if (at("<!--")) return comment();
    const Tag tag = parse_tag(in_.substr(pos_));
    if (tag.length == 0) return keep(1);
    const std::size_t begin = pos_;
    pos_ += tag.length;
    switch (tag.kind) {
      case TagKind::kTransparent:
        if (!tag.closes && !tag.empty) mark_script(tag.name, out_, in_.substr(pos_));
        return;
      case TagKind::kLineBreak:
        out_ += ' ';
        return;
      case TagKind::kBlock:
        out_ += "\n\n";
        return;
      default:
        break;
    }
    if (tag.closes || tag.empty) return;
    const std::size_t end = closing(tag.name, pos_);
    if (end == npos) {
      // Never closed: a reference takes the rest of its line, others nothing.
      if (tag.kind == TagKind::kReference) pos_ = std::min(in_.find('\n', pos_), in_.size());
      if (tag.kind == TagKind::kReference) count_dropped(kReferences, begin, pos_);
      return;
    }
    const auto inside = in_.substr(pos_, end - pos_);
    pos_ = std::min(in_.find('>', end), in_.size() - 1) + 1;
    show_enclosed(tag.kind, inside, begin);
  }

  void show_enclosed(TagKind kind, string_view inside, std::size_t begin) {
    const auto text = kind == TagKind::kVerbatim  ? inside
                      : kind == TagKind::kFormula ? simple_formula(inside)
                                                  : string_view();
    if (!text.empty()) {
      out_ += decode_references(text);
      return;
    }
    count_dropped(kind == TagKind::kReference ? kReferences
                  : kind == TagKind::kTable   ? kTables
                  : kind == TagKind::kFormula ? kFormulas
                                              : kCode,
                  begin, pos_);
  }

  void comment() {
    const std::size_t begin = pos_;
    const std::size_t end = no_comment_end_ ? npos : in_.find("-->", pos_ + 4);
    no_comment_end_ = end == npos;
    pos_ = end == npos ? pos_ + 4 : end + 3;
    count_dropped(kComments, begin, pos_);
    // A comment that is alone on its line removes the line.
    if ((begin == 0 || in_[begin - 1] == '\n') && peek(0) == '\n') ++pos_;
  }

  /// find_closing, remembered: the text is searched once for each name, whatever is never closed.
  std::size_t closing(string_view name, std::size_t from) {
    const auto folded = lower_ascii(name);
    auto& known = closings_[folded];
    if (known.searched && (known.found == npos || known.found >= from)) return known.found;
    known = {true, find_closing(in_, name, from)};
    return known.found;
  }

  // -- small things
  void reference() {
    const std::size_t used = append_reference(in_.substr(pos_), out_);
    if (used == 0) keep(1);
    pos_ += used;
  }

  /// Two apostrophes: italics; three: bold; five: both. Others stay.
  void quotes() {
    std::size_t count = 1;
    while (peek(count) == '\'') ++count;
    const std::size_t marks = count == 1 ? 0 : count == 4 ? 3 : std::min<std::size_t>(count, 5);
    out_.append(count - marks, '\'');
    pos_ += count;
  }

  /// __NOTOC__, __KEIN_INHALTSVERZEICHNIS__, __БЕЗ_ОГЛ__
  void magic_word() {
    if (peek(1) != '_') return keep(1);
    const std::size_t end = in_.substr(0, pos_ + kMaxMagicWordBytes).find("__", pos_ + 2);
    const auto word = end == npos ? string_view() : in_.substr(pos_ + 2, end - pos_ - 2);
    if (is_magic_word(word))
      pos_ = end + 2;
    else
      keep(2);
  }

  /// -{zh-hans:one; zh-hant:other}- shows one; -{A|...}- and the like are instructions.
  void conversion() {
    if (peek(1) != '{' || peek(2) == '{') return keep(1);
    const auto rest = in_.substr(pos_ + 2, kMaxConversionBytes);
    const std::size_t end = rest.find("}-");
    if (end == npos) return keep(1);
    auto inside = rest.substr(0, end);
    if (inside.find_first_of("{[<\n") != npos) return keep(1);
    pos_ += end + 4;
    if (const std::size_t flags = inside.find('|'); flags != npos) {
      const auto flag = trimmed(inside.substr(0, flags));
      if (flag == "H" || flag == "T" || flag == "-") return;
      inside.remove_prefix(flags + 1);
    }
    inside = inside.substr(0, inside.find(';'));
    if (const std::size_t colon = inside.find(':'); colon != npos) inside.remove_prefix(colon + 1);
    out_ += decode_references(trimmed(inside));
  }

  struct Closing {
    bool searched = false;
    std::size_t found = npos;
  };

  string_view in_;
  const WikiSite& site_;
  std::size_t pos_ = 0;
  std::string out_;
  std::vector<Frame> frames_;
  std::int64_t too_deep_braces_ = 0, too_deep_brackets_ = 0;
  bool no_comment_end_ = false;
  std::map<std::string, Closing, std::less<>> closings_;
  Counts dropped_{};
};

}  // namespace

std::string wiki_inline(string_view wikitext, const WikiSite& site, Reasons& dropped) {
  InlineParser parser(wikitext, site);
  parser.run();
  for (std::size_t i = 0; i < kReasons; ++i) {
    if (parser.dropped().at(i) != 0) dropped[std::string(kReasonNames.at(i))] += parser.dropped().at(i);
  }
  return parser.take();
}

}  // namespace nystrom
