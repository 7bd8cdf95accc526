#pragma once
// Append-only file of whole records that survives a full disk: records that cannot be written are kept in
// memory, in order, and retried with the next one, so that the file has no gap afterwards.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace nystrom {

class AppendFile {
 public:
  using Warn = std::function<void(const std::string&)>;
  enum class Open {
    kAny,  ///< appends to the file, or creates it
    kNew   ///< refuses to take a file that is there
  };
  /// More than this in memory is a failure.
  static constexpr std::size_t kMaxPending = std::size_t{64} << 20U;

  /// Throws Error, with the reason; a link is not followed. `warn` is called with a sentence when the disk
  /// takes no more, and when all has been written after that.
  AppendFile(std::string path, Open how, Warn warn = {});
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Cuts off what is beyond the first `bytes`. Throws Error, with the reason.
  void keep(std::uintmax_t bytes);
  /// Throws Error only where more than kMaxPending waits.
  void append(std::string_view record);
  /// Flushes to the disk; any thread may call it. Throws Error if that fails, or if something waits.
  void sync() const;

 private:
  [[nodiscard]] bool write_pending();

  std::string path_;
  Warn warn_;
  int file_ = -1;
  std::string pending_;
  std::atomic<bool> behind_ = false;
};

}  // namespace nystrom
