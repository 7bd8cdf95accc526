#pragma once
// Shard reader (format: docs/data.md), a few chunks at a time.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/hdf5/chunk_cache.h"
#include "data/shards/shard.h"

namespace nystrom {

/// What an HDF5 file holds, by its content.
enum class ShardKind { kNystrom, kBert };

/// Refuses (InputError, naming the file) what is neither: ours has the attribute `format`, NVIDIA's BERT
/// shards have `input_ids` and `masked_lm_positions`.
ShardKind shard_kind(const std::string& path);

/// Gives the source of each document in turn (index into header().sources).
class SourceCursor {
 public:
  /// Precondition: not called more often than there are documents. Refuses an index that is outside.
  std::size_t next();

 private:
  friend class ShardReader;
  SourceCursor(const hdf5::Dataset& dataset, std::string path, std::size_t sources)
      : scan_(dataset), path_(std::move(path)), sources_(sources) {}
  Scan<std::uint32_t> scan_;
  std::string path_;
  std::size_t sources_;
};

/// Opening checks the format's version, the types and that sizes and counts agree; offsets are checked by
/// `scan_sentences`; data by their checksums as they are read. Everything wrong is an InputError that names
/// the file and the dataset. Not thread-safe.
class ShardReader {
 public:
  static constexpr std::size_t kOwnCacheBytes = 1U << 22U;

  explicit ShardReader(const std::string& path) : ShardReader(path, nullptr) {}
  /// Keeps its chunks in `cache`, which must outlive the reader (nullptr: in its own small one).
  ShardReader(const std::string& path, ChunkCache* cache);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const ShardHeader& header() const { return header_; }
  [[nodiscard]] const ShardCounts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_; }

  /// Appends tokens [first, first + count). Ids outside the vocabulary are refused.
  void read_tokens(std::uint64_t first, std::uint64_t count, std::vector<std::int32_t>& to);
  /// Appends sentence_offsets [first, first + count): tokens, ascending.
  void read_sentence_offsets(std::uint64_t first, std::uint64_t count, std::vector<std::uint64_t>& to);

  /// Appends document_offsets [first, first + count): sentences, ascending. Not cached.
  void read_document_offsets(std::uint64_t first, std::uint64_t count, std::vector<std::uint64_t>& to) const;

  /// Calls on_sentence(document, sentence, first token, end token) for every sentence in order, and refuses
  /// offsets that are not ascending or do not end where they must.
  template <class OnSentence>
  void scan_sentences(OnSentence&& on_sentence) const;

  /// Calls on_block(span of ids) for the whole token stream in order; ids are checked as in read_tokens.
  template <class OnBlock>
  void scan_tokens(OnBlock&& on_block) const;

  /// The sources of the documents, one after another. The reader must outlive it and stay open.
  [[nodiscard]] SourceCursor sources() const;

  /// Closes the file; `resume` opens it again and refuses if it is another one by now.
  void suspend();
  void resume();
  [[nodiscard]] bool is_open() const { return file_.is_open(); }

 private:
  void open();
  void check_ids(std::span<const std::int32_t> ids) const;
  /// Refuses those that do not ascend, or go beyond `end`.
  void check_offsets(const char* dataset, std::uint64_t first, std::span<const std::uint64_t> offsets,
                     std::int64_t end) const;
  [[noreturn]] void bad_offsets(const char* dataset, std::uint64_t index) const;

  std::string path_;
  std::unique_ptr<ChunkCache> own_cache_;
  ShardHeader header_;
  ShardCounts counts_;
  std::uint64_t stored_bytes_ = 0;
  hdf5::File file_;
  Column<std::int32_t> tokens_;
  Column<std::uint64_t> sentence_offsets_;
  hdf5::Dataset document_offsets_, document_sources_;
};

template <class OnSentence>
void ShardReader::scan_sentences(OnSentence&& on_sentence) const {
  const auto tokens = static_cast<std::uint64_t>(counts_.tokens);
  const auto sentences = static_cast<std::uint64_t>(counts_.sentences);
  Scan<std::uint64_t> sentence_ends(sentence_offsets_.dataset()), document_ends(document_offsets_);
  if (sentence_ends.next() != 0) bad_offsets("sentence_offsets", 0);
  if (document_ends.next() != 0) bad_offsets("document_offsets", 0);
  std::uint64_t sentence = 0, token = 0;
  for (std::uint64_t document = 0; document < static_cast<std::uint64_t>(counts_.documents); ++document) {
    const std::uint64_t end = document_ends.next();
    if (end <= sentence || end > sentences) bad_offsets("document_offsets", document + 1);
    for (; sentence < end; ++sentence) {
      const std::uint64_t end_token = sentence_ends.next();
      if (end_token <= token || end_token > tokens) bad_offsets("sentence_offsets", sentence + 1);
      on_sentence(document, sentence, token, end_token);
      token = end_token;
    }
  }
  if (sentence != sentences) bad_offsets("document_offsets", static_cast<std::uint64_t>(counts_.documents));
  if (token != tokens) bad_offsets("sentence_offsets", sentences);
}

template <class OnBlock>
void ShardReader::scan_tokens(OnBlock&& on_block) const {
  Scan<std::int32_t> scan(tokens_.dataset());
  for (auto block = scan.next_block(); !block.empty(); block = scan.next_block()) {
    check_ids(block);
    on_block(block);
  }
}

}  // namespace nystrom
