#pragma once
// Files of a tar archive, front to back, by libarchive.

#include <cstdint>
#include <memory>
#include <string>

#include "data/corpus/byte_stream.h"

struct archive;

namespace nystrom {

/// Reads ustar, GNU and pax archives. Entries that are not regular files are skipped. Memory is bounded by
/// the content that is asked for.
class TarReader {
 public:
  /// `origin` is the archive's name in messages; `stream` outlives the reader.
  TarReader(ByteStream& stream, std::string origin);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// Moves to the next regular file; false at the archive's end. Throws InputError if the archive is corrupt
  /// or ends inside a file.
  bool next();
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::int64_t size() const { return size_; }

  /// The current file's content, once. Throws InputError if it is above `limit` bytes.
  std::string content(std::int64_t limit);

 private:
  struct Input;
  /// Throws what the stream threw, or else a sentence with libarchive's reason.
  [[noreturn]] void refuse_damage() const;

  std::string origin_, name_;
  std::int64_t size_ = 0;
  std::unique_ptr<Input> input_;
  std::unique_ptr<archive, int (*)(archive*)> archive_;
};

}  // namespace nystrom
