// The Large Movie Review Dataset: a folder `aclImdb` or its tar. Only train/{pos,neg,unsup} become documents:
// the test reviews must stay unseen.

#include <algorithm>
#include <array>
#include <filesystem>

#include "data/corpus/corpus.h"
#include "data/corpus/entities.h"
#include "data/corpus/paragraphs.h"
#include "data/corpus/tar.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

/// Why a file is not a document; nullptr if it is one.
const char* reason_to_skip(const std::string& path) {
  const fs::path file(path);
  const auto label = file.parent_path().filename().string();
  const auto split = file.parent_path().parent_path().filename().string();
  const bool review = file.extension() == ".txt" && (label == "pos" || label == "neg" || label == "unsup");
  if (review && split == "train") return nullptr;
  return review && split == "test" ? "test review" : "no review";
}

bool is_tree_file(const std::string& path) {
  return path.ends_with(".txt") || path.ends_with(".feat") || path.ends_with(".vocab");
}

/// Length of the tag that `text` begins with, 0 if it begins with none that reviews use.
std::size_t tag_length(std::string_view text, bool& breaks_line) {
  constexpr std::array<std::string_view, 8> kTags{"br", "p", "hr", "i", "b", "u", "em", "strong"};
  const std::size_t end = text.substr(0, 12).find('>');
  if (end == std::string_view::npos) return 0;
  std::string_view name = trimmed(text.substr(1, end - 1));
  if (name.starts_with('/')) name.remove_prefix(1);
  if (name.ends_with('/')) name.remove_suffix(1);
  const std::string folded = lower_ascii(trimmed(name));
  breaks_line = folded == "br" || folded == "p" || folded == "hr";
  return std::find(kTags.begin(), kTags.end(), folded) != kTags.end() ? end + 1 : 0;
}

std::string without_tags(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const std::size_t at = std::min(text.find('<'), text.size());
    plain.append(text.substr(0, at));
    text.remove_prefix(at);
    if (text.empty()) break;
    bool breaks_line = false;
    const std::size_t length = tag_length(text, breaks_line);
    if (length == 0) plain += '<';
    if (length > 0 && breaks_line) plain += '\n';
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return plain;
}

class Imdb final : public Corpus {
 public:
  Imdb(const CorpusSpec& spec, SourceFiles files) : Corpus(std::move(files)), spec_(spec) {}

  bool next(RawDocument& document) override {
    for (;;) {
      if (tar_) {
        if (next_entry(document)) return true;
        tar_.reset();
      }
      if (!files_.open_next()) return false;
      const std::string& path = files_.path();
      if (!is_tree_file(path)) {
        tar_ = std::make_unique<TarReader>(files_.content(), path);
        continue;
      }
      const fs::path file(path);
      document.id = (file.parent_path().filename() / file.filename()).string();
      document.text.clear();
      read_up_to(files_.content(), kMaxDocumentBytes, document.text);
      if (document.text.size() == kMaxDocumentBytes)
        refuse("{} is not a review: it has over {} bytes.", path, kMaxDocumentBytes);
      if (accept(document)) return true;
    }
  }

  [[nodiscard]] Extraction extract(RawDocument document) const override {
    Extraction result;
    const Encoding encoding = encoding_of_review(document.text);
    const std::string text = decode_text(std::move(document.text), encoding, result.repairs);
    result.characters = count_characters(text);
    const std::string plain = decode_references(without_tags(text));
    result.dropped["markup"] = result.characters - count_characters(plain);
    result.paragraphs = paragraphs_of_lines(plain);
    std::int64_t rest = count_characters(plain);
    for (const auto& paragraph : result.paragraphs) rest -= count_characters(paragraph);
    result.dropped["white space"] = rest;
    return result;
  }

 private:
  [[nodiscard]] Encoding encoding_of_review(std::string_view bytes) const {
    if (spec_.encoding != "utf-16") return encoding_of(spec_, bytes, false);
    return bytes.starts_with("\xFE\xFF") ? Encoding::kUtf16Big : Encoding::kUtf16Little;
  }

  bool next_entry(RawDocument& document) {
    while (tar_->next()) {
      if (const char* reason = reason_to_skip(tar_->name())) {
        skip(reason, 0);
        continue;
      }
      document.id = tar_->name();
      document.text = tar_->content(kMaxDocumentBytes);
      if (accept(document)) return true;
    }
    return false;
  }

  bool accept(RawDocument& document) {
    document.title.clear();
    if (is_blank(document.text)) {
      skip("empty review", static_cast<std::int64_t>(document.text.size()));
      return false;
    }
    files_.count_document();
    return true;
  }

  CorpusSpec spec_;
  std::unique_ptr<TarReader> tar_;
};

}  // namespace

void choose_imdb_files(const CorpusSpec& spec, CorpusListing& listing) {
  std::vector<std::string> files;
  for (auto& path : listing.files) {
    const char* reason = is_tree_file(path) ? reason_to_skip(path) : nullptr;
    if (reason == nullptr)
      files.push_back(std::move(path));
    else
      ++listing.skipped.documents[reason];
  }
  listing.files = std::move(files);
  if (!listing.files.empty()) return;
  refuse(
      "corpus: {} holds no reviews for training. Give the folder aclImdb, with train/pos, train/neg and "
      "train/unsup in it, or its tar.",
      spec.path);
}

std::unique_ptr<Corpus> open_imdb(const CorpusSpec& spec, SourceFiles files) {
  return std::make_unique<Imdb>(spec, std::move(files));
}

}  // namespace nystrom
