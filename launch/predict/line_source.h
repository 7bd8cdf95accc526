#pragma once
// Line reader for files and standard input. From a pipe it returns the lines that have arrived instead of
// waiting for more, so that a program may write a line and wait for its prediction.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/byte_stream.h"
#include "data/text/utf16.h"

namespace nystrom {

class LineSource {
 public:
  /// "-": standard input. UTF-16 is recognized by its byte order mark, and a compressed file decompressed.
  /// Refuses a file that cannot be read.
  /// `rows`: a file of Parquet or Arrow is read as the JSON lines of its rows; else it is refused.
  explicit LineSource(std::string path, bool rows = false);
  ~LineSource();
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;

  /// The next lines without their ends, at most `max_lines` and about `max_bytes`; none at the end. A byte
  /// order mark at the beginning is dropped.
  [[nodiscard]] std::vector<std::string> next(std::size_t max_lines, std::size_t max_bytes);
  /// The rest of the input.
  [[nodiscard]] std::string rest();
  /// Share of a regular file that was taken, by its bytes on the disk; negative: not known.
  [[nodiscard]] double share() const;
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Bytes of UTF-16 that were no text and were replaced since the last call.
  [[nodiscard]] std::int64_t take_repaired_bytes();

 private:
  bool take(std::string& line);
  [[nodiscard]] bool waits() const;
  [[nodiscard]] std::string_view read_piece(std::span<char> piece);
  void fill();
  void recognize_encoding();

  std::string name_, buffer_;            // the buffer is UTF-8
  std::optional<Utf16Decoder> decoder_;  // of UTF-16
  Repairs repairs_;
  std::size_t at_ = 0;
  std::unique_ptr<FileStream> file_;     // a regular file,
  std::unique_ptr<ByteStream> content_;  // its content;
  int descriptor_ = -1;                  // anything else
  bool ended_ = false;
};

}  // namespace nystrom
