#pragma once
// Bytes from a file, whatever it is compressed with, in bounded memory.

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

/// How sources are read, beside what they are.
struct ReadOptions {
  bool skip_damaged = false;      ///< pass over what is damaged and note it; else refuse it
  double expansion_limit = 1000;  ///< a file may unpack to so many times its size (beyond 64 MiB)
  /// Where what was passed over is noted, a sentence each. Not null with skip_damaged.
  std::vector<std::string>* damage = nullptr;
};

/// A file is not what its format says, at the byte that the sentence names.
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
  /// Where in the bytes given the piece of the file ends that was asked for: what begins before belongs to
  /// it, and the stream goes on behind it so that this can be read to its end. kNowhere as long as it is not
  /// reached.
  [[nodiscard]] virtual std::int64_t boundary() const { return kNowhere; }
  /// How many damaged places were passed over before the bytes that read gave last.
  [[nodiscard]] virtual std::int64_t gaps() const { return 0; }
};

/// A file as it lies on the disk.
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

/// A piece of a file: bytes [begin, end) as it lies on the disk.
struct FileRange {
  std::int64_t begin = 0, end = ByteStream::kNowhere;
  [[nodiscard]] bool whole() const { return begin == 0 && end == ByteStream::kNowhere; }
};

/// Can a piece of this file be read by itself? Plain text and bzip2 can.
bool is_divisible(const std::string& path);

/// The content of `file`: decompressed if it begins like gzip (also dictzip), bzip2 (also multistream), xz or
/// Zstandard, else as it is. `file` must outlive the stream. A file that ends early, is damaged or unpacks to
/// more than the limit is refused; with skip_damaged the rest (of bzip2: the block) is passed over.
/// Precondition: a range that is not the whole file only where is_divisible.
std::unique_ptr<ByteStream> decompressed(FileStream& file, const ReadOptions& options = {},
                                         const FileRange& range = {});

/// Reads until `count` bytes are there or the stream ends.
std::size_t read_fully(ByteStream& stream, char* to, std::size_t count);

/// Appends what the stream still gives until `text` has `limit` bytes. Takes memory as it is needed: at most
/// twice the text and 64 KiB, however large the limit is.
void read_up_to(ByteStream& stream, std::size_t limit, std::string& text);

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
  /// Lines that were lost to damage since this was last asked.
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
