#pragma once
// Corpus readers: raw files to documents. A corpus reads its files in order, on one thread, and returns raw
// documents; `extract` turns one into paragraphs of prose, on any thread.
//
//   auto corpus = open_corpus({.kind = "wikipedia", .path = "dumps/*.xml.bz2"});
//   for (RawDocument raw; corpus->next(raw);) use(corpus->extract(std::move(raw)));

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/byte_stream.h"
#include "data/corpus/utf16_stream.h"
#include "data/text/language.h"
#include "data/text/utf8.h"

namespace nystrom {

struct WikiSite;

/// One entry of the configuration's `corpus` list.
struct CorpusSpec {
  std::string kind;               ///< wikipedia | books | imdb | lines | jsonl | parquet
  std::string path;               ///< glob of files or folders
  std::string field = "text";     ///< jsonl, parquet: the member or column that holds the text
  std::string encoding = "auto";  ///< auto | utf-8 | latin-1 | utf-16
  std::string language = "auto";  ///< of the sentences: auto, or a name of a Language
  // wikipedia: whether pages that are not prose are dropped
  bool drop_disambiguation = false, drop_lists = false, drop_stubs = false;
  bool operator==(const CorpusSpec&) const = default;
};

/// A document as it is stored in its file.
struct RawDocument {
  std::string id;                             ///< unique in its corpus: page number, file name, line number
  std::string title;                          ///< may be empty
  std::string text;                           ///< bytes, in the corpus's own markup and encoding
  Encoding encoding = Encoding::kUtf8;        ///< of books: detected
  std::shared_ptr<const WikiSite> site = {};  ///< of wikipedia: the dump's
};

/// A count for each reason, in order of name.
using Reasons = std::map<std::string, std::int64_t, std::less<>>;

/// The prose of a document. `characters` = characters of all paragraphs + everything in `dropped`.
struct Extraction {
  std::vector<std::string> paragraphs;  ///< valid UTF-8, not cleaned yet
  std::int64_t characters = 0;          ///< of the raw text, once it was valid UTF-8
  Reasons dropped;                      ///< characters that are in no paragraph, by reason
  Repairs repairs;
  std::optional<Language> language;  ///< if the source states it
};

/// Input that was skipped without becoming a document.
struct Skipped {
  Reasons documents;   ///< pages, files, entries, by reason
  Reasons characters;  ///< their text, in characters (in bytes where they are not valid UTF-8)
  Repairs repairs;     ///< made while reading, besides those of the extractions
};

/// The files of a corpus entry, sorted, and those that were skipped.
struct CorpusListing {
  std::vector<std::string> files;
  Skipped skipped;
};

/// The share of a corpus entry that one reader reads: some of its files, or a range of one of them.
struct CorpusShare {
  std::vector<std::string> files = {};
  FileRange range = {};  ///< a part only of one file, of a kind and format that can be divided
};

/// The files of a corpus, opened in order.
class SourceFiles {
 public:
  /// Looks at the beginning of each file before it is read.
  using Check = std::function<void(std::string_view head, const std::string& path)>;

  explicit SourceFiles(CorpusShare share = {}, const ReadOptions& options = {}, Check check = {});

  /// Opens the next file; false if there is none.
  bool open_next();
  /// The open file's content, decompressed. Precondition: open_next gave true.
  [[nodiscard]] ByteStream& content() { return *content_; }
  [[nodiscard]] const std::string& path() const { return file_->path(); }
  void count_document() { ++documents_[file_->path()]; }
  [[nodiscard]] const ReadOptions& options() const { return options_; }
  [[nodiscard]] const FileRange& range() const { return share_.range; }

  /// Documents by file, of those that gave any.
  [[nodiscard]] const std::map<std::string, std::int64_t>& documents() const { return documents_; }
  /// Bytes read so far, before decompression.
  [[nodiscard]] std::int64_t bytes_done() const {
    return bytes_finished_ + (file_ ? file_->bytes_read() - share_.range.begin : 0);
  }
  /// Corrupt input that was skipped, a sentence each.
  [[nodiscard]] const std::vector<std::string>& damage() const { return *damage_; }

 private:
  void check_next(const std::string& path) const;

  CorpusShare share_;
  ReadOptions options_;
  Check check_;
  std::shared_ptr<std::vector<std::string>> damage_ = std::make_shared<std::vector<std::string>>();
  std::int64_t bytes_finished_ = 0;
  std::size_t next_ = 0;
  std::unique_ptr<FileStream> file_;
  std::unique_ptr<ByteStream> content_;
  std::map<std::string, std::int64_t> documents_;
};

class Corpus {
 public:
  virtual ~Corpus() = default;
  Corpus(const Corpus&) = delete;
  Corpus& operator=(const Corpus&) = delete;

  /// Reads the next document; false at the end. Throws InputError, naming file and offset, for corrupt input.
  virtual bool next(RawDocument& document) = 0;
  /// Thread-safe, also while `next` runs. A pure function of the document.
  [[nodiscard]] virtual Extraction extract(RawDocument document) const = 0;

  [[nodiscard]] const SourceFiles& files() const { return files_; }
  [[nodiscard]] const Skipped& skipped() const { return skipped_; }

 protected:
  explicit Corpus(SourceFiles files) : files_(std::move(files)) {}
  void skip(std::string_view reason, std::int64_t characters, std::int64_t documents = 1);

  SourceFiles files_;
  Skipped skipped_;
};

/// The files that a configuration's entry names. Throws InputError, naming the entry's path, for an unknown
/// kind, encoding or language and for a path that matches nothing.
CorpusListing list_corpus(const CorpusSpec& spec);

/// True if files of this kind can be divided into byte ranges (where is_divisible).
bool is_divisible_kind(const std::string& kind);

/// Opens a share of an entry's files.
std::unique_ptr<Corpus> open_corpus(const CorpusSpec& spec, CorpusShare share,
                                    const ReadOptions& options = {});
/// Opens all of them. Throws as list_corpus does.
std::unique_ptr<Corpus> open_corpus(const CorpusSpec& spec);

/// The kinds that open_corpus supports.
std::vector<std::string> corpus_kinds();
/// The values of `encoding`: auto, utf-8, ...
std::vector<std::string> corpus_encodings();

// Each kind's file defines one of these; corpus.cpp lists them.
std::unique_ptr<Corpus> open_wikipedia(const CorpusSpec& spec, SourceFiles files);
std::unique_ptr<Corpus> open_books(const CorpusSpec& spec, SourceFiles files);
std::unique_ptr<Corpus> open_imdb(const CorpusSpec& spec, SourceFiles files);
std::unique_ptr<Corpus> open_lines(const CorpusSpec& spec, SourceFiles files);
std::unique_ptr<Corpus> open_jsonl(const CorpusSpec& spec, SourceFiles files);
/// Parquet and Arrow, by pyarrow.
std::unique_ptr<Corpus> open_parquet(const CorpusSpec& spec, SourceFiles files);
/// Of imdb's files those with reviews for training.
void choose_imdb_files(const CorpusSpec& spec, CorpusListing& listing);
/// Of a folder that Hugging Face's `datasets` saved those of its data, not those of its cache. Refuses one
/// that holds several splits, and one that lacks a file.
void choose_parquet_files(const CorpusSpec& spec, CorpusListing& listing);

// For those files.

/// The files that the path names, sorted; those below folders are kept if they end with one of `endings` (or
/// that and a compression's ending; no endings: all). Hidden and backup files are skipped unless the path
/// itself is one. Refuses, naming the path, if there is none.
CorpusListing list_files(const CorpusSpec& spec, const std::vector<std::string_view>& endings);

/// The encoding of a text that begins with `bytes`, by the entry's `encoding`, UTF-16 being decoded. "auto"
/// looks at them if `detect`, else it means UTF-8.
Encoding encoding_of(const CorpusSpec& spec, std::string_view bytes, bool detect);

/// How a file of text is known to be UTF-16: by the entry's `encoding`; with "auto" by its byte order mark.
Utf16 utf16_of(const CorpusSpec& spec);

/// Maximum size of a document: longer ones are split, so that memory stays bounded.
inline constexpr std::size_t kMaxDocumentBytes = std::size_t{16} << 20U;  // bytes

}  // namespace nystrom
