// Wikipedia's pages-articles dumps: articles (namespace 0) that are not redirects.

#include "data/corpus/corpus.h"
#include "data/corpus/paragraphs.h"
#include "data/corpus/wikipedia/pages.h"
#include "data/corpus/wikipedia/wikitext.h"

namespace nystrom {
namespace {

class Wikipedia final : public Corpus {
 public:
  Wikipedia(const CorpusSpec& spec, SourceFiles files, const FileRange& range)
      : Corpus(std::move(files)), spec_(spec), range_(range) {}

  bool next(RawDocument& document) override {
    for (;;) {
      if (!reader_ && !open_reader()) return false;
      WikiPage page;
      const bool more = reader_->next(page);
      if (const auto lost = reader_->take_lost(); lost > 0) skip("page in damaged data", 0, lost);
      if (!more) {
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
      document.site = site();
      files_.count_document();
      return true;
    }
  }

  [[nodiscard]] Extraction extract(RawDocument document) const override {
    Repairs repairs;
    const std::string text = repair_utf8(std::move(document.text), repairs);
    auto result = wiki_prose(text, *document.site);
    result.repairs = repairs;
    result.language = language_of(document.site->language);
    return result;
  }

 private:
  bool open_reader() {
    if (!files_.open_next()) return false;
    auto header = range_.begin > 0 ? std::optional(read_site(files_.path())) : std::nullopt;
    reader_ = std::make_unique<WikiPageReader>(files_.content(), files_.path(), files_.options().skip_damaged,
                                               std::move(header));
    return true;
  }

  const char* reason_to_skip(const WikiPage& page) const {
    const WikiSite& site = reader_->site();
    if (page.name_space != 0) return "page of another namespace";
    if (page.redirect || is_redirect(page.text, site)) return "redirect";
    if (is_blank(page.text)) return "empty page";
    if (spec_.drop_disambiguation && is_disambiguation(page.title, page.text, site))
      return "disambiguation page";
    if (spec_.drop_lists && is_list(page.title, site)) return "list";
    if (spec_.drop_stubs && is_stub(page.text, site)) return "stub";
    return nullptr;
  }

  /// Documents of one file share them, also with extractions that still run when the next file is open.
  std::shared_ptr<const WikiSite> site() {
    if (site_path_ != files_.path()) {
      site_ = std::make_shared<WikiSite>(reader_->site());
      site_path_ = files_.path();
    }
    return site_;
  }

  CorpusSpec spec_;
  FileRange range_;
  std::unique_ptr<WikiPageReader> reader_;
  std::shared_ptr<const WikiSite> site_;
  std::string site_path_;
};

}  // namespace

std::unique_ptr<Corpus> open_wikipedia(const CorpusSpec& spec, SourceFiles files) {
  const auto range = files.range();
  return std::make_unique<Wikipedia>(spec, std::move(files), range);
}

}  // namespace nystrom
