// JSON-lines: one object a line, its text in one member. Line ends inside the text begin new paragraphs.

#include <filesystem>

#include "data/corpus/corpus.h"
#include "data/corpus/paragraphs.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

constexpr std::size_t kLongestLine = std::size_t{256} << 20U;  // bytes

class JsonLines final : public Corpus {
 public:
  JsonLines(const CorpusSpec& spec, SourceFiles files) : Corpus(std::move(files)), spec_(spec) {}

  bool next(RawDocument& document) override {
    for (;;) {
      if (!reader_) {
        if (!files_.open_next()) return false;
        text_ = std::make_unique<Utf16Stream>(files_.content(), utf16_of(spec_), skipped_.repairs);
        reader_ = std::make_unique<LineReader>(*text_, kLongestLine);
        name_ = std::filesystem::path(files_.path()).filename();
        number_ = 0;
      }
      const bool more = reader_->next(line_);
      if (const auto lost = reader_->take_lost(); lost > 0) skip("line in damaged data", 0, lost);
      if (!more) {
        reader_.reset();
        continue;
      }
      ++number_;
      if (number_ == 1 && line_.starts_with("\xEF\xBB\xBF")) line_.erase(0, 3);
      if (is_blank(line_)) continue;
      if (reader_->is_part())
        refuse("{}, line {}: the line is longer than {} MiB.", files_.path(), number_, kLongestLine >> 20U);
      document.text = text_of_line();
      document.title.clear();
      document.id = name_;
      document.id.append(":").append(std::to_string(number_));
      if (is_blank(document.text)) {
        skip("empty text", static_cast<std::int64_t>(document.text.size()));
        continue;
      }
      files_.count_document();
      return true;
    }
  }

  [[nodiscard]] Extraction extract(RawDocument document) const override {
    Extraction result;
    // NUL may have come as an escape.
    const std::string text = repair_utf8(std::move(document.text), result.repairs);
    result.characters = count_characters(text);
    result.paragraphs = paragraphs_of_lines(text);
    std::int64_t kept = 0;
    for (const auto& paragraph : result.paragraphs) kept += count_characters(paragraph);
    result.dropped["white space"] = result.characters - kept;
    return result;
  }

 private:
  std::string text_of_line() {
    std::int64_t lone_surrogates = 0;
    const auto object = try_parse_python_json(
        decode_text(line_, encoding_of(spec_, {}, false), skipped_.repairs), lone_surrogates);
    skipped_.repairs.invalid_bytes += kSurrogateBytes * lone_surrogates;
    if (object.is_discarded() || !object.is_object()) {
      refuse("{}, line {}: not a valid JSON object. JSON Lines have one object a line.", files_.path(),
             number_);
    }
    const auto member = object.find(spec_.field);
    if (member == object.end()) {
      refuse("{}, line {}: the object has no member `{}`; set `corpus.field` to the one with the text.",
             files_.path(), number_, spec_.field);
    }
    if (!member->is_string())
      refuse("{}, line {}: the member `{}` is not a string.", files_.path(), number_, spec_.field);
    return member->get<std::string>();
  }

  CorpusSpec spec_;
  std::unique_ptr<Utf16Stream> text_;
  std::unique_ptr<LineReader> reader_;
  std::string name_, line_;
  std::int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<Corpus> open_jsonl(const CorpusSpec& spec, SourceFiles files) {
  return std::make_unique<JsonLines>(spec, std::move(files));
}

}  // namespace nystrom
