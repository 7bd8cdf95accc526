#pragma once
// Output directory of a preparation: refused if it holds something else, filled in one step at the end.

#include <string>
#include <vector>

namespace nystrom {

/// Everything is written below staging() and moved into place by publish(), the manifest last: a directory
/// with a manifest is complete. Files below staging() stay when the work ends early, until discard().
class PrepareDirectory {
 public:
  /// Makes and locks the directory; one rank of a job does. `options` (JSON text) identifies this
  /// preparation. An interrupted publication is finished.
  /// Throws InputError if it cannot be written, is in use, or holds something else.
  PrepareDirectory(std::string path, std::string options);
  ~PrepareDirectory();
  PrepareDirectory(const PrepareDirectory&) = delete;
  PrepareDirectory& operator=(const PrepareDirectory&) = delete;

  /// The text of its manifest; empty if there is none yet.
  [[nodiscard]] const std::string& manifest() const { return manifest_; }
  /// Begins a preparation, or resumes one of the same options: its finished files are kept.
  void begin();
  /// Moves everything into place and writes the manifest.
  void publish(const std::string& manifest);
  /// Removes what this preparation wrote, not what another one left.
  void discard() const noexcept;

  enum class State { kNew, kResumes, kComplete };
  /// What a preparation of these options would find, which is refused as the constructor and begin() do;
  /// nothing is written.
  static State check(const std::string& path, const std::string& options);

  static std::string staging(const std::string& path);
  static std::string manifest_path(const std::string& path);

 private:
  void move_all();

  std::string path_, options_, manifest_;
  int lock_ = -1;
  bool begun_ = false;  // what is below staging() is of this preparation
};

/// The names, dotted, of what differs between two JSON objects of options: "tokenizer.kind is bpe there,
/// unigram here".
std::vector<std::string> differences(const std::string& there, const std::string& here);

}  // namespace nystrom
