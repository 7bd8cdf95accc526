#pragma once
// The output directory of a preparation: refused where it holds something else, cleaned where a preparation
// was killed, filled at once at the end.

#include <string>
#include <vector>

namespace nystrom {

/// Everything is written below staging() and moved to its place by publish(), the manifest last: a directory
/// with a manifest is complete. Without publish() the destructor removes what was written.
class PrepareDirectory {
 public:
  /// Makes and locks the directory. `options` (JSON text) tells this preparation from others.
  /// Throws InputError if it cannot be written, is in use, or holds something else.
  PrepareDirectory(std::string path, std::string options);
  ~PrepareDirectory();
  PrepareDirectory(const PrepareDirectory&) = delete;
  PrepareDirectory& operator=(const PrepareDirectory&) = delete;

  /// The text of its manifest; empty if there is none yet.
  [[nodiscard]] const std::string& manifest() const { return manifest_; }
  /// Begins work: removes what a killed preparation of the same options left.
  void begin();
  [[nodiscard]] std::string staging() const;
  [[nodiscard]] std::string manifest_path() const;
  /// Moves everything to its place and writes the manifest.
  void publish(const std::string& manifest);

 private:
  void remove_all() const noexcept;

  std::string path_, options_, manifest_;
  int lock_ = -1;
  bool begun_ = false;
};

/// Writes a file below staging() as a whole. Throws Error with the system's reason.
void write_whole_file(const std::string& path, const std::string& content);

/// The names, dotted, of what differs between two JSON objects of options: "tokenizer.kind is bpe there,
/// unigram here".
std::vector<std::string> differences(const std::string& there, const std::string& here);

}  // namespace nystrom
