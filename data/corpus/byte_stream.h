#pragma once
// Bytes from a file, whatever it is compressed with, in bounded memory.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "data/sha256.h"

namespace nystrom {

/// A source of bytes that is read once, from front to back.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  /// Reads at most `count` bytes; 0 only at the end. Throws InputError, naming file and byte offset, for
  /// damage.
  virtual std::size_t read(char* to, std::size_t count) = 0;
};

/// A file as it lies on the disk; hashes what it reads.
class FileStream final : public ByteStream {
 public:
  explicit FileStream(const std::string& path);
  ~FileStream() override;

  std::size_t read(char* to, std::size_t count) override;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::int64_t bytes_read() const { return bytes_read_; }
  /// SHA-256 of the whole file: reads what was not read yet.
  [[nodiscard]] std::string finish_sha256();

 private:
  std::string path_;
  int descriptor_;
  std::int64_t bytes_read_ = 0;
  Sha256 hash_;
};

/// The content of `file`: decompressed if it begins like gzip (also dictzip), bzip2 (also multistream), xz or
/// Zstandard, else as it is. `file` must outlive the stream. A file that ends early is refused.
std::unique_ptr<ByteStream> decompressed(FileStream& file);

/// Reads until `count` bytes are there or the stream ends.
std::size_t read_fully(ByteStream& stream, char* to, std::size_t count);

/// Lines of a stream. "\n", "\r\n" and "\r" end a line.
class LineReader {
 public:
  /// A line longer than `limit` bytes comes in parts of about that size, cut at a blank or at least between
  /// characters.
  LineReader(ByteStream& stream, std::size_t limit) : stream_(stream), limit_(limit) {}

  /// False at the end. `line` is without its end.
  bool next(std::string& line);
  /// Did the last call give a part of a line that goes on?
  [[nodiscard]] bool is_part() const { return is_part_; }

 private:
  bool fill();

  ByteStream& stream_;
  std::size_t limit_;
  std::string buffer_;
  std::size_t position_ = 0;
  bool skip_line_feed_ = false, is_part_ = false;
};

}  // namespace nystrom
