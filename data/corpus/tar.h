#pragma once
// Files out of a tar archive, front to back.

#include <cstdint>
#include <string>

#include "data/corpus/byte_stream.h"

namespace nystrom {

/// Reads ustar, GNU (long names) and pax (path, size). Entries that are no regular files are passed over.
class TarReader {
 public:
  /// `origin` is the archive's name in messages; `stream` outlives the reader.
  TarReader(ByteStream& stream, std::string origin) : stream_(stream), origin_(std::move(origin)) {}

  /// Moves to the next regular file; false at the archive's end. Throws InputError if the archive is damaged
  /// or ends inside a file.
  bool next();
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::int64_t size() const { return size_; }

  /// The current file's content, once. Throws InputError if it is above `limit` bytes.
  std::string content(std::int64_t limit);

 private:
  bool read_header(char* block);
  void skip(std::int64_t bytes);
  std::string read_bytes(std::int64_t count);
  void read_extended_header(std::int64_t size);
  [[noreturn]] void damaged(const char* what) const;

  ByteStream& stream_;
  std::string origin_;
  std::string name_, long_name_;
  std::int64_t size_ = 0, long_size_ = -1;
  std::int64_t left_ = 0, padding_ = 0;  // of the current entry
  std::int64_t offset_ = 0;              // in the uncompressed archive
};

}  // namespace nystrom
