#include "data/corpus/corpus.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "data/corpus/binary_check.h"
#include "data/glob.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

struct Kind {
  const char* name;
  std::unique_ptr<Corpus> (*open)(const CorpusSpec&, SourceFiles);
  /// Endings of its files in folders, with or without a compression's ending; none: any.
  std::vector<std::string_view> endings;
  bool divisible = false;
  void (*choose)(const CorpusSpec&, CorpusListing&) = nullptr;
  bool archives = false;  ///< its files need not be text
  bool detects = false;   ///< "auto" may be Latin-1
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"wikipedia", open_wikipedia, {".xml"}, true},
      {"books", open_books, {".txt"}, false, nullptr, false, true},
      {"imdb", open_imdb, {".txt", ".tar", ".tgz", ".tbz2", ".txz"}, false, choose_imdb_files, true},
      {"lines", open_lines, {}},
      {"jsonl", open_jsonl, {".jsonl", ".ndjson", ".json"}},
      {"parquet", open_parquet, {".parquet", ".arrow"}, false, choose_parquet_files, true}};
  return all;
}

const Kind& kind_of(const CorpusSpec& spec) {
  const auto encodings = corpus_encodings();
  if (std::find(encodings.begin(), encodings.end(), spec.encoding) == encodings.end()) {
    refuse("corpus: the encoding {} of {} is unknown; it is one of {}.", spec.encoding, spec.path,
           fmt::join(encodings, ", "));
  }
  if (spec.language != "auto" && !find_named<Language>(spec.language))
    refuse("corpus: the language {} of {} is unknown; it is auto, {}.", spec.language, spec.path,
           names_of<Language>(", "));
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

/// Of a file that begins with `head`: UTF-16 only where it is decoded.
Encoding encoding_of_head(const CorpusSpec& spec, std::string_view head, bool detect) {
  const bool marked = head.starts_with("\xFE\xFF") || head.starts_with("\xFF\xFE");
  const Utf16 utf16 = utf16_of(spec);
  if (utf16 == Utf16::kGiven || (utf16 == Utf16::kByMark && marked)) return Encoding::kUtf16Little;
  return encoding_of(spec, head, detect);
}

/// Is the file, or a folder between it and `folder`, hidden or left by an editor?
bool lies_hidden(const std::string& file, const std::string& folder) {
  const std::filesystem::path below = file.substr(folder.size());
  return std::any_of(below.begin(), below.end(),
                     [](const auto& part) { return is_left_over(part.string()); });
}

}  // namespace

SourceFiles::SourceFiles(CorpusShare share, const ReadOptions& options, Check check)
    : share_(std::move(share)), options_(options), check_(std::move(check)) {
  if (options_.damage == nullptr) options_.damage = damage_.get();
}

bool SourceFiles::open_next() {
  content_.reset();
  if (file_) bytes_finished_ += file_->bytes_read();
  file_.reset();
  if (next_ == share_.files.size()) return false;
  if (check_ && share_.range.begin == 0) check_next(share_.files[next_]);
  file_ = std::make_unique<FileStream>(share_.files[next_++]);
  content_ = decompressed(*file_, options_, share_.range);
  return true;
}

// A separate stream: the reading of the file is not affected.
void SourceFiles::check_next(const std::string& path) const {
  FileStream file(path);
  std::string head;
  try {
    read_up_to(*decompressed(file), kCheckedBytes, head);
  } catch (const DamagedInput&) {
    return;  // reported, or skipped, when the file is read
  }
  check_(head, path);
}

void Corpus::skip(std::string_view reason, std::int64_t characters, std::int64_t documents) {
  skipped_.documents[std::string(reason)] += documents;
  skipped_.characters[std::string(reason)] += characters;
}

CorpusListing list_files(const CorpusSpec& spec, const std::vector<std::string_view>& endings) {
  CorpusListing listing;
  std::vector<std::string>& files = listing.files;
  for (const auto& match : expand_glob(spec.path)) {
    std::error_code ignored;
    const bool folder = std::filesystem::is_directory(match, ignored);
    for (auto& file : files_below(match)) {
      if (folder && !has_ending(file, endings)) continue;
      if (folder ? lies_hidden(file, match) : file != spec.path && is_left_over(file))
        ++listing.skipped.documents["hidden or backup file"];
      else
        files.push_back(std::move(file));
    }
  }
  if (files.empty()) {
    refuse("corpus: {} matches no {} file. Check the path; it is relative to the working directory.",
           spec.path, spec.kind);
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return listing;
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
  CorpusListing listing = list_files(spec, kind.endings);
  if (kind.choose != nullptr) kind.choose(spec, listing);
  return listing;
}

bool is_divisible_kind(const std::string& kind) {
  return std::any_of(kinds().begin(), kinds().end(),
                     [&](const Kind& k) { return k.divisible && kind == k.name; });
}

std::unique_ptr<Corpus> open_corpus(const CorpusSpec& spec, CorpusShare share, const ReadOptions& options) {
  const Kind& kind = kind_of(spec);
  SourceFiles::Check check;
  if (!kind.archives)
    check = [spec, detect = kind.detects](std::string_view head, const std::string& path) {
      check_is_text(head, encoding_of_head(spec, head, detect), path);
    };
  return kind.open(spec, SourceFiles(std::move(share), options, std::move(check)));
}

std::unique_ptr<Corpus> open_corpus(const CorpusSpec& spec) {
  return open_corpus(spec, {list_corpus(spec).files});
}

std::vector<std::string> corpus_encodings() {
  return {"auto", "utf-8", "latin-1", "utf-16"};
}

std::vector<std::string> corpus_kinds() {
  std::vector<std::string> names;
  for (const auto& kind : kinds()) names.emplace_back(kind.name);
  return names;
}

}  // namespace nystrom
