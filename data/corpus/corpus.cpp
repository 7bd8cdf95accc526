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
  std::unique_ptr<Corpus> (*open)(const CorpusSpec&);
};

constexpr std::array kKinds{Kind{"wikipedia", open_wikipedia}, Kind{"books", open_books},
                            Kind{"imdb", open_imdb}, Kind{"lines", open_lines}, Kind{"jsonl", open_jsonl}};

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

SourceFiles::SourceFiles(std::vector<std::string> paths) : paths_(std::move(paths)) {
  for (const auto& path : paths_) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error) bytes_total_ += static_cast<std::int64_t>(size);
  }
}

bool SourceFiles::open_next() {
  content_.reset();
  if (file_) {
    auto sha256 = file_->finish_sha256();
    finished_.push_back({file_->path(), file_->bytes_read(), std::move(sha256), documents_});
    bytes_finished_ += file_->bytes_read();
    file_.reset();
  }
  documents_ = 0;
  if (next_ == paths_.size()) return false;
  file_ = std::make_unique<FileStream>(paths_[next_++]);
  content_ = decompressed(*file_);
  return true;
}

void Corpus::skip(std::string_view reason, std::int64_t characters) {
  skipped_.documents[std::string(reason)] += 1;
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
  if (spec.encoding == "utf-16")
    return bytes.starts_with("\xFE\xFF") ? Encoding::kUtf16Big : Encoding::kUtf16Little;
  return spec.encoding == "auto" && detect ? detect_encoding(bytes) : Encoding::kUtf8;
}

std::unique_ptr<Corpus> open_corpus(const CorpusSpec& spec) {
  constexpr std::array<std::string_view, 4> kEncodings{"auto", "utf-8", "latin-1", "utf-16"};
  if (std::find(kEncodings.begin(), kEncodings.end(), spec.encoding) == kEncodings.end()) {
    refuse("corpus: the encoding {} of {} is unknown; it is auto, utf-8, latin-1 or utf-16.", spec.encoding,
           spec.path);
  }
  for (const auto& kind : kKinds) {
    if (spec.kind == kind.name) return kind.open(spec);
  }
  refuse("corpus: the kind {} of {} is unknown; it is one of {}.", spec.kind, spec.path,
         fmt::join(corpus_kinds(), ", "));
}

std::vector<std::string> corpus_kinds() {
  std::vector<std::string> names;
  for (const auto& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

}  // namespace nystrom
