#pragma once
// Lines of TAB-separated files of any size, in the memory of one line.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/byte_stream.h"

namespace nystrom::lra {

/// A line ends at LF, or at CRLF; a CR elsewhere belongs to the text. Files may be compressed.
class Rows {
 public:
  explicit Rows(const std::string& path);

  /// The cells of the next line, valid until the next call; false at the end. Refuses a line above 1 GiB.
  bool next(std::vector<std::string_view>& cells);
  /// Of the last row, from line 1 on: "FILE, line 3"
  [[nodiscard]] std::string place() const;

 private:
  bool next_line(std::string_view& line);
  bool fill();

  std::string path_;
  FileStream file_;
  std::unique_ptr<ByteStream> content_;
  std::string buffer_;
  std::size_t begin_ = 0, searched_ = 0;  // of the next line; up to here there is no LF
  std::int64_t line_ = 0;
};

}  // namespace nystrom::lra
