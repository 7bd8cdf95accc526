#pragma once
// Decompressors: one function per compression format. Each reads `file` from its beginning; messages name it
// and the byte where something is wrong (as DamagedInput). Concatenated members, streams and frames are read
// as one.

#include <memory>

#include "data/corpus/byte_stream.h"

namespace nystrom {

std::unique_ptr<ByteStream> gzip_stream(FileStream& file, const ReadOptions& options);
std::unique_ptr<ByteStream> xz_stream(FileStream& file, const ReadOptions& options);
std::unique_ptr<ByteStream> zstd_stream(FileStream& file, const ReadOptions& options);

/// Do bytes that begin so come from gzip, bzip2, xz or Zstandard?
bool is_packed(std::string_view head);

/// "train.tsv" for "train.tsv.gz", and for any other ending of these formats; other names as they are.
std::string_view without_packed_ending(std::string_view name);

/// Block by block, so that a range of a file can be read (the blocks that begin in `range`, and on) and a
/// corrupt block skipped.
std::unique_ptr<ByteStream> bzip2_stream(FileStream& file, const ReadOptions& options,
                                         const FileRange& range);

/// Refuses a file that decompresses to too much: a decompression bomb would fill the disk.
class ExpansionLimit {
 public:
  explicit ExpansionLimit(const ReadOptions& options) : limit_(options.expansion_limit) {}
  /// Notes `count` more bytes out of `file`.
  void add(std::size_t count, const FileStream& file);

 private:
  double limit_;
  std::int64_t out_ = 0;
};

}  // namespace nystrom
