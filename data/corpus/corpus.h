#pragma once
// Documents out of what people have. A corpus reads its files in order, on one thread, and hands out raw
// documents; `extract` turns one into paragraphs of prose, on any thread.
//
//   auto corpus = open_corpus({.kind = "wikipedia", .path = "dumps/*.xml.bz2"});
//   for (RawDocument raw; corpus->next(raw);) use(corpus->extract(std::move(raw)));

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/byte_stream.h"
#include "data/text/utf8.h"

namespace nystrom {

struct WikiNamespaces;

/// One entry of the configuration's `corpus` list.
struct CorpusSpec {
  std::string kind;               ///< wikipedia | books | imdb | lines | jsonl
  std::string path;               ///< glob of files or folders
  std::string field = "text";     ///< jsonl: the member that holds the text
  std::string encoding = "auto";  ///< auto | utf-8 | latin-1 | utf-16
  bool operator==(const CorpusSpec&) const = default;
};

/// A document as it lies in its file.
struct RawDocument {
  std::string id;                       ///< unique in its corpus: page number, file name, line number
  std::string title;                    ///< may be empty
  std::string text;                     ///< bytes, in the corpus's own markup and encoding
  Encoding encoding = Encoding::kUtf8;  ///< of books: what was found out
  std::shared_ptr<const WikiNamespaces> namespaces = {};  ///< of wikipedia: the dump's
};

/// A count for each reason, in order of name.
using Reasons = std::map<std::string, std::int64_t, std::less<>>;

/// The prose of a document. `characters` = characters of all paragraphs + everything in `dropped`.
struct Extraction {
  std::vector<std::string> paragraphs;  ///< valid UTF-8, not cleaned yet
  std::int64_t characters = 0;          ///< of the raw text, once it was valid UTF-8
  Reasons dropped;                      ///< characters that are in no paragraph, by reason
  Repairs repairs;
};

struct SourceFile {
  std::string path;
  std::int64_t bytes = 0;  ///< as it lies on the disk
  std::string sha256;
  std::int64_t documents = 0;
};

/// What was passed over without becoming a document.
struct Skipped {
  Reasons documents;   ///< pages, files, entries, by reason
  Reasons characters;  ///< their text, in characters (in bytes where they are not valid UTF-8)
  Repairs repairs;     ///< made while reading, beside those of the extractions
};

/// The files of a corpus, opened one after the other.
class SourceFiles {
 public:
  explicit SourceFiles(std::vector<std::string> paths);

  /// Opens the next file; false if there is none. The one before is finished: read to its end and hashed.
  bool open_next();
  /// The open file's content, decompressed. Precondition: open_next gave true.
  [[nodiscard]] ByteStream& content() { return *content_; }
  [[nodiscard]] const std::string& path() const { return file_->path(); }
  void count_document() { ++documents_; }

  [[nodiscard]] const std::vector<SourceFile>& finished() const { return finished_; }
  [[nodiscard]] std::int64_t bytes_done() const {
    return bytes_finished_ + (file_ ? file_->bytes_read() : 0);
  }
  [[nodiscard]] std::int64_t bytes_total() const { return bytes_total_; }

 private:
  std::vector<std::string> paths_;
  std::int64_t bytes_total_ = 0, bytes_finished_ = 0, documents_ = 0;
  std::size_t next_ = 0;
  std::unique_ptr<FileStream> file_;
  std::unique_ptr<ByteStream> content_;
  std::vector<SourceFile> finished_;
};

class Corpus {
 public:
  virtual ~Corpus() = default;
  Corpus(const Corpus&) = delete;
  Corpus& operator=(const Corpus&) = delete;

  /// Reads the next document; false at the end. Throws InputError, naming file and place, for damaged input.
  virtual bool next(RawDocument& document) = 0;
  /// Thread-safe, also beside `next`. A pure function of the document.
  [[nodiscard]] virtual Extraction extract(RawDocument document) const = 0;

  /// The files read so far; all of them once `next` gave false.
  [[nodiscard]] const SourceFiles& files() const { return files_; }
  [[nodiscard]] const Skipped& skipped() const { return skipped_; }

 protected:
  explicit Corpus(SourceFiles files) : files_(std::move(files)) {}
  void skip(std::string_view reason, std::int64_t characters);

  SourceFiles files_;
  Skipped skipped_;
};

/// Opens the files of a configuration's entry. Throws InputError, naming the entry's path, for an unknown
/// kind or encoding and for a path that matches nothing.
std::unique_ptr<Corpus> open_corpus(const CorpusSpec& spec);

/// The kinds that open_corpus knows.
std::vector<std::string> corpus_kinds();

// Each kind's file defines one of these; corpus.cpp lists them.
std::unique_ptr<Corpus> open_wikipedia(const CorpusSpec& spec);
std::unique_ptr<Corpus> open_books(const CorpusSpec& spec);
std::unique_ptr<Corpus> open_imdb(const CorpusSpec& spec);
std::unique_ptr<Corpus> open_lines(const CorpusSpec& spec);
std::unique_ptr<Corpus> open_jsonl(const CorpusSpec& spec);

// For those files.

/// The files that the path names, sorted; those below folders are kept if they end with one of `endings` (or
/// that and a compression's ending; no endings: all). Refuses, naming the path, if there is none.
std::vector<std::string> list_files(const CorpusSpec& spec, const std::vector<std::string_view>& endings);

/// What the entry's `encoding` says of a text that begins with `bytes`. "auto" looks at them if `detect`,
/// else it means UTF-8.
Encoding encoding_of(const CorpusSpec& spec, std::string_view bytes, bool detect);

/// The largest piece of text that becomes one document: longer ones are cut, so that memory stays bounded.
inline constexpr std::size_t kLongestDocument = std::size_t{16} << 20U;  // bytes

}  // namespace nystrom
