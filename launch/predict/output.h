#pragma once
// Output target of `predict`: its format, whether it may be written, and text files that appear when
// complete.

#include <cstdio>
#include <optional>
#include <span>
#include <string>

namespace nystrom {

/// "tsv", "csv", "jsonl", "json", "hdf5" or "npy": `option` unless that is "auto", else by the ending of
/// `path`. Of .txt and of a name without an ending: TSV, or JSON Lines for vectors. Refuses unknown options
/// and endings, vectors in TSV or CSV, and all else in NPY.
[[nodiscard]] std::string output_format(const std::string& option, const std::string& path, bool vectors);

/// Refuses a directory, a file of `sources`, and a file that exists unless `force`. Devices, pipes and
/// standard output under another name are written to, not replaced. `path` empty: standard output.
void check_output(const std::string& path, std::span<const std::string> sources, bool force);

/// A file under a temporary name, published at the end. A link's target is replaced, not the link. A file
/// that was not there at the beginning is not replaced.
class PendingFile {
 public:
  explicit PendingFile(const std::string& path);
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  ~PendingFile();
  [[nodiscard]] const std::string& temporary() const { return temporary_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  void publish();

 private:
  std::string path_, temporary_;
  bool replaces_;
};

/// Is `path` a device, a pipe or standard output, which cannot be replaced by a file?
[[nodiscard]] bool is_written_through(const std::string& path);

/// Standard output, a device or a pipe, written at once; or a file that appears when it is complete.
class TextOutput {
 public:
  explicit TextOutput(const std::string& path);
  TextOutput(const TextOutput&) = delete;
  TextOutput& operator=(const TextOutput&) = delete;
  ~TextOutput();
  void write(const std::string& text);
  void finish();

 private:
  std::string name_;
  std::optional<PendingFile> pending_;
  std::FILE* file_ = stdout;
};

}  // namespace nystrom
