#pragma once
// Records sorted into files, to be worked on file by file: bounded memory for any number of them.

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace nystrom {

/// Not thread-safe. Throws Error with the system's reason, for a full disk too.
class Buckets {
 public:
  struct Record {
    std::uint64_t key = 0, value = 0;
    auto operator<=>(const Record&) const = default;
  };

  /// `folder` is emptied (made, if it is not there).
  Buckets(std::string folder, std::size_t count);

  void add(std::size_t bucket, const Record& record);
  /// All records of a bucket, as they were added.
  [[nodiscard]] std::vector<Record> take(std::size_t bucket);
  /// Writes everything to the disk.
  void flush();
  [[nodiscard]] std::size_t size() const { return buffers_.size(); }

  /// The records of a bucket that another object wrote.
  static std::vector<Record> read(const std::string& folder, std::size_t bucket);

 private:
  void flush(std::size_t bucket);
  std::string folder_;
  std::vector<std::vector<Record>> buffers_;
};

}  // namespace nystrom
