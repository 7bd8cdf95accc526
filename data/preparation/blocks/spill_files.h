#pragma once
// Spill files: records partitioned into files by hash, to be sorted file by file in bounded memory.

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace nystrom {

/// Not thread-safe. Throws Error with the system's reason, for a full disk too.
class SpillFiles {
 public:
  struct Record {
    std::uint64_t key = 0, value = 0;
    auto operator<=>(const Record&) const = default;
  };

  /// `folder` is emptied (made, if it is not there).
  SpillFiles(std::string folder, std::size_t count);

  void add(std::size_t index, const Record& record);
  /// All records of a file, in the order in which they were added.
  [[nodiscard]] std::vector<Record> take(std::size_t index);
  /// Writes all buffered records.
  void flush();
  [[nodiscard]] std::size_t size() const { return buffers_.size(); }

  /// The records of a file that another object wrote.
  static std::vector<Record> read(const std::string& folder, std::size_t index);

 private:
  void flush(std::size_t index);
  std::string folder_;
  std::vector<std::vector<Record>> buffers_;
};

}  // namespace nystrom
