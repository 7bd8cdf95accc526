#pragma once
// Output file, published atomically when it is complete.

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace nystrom {

/// Every failure is an Error that names the file and the system's reason; without publish() nothing is left.
class OutputFile {
 public:
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  /// Flushes the file and renames it to its final name.
  void publish();

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
  };
  std::string path_, temporary_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace nystrom
