// One document a line. Tabs and other blanks are white space; empty lines are skipped.

#include <filesystem>

#include "data/corpus/corpus.h"

namespace nystrom {
namespace {

class Lines final : public Corpus {
 public:
  Lines(const CorpusSpec& spec, SourceFiles files) : Corpus(std::move(files)), spec_(spec) {}

  bool next(RawDocument& document) override {
    for (;;) {
      if (!reader_) {
        if (!files_.open_next()) return false;
        text_ = std::make_unique<Utf16Stream>(files_.content(), utf16_of(spec_), skipped_.repairs);
        reader_ = std::make_unique<LineReader>(*text_, kMaxDocumentBytes);
        name_ = std::filesystem::path(files_.path()).filename();
        line_ = part_ = 0;
      }
      const bool goes_on = reader_->is_part();
      const bool more = reader_->next(document.text);
      if (const auto lost = reader_->take_lost(); lost > 0) skip("line in damaged data", 0, lost);
      if (!more) {
        reader_.reset();
        continue;
      }
      part_ = goes_on ? part_ + 1 : 0;
      if (!goes_on) ++line_;
      if (document.text.find_first_not_of(" \t") == std::string::npos) {
        skip("empty line", static_cast<std::int64_t>(document.text.size()));
        continue;
      }
      document.id = name_;
      document.id.append(":").append(std::to_string(line_));
      if (part_ > 0) document.id.append("#").append(std::to_string(part_ + 1));
      document.title.clear();
      files_.count_document();
      return true;
    }
  }

  [[nodiscard]] Extraction extract(RawDocument document) const override {
    Extraction result;
    result.paragraphs.push_back(
        decode_text(std::move(document.text), encoding_of(spec_, {}, false), result.repairs));
    result.characters = count_characters(result.paragraphs.front());
    return result;
  }

 private:
  CorpusSpec spec_;
  std::unique_ptr<Utf16Stream> text_;
  std::unique_ptr<LineReader> reader_;
  std::string name_;
  std::int64_t line_ = 0, part_ = 0;
};

}  // namespace

std::unique_ptr<Corpus> open_lines(const CorpusSpec& spec, SourceFiles files) {
  return std::make_unique<Lines>(spec, std::move(files));
}

}  // namespace nystrom
