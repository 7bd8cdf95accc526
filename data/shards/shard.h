#pragma once
// Shards: text as one flat stream of token ids, with sentence and document offsets, so that one
// preparation serves every sequence length. The format is described in docs/data.md.
//
//   ShardWriter writer("train/00000.h5", {.vocabulary_size = 30000, .tokenizer_sha256 = hash, .sources =
//   {"wiki"}}); writer.add_document(0, sentences); writer.finish();

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/hdf5/hdf5_file.h"
#include "data/special_ids.h"

namespace nystrom {

inline constexpr const char* kShardFormat = "nystrom shard";
inline constexpr std::int64_t kShardVersion = 1;

struct ShardHeader {
  std::int64_t vocabulary_size = 0;   ///< ids are in [0, vocabulary_size); up to 65536 they take two bytes
  SpecialIds special = {};            ///< never part of the token stream, except unk
  std::string tokenizer_sha256 = {};  ///< 64 hexadecimal digits: identifies the tokenizer
  std::vector<std::string> sources = {};  ///< names of the corpora; documents point into this table

  bool operator==(const ShardHeader&) const = default;
};

struct ShardCounts {
  std::int64_t documents = 0;
  std::int64_t sentences = 0;
  std::int64_t tokens = 0;

  bool operator==(const ShardCounts&) const = default;
};

/// Writes one shard through buffers of fixed size: memory does not grow with the shard. Equal documents give
/// equal bytes. The file has a temporary name until `finish`; without it nothing is left. Not thread-safe;
/// several writers may live in several threads.
class ShardWriter {
 public:
  ShardWriter(std::string path, ShardHeader header);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  /// Adds a document of source `source` (index into header.sources). Sentences without tokens are left out; a
  /// document without tokens is left out, which returns false. Ids outside the vocabulary are refused.
  bool add_document(std::int64_t source, std::span<const std::vector<std::int32_t>> sentences);

  [[nodiscard]] const ShardCounts& counts() const { return counts_; }

  /// Writes the rest, flushes to the disk and renames the file to its final name, replacing an old one.
  /// Throws Error if that fails; the temporary file is then gone.
  void finish();

 private:
  template <class T>
  struct Column {
    hdf5::Dataset dataset;
    std::vector<T> buffer;
    void add(T value);
    void flush();
  };
  void create();
  void discard() noexcept;

  std::string path_, temporary_;
  ShardHeader header_;
  ShardCounts counts_;
  hdf5::File file_;
  Column<std::int32_t> tokens_;
  Column<std::uint64_t> sentence_offsets_, document_offsets_;
  Column<std::uint32_t> document_sources_;
};

}  // namespace nystrom
