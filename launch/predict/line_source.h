#pragma once
// Lines of a file or of standard input. From a pipe it gives what has come, rather than wait for more: a
// program that writes a line and waits for its answer gets it.

#include <cstdint>
#include <string>
#include <vector>

namespace nystrom {

class LineSource {
 public:
  /// "-": standard input. Refuses what cannot be read.
  explicit LineSource(std::string path);
  ~LineSource();
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;

  /// The next lines without their ends, at most `most` and about `most_bytes`; none at the end. A byte order
  /// mark at the beginning is left out.
  [[nodiscard]] std::vector<std::string> next(std::size_t most, std::size_t most_bytes);
  /// All that is left.
  [[nodiscard]] std::string rest();
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  bool take(std::string& line);
  [[nodiscard]] bool waits() const;
  void fill();

  std::string name_, buffer_;
  std::size_t at_ = 0;
  int descriptor_ = -1;
  bool ended_ = false;
};

}  // namespace nystrom
