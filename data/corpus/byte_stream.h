#pragma once
// Byte streams: files, decompressed on the fly in bounded memory.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/core/check.h"

namespace nystrom {

/// Options for reading a source.
struct ReadOptions {
  bool skip_damaged = false;      ///< skip corrupt input and report it; else refuse it
  double expansion_limit = 1000;  ///< maximum ratio of decompressed to compressed size (beyond 64 MiB)
  /// Receives a sentence for each skipped region. Not null with skip_damaged.
  std::vector<std::string>* damage = nullptr;
};

/// A file violates its format; the sentence names the byte.
class DamagedInput : public InputError {
 public:
  using InputError::InputError;
};

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

  static constexpr std::int64_t kNowhere = std::numeric_limits<std::int64_t>::max();
  /// Offset in the decompressed bytes at which the requested range ends: a record that begins before it
  /// belongs to the range, and the stream continues past it so that this record can be read to its end.
  /// kNowhere until it is reached.
  [[nodiscard]] virtual std::int64_t boundary() const { return kNowhere; }
  /// Number of corrupt regions skipped before the bytes that `read` returned last.
  [[nodiscard]] virtual std::int64_t gaps() const { return 0; }
};

/// A file on disk, not decompressed.
class FileStream final : public ByteStream {
 public:
  explicit FileStream(const std::string& path);
  ~FileStream() override;

  std::size_t read(char* to, std::size_t count) override;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Where the next read begins.
  [[nodiscard]] std::int64_t bytes_read() const { return bytes_read_; }
  void seek(std::int64_t byte);

 private:
  std::string path_;
  int descriptor_;
  std::int64_t bytes_read_ = 0;
};

/// A byte range [begin, end) of a file on disk (not decompressed).
struct FileRange {
  std::int64_t begin = 0, end = ByteStream::kNowhere;
  [[nodiscard]] bool whole() const { return begin == 0 && end == ByteStream::kNowhere; }
};

/// True if ranges of this file can be read independently: plain text and bzip2.
bool is_divisible(const std::string& path);

/// The content of `file`: decompressed if it begins like gzip (also dictzip), bzip2 (also multistream), xz or
/// Zstandard, else as it is. `file` must outlive the stream. A file that is truncated, corrupt or
/// decompresses to more than the limit is refused; with skip_damaged the rest (of bzip2: the block) is
/// skipped. Precondition: a range that is not the whole file only where is_divisible.
std::unique_ptr<ByteStream> decompressed(FileStream& file, const ReadOptions& options = {},
                                         const FileRange& range = {});

/// Reads until `count` bytes are there or the stream ends.
std::size_t read_fully(ByteStream& stream, char* to, std::size_t count);

/// Appends the rest of the stream until `text` has `limit` bytes. Takes memory as needed: at most
/// twice the text and 64 KiB, however large the limit is.
void read_up_to(ByteStream& stream, std::size_t limit, std::string& text);

/// Lines of a stream. "\n", "\r\n" and "\r" end a line.
class LineReader {
 public:
  /// A line longer than `limit` bytes comes in parts of about that size, split at a blank or at least between
  /// characters.
  LineReader(ByteStream& stream, std::size_t limit) : stream_(stream), limit_(limit) {}

  /// False at the end. `line` is without its end.
  bool next(std::string& line);
  /// True if the last call returned a part of a line that continues.
  [[nodiscard]] bool is_part() const { return is_part_; }
  /// Number of lines lost to corrupt input since the last call.
  [[nodiscard]] std::int64_t take_lost() { return std::exchange(lost_, 0); }

 private:
  bool fill();

  ByteStream& stream_;
  std::size_t limit_;
  std::string buffer_;
  std::size_t position_ = 0;
  bool skip_line_feed_ = false, is_part_ = false, skip_line_ = false;
  std::int64_t gaps_ = 0, lost_ = 0;
};

}  // namespace nystrom
