#include "data/corpus/corpus.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "data/glob.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

struct Kind {
  const char* name;
  std::unique_ptr<Corpus> (*open)(const CorpusSpec&, SourceFiles);
  /// What its files end with in folders (or that and a compression's ending); none: any.
  std::vector<std::string_view> endings;
  bool divisible = false;
  void (*choose)(const CorpusSpec&, CorpusListing&) = nullptr;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"wikipedia", open_wikipedia, {".xml"}, true},
      {"books", open_books, {".txt"}},
      {"imdb", open_imdb, {".txt", ".tar", ".tgz", ".tbz2", ".txz"}, false, choose_imdb_files},
      {"lines", open_lines, {}},
      {"jsonl", open_jsonl, {".jsonl", ".ndjson", ".json"}}};
  return all;
}

const Kind& kind_of(const CorpusSpec& spec) {
  constexpr std::array<std::string_view, 4> kEncodings{"auto", "utf-8", "latin-1", "utf-16"};
  if (std::find(kEncodings.begin(), kEncodings.end(), spec.encoding) == kEncodings.end()) {
    refuse("corpus: the encoding {} of {} is unknown; it is auto, utf-8, latin-1 or utf-16.", spec.encoding,
           spec.path);
  }
  for (const auto& kind : kinds()) {
    if (spec.kind == kind.name) return kind;
  }
  refuse("corpus: the kind {} of {} is unknown; it is one of {}.", spec.kind, spec.path,
         fmt::join(corpus_kinds(), ", "));
}

constexpr std::array<std::string_view, 6> kCompressed{"", ".gz", ".dz", ".bz2", ".xz", ".zst"};

bool has_ending(const std::string& path, const std::vector<std::string_view>& endings) {
  if (endings.empty()) return true;
  return std::any_of(endings.begin(), endings.end(), [&path](std::string_view ending) {
    return std::any_of(kCompressed.begin(), kCompressed.end(), [&](std::string_view compressed) {
      return path.ends_with(std::string(ending).append(compressed));
    });
  });
}

}  // namespace

SourceFiles::SourceFiles(CorpusShare share, const ReadOptions& options)
    : share_(std::move(share)), options_(options) {
  if (options_.damage == nullptr) options_.damage = damage_.get();
}

bool SourceFiles::open_next() {
  content_.reset();
  if (file_) bytes_finished_ += file_->bytes_read();
  file_.reset();
  if (next_ == share_.files.size()) return false;
  file_ = std::make_unique<FileStream>(share_.files[next_++]);
  content_ = decompressed(*file_, options_, share_.range);
  return true;
}

void Corpus::skip(std::string_view reason, std::int64_t characters, std::int64_t documents) {
  skipped_.documents[std::string(reason)] += documents;
  skipped_.characters[std::string(reason)] += characters;
}

std::vector<std::string> list_files(const CorpusSpec& spec, const std::vector<std::string_view>& endings) {
  std::vector<std::string> files;
  for (const auto& match : expand_glob(spec.path)) {
    std::error_code ignored;
    const bool folder = std::filesystem::is_directory(match, ignored);
    for (auto& file : files_below(match)) {
      if (!folder || has_ending(file, endings)) files.push_back(std::move(file));
    }
  }
  if (files.empty()) {
    refuse("corpus: {} matches no {} file. Check the path; it is relative to the working directory.",
           spec.path, spec.kind);
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

Encoding encoding_of(const CorpusSpec& spec, std::string_view bytes, bool detect) {
  if (spec.encoding == "latin-1") return Encoding::kLatin1;
  return spec.encoding == "auto" && detect ? detect_encoding(bytes) : Encoding::kUtf8;
}

Utf16 utf16_of(const CorpusSpec& spec) {
  if (spec.encoding == "utf-16") return Utf16::kGiven;
  return spec.encoding == "auto" ? Utf16::kByMark : Utf16::kNo;
}

CorpusListing list_corpus(const CorpusSpec& spec) {
  const Kind& kind = kind_of(spec);
  CorpusListing listing{list_files(spec, kind.endings), {}};
  if (kind.choose != nullptr) kind.choose(spec, listing);
  return listing;
}

bool is_divisible_kind(const std::string& kind) {
  return std::any_of(kinds().begin(), kinds().end(),
                     [&](const Kind& k) { return k.divisible && kind == k.name; });
}

std::unique_ptr<Corpus> open_corpus(const CorpusSpec& spec, CorpusShare share, const ReadOptions& options) {
  return kind_of(spec).open(spec, SourceFiles(std::move(share), options));
}

std::unique_ptr<Corpus> open_corpus(const CorpusSpec& spec) {
  return open_corpus(spec, {list_corpus(spec).files});
}

std::vector<std::string> corpus_kinds() {
  std::vector<std::string> names;
  for (const auto& kind : kinds()) names.emplace_back(kind.name);
  return names;
}

}  // namespace nystrom
