// Wikipedia's pages-articles dumps: articles (namespace 0) that are no redirects.

#include "data/corpus/corpus.h"
#include "data/corpus/paragraphs.h"
#include "data/corpus/wiki_pages.h"
#include "data/corpus/wikitext.h"

namespace nystrom {
namespace {

class Wikipedia final : public Corpus {
 public:
  explicit Wikipedia(const CorpusSpec& spec) : Corpus(SourceFiles(list_files(spec, {".xml"}))) {}

  bool next(RawDocument& document) override {
    for (;;) {
      if (!reader_) {
        if (!files_.open_next()) return false;
        reader_ = std::make_unique<WikiPageReader>(files_.content(), files_.path());
      }
      WikiPage page;
      if (!reader_->next(page)) {
        reader_.reset();
        continue;
      }
      if (const char* reason = reason_to_skip(page)) {
        skip(reason, count_characters(page.text));
        continue;
      }
      document.id = page.id;
      document.title = std::move(page.title);
      document.text = std::move(page.text);
      document.namespaces = namespaces();
      files_.count_document();
      return true;
    }
  }

  [[nodiscard]] Extraction extract(RawDocument document) const override {
    Repairs repairs;
    const std::string text = repair_utf8(std::move(document.text), repairs);
    auto result = wiki_prose(text, *document.namespaces);
    result.repairs = repairs;
    return result;
  }

 private:
  static const char* reason_to_skip(const WikiPage& page) {
    if (page.name_space != 0) return "page of another namespace";
    if (page.redirect || is_redirect(page.text)) return "redirect";
    return is_blank(page.text) ? "empty page" : nullptr;
  }

  /// Documents of one file share them, also with extractions that still run when the next file is open.
  std::shared_ptr<const WikiNamespaces> namespaces() {
    if (namespaces_path_ != files_.path()) {
      namespaces_ = std::make_shared<WikiNamespaces>(reader_->namespaces());
      namespaces_path_ = files_.path();
    }
    return namespaces_;
  }

  std::unique_ptr<WikiPageReader> reader_;
  std::shared_ptr<const WikiNamespaces> namespaces_;
  std::string namespaces_path_;
};

}  // namespace

std::unique_ptr<Corpus> open_wikipedia(const CorpusSpec& spec) {
  return std::make_unique<Wikipedia>(spec);
}

}  // namespace nystrom
