#include "kernels/core/folders.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace nystrom {

namespace fs = std::filesystem;

std::string nearest_existing(const std::string& path) {
  std::error_code ignored;
  fs::path at = fs::absolute(path, ignored).lexically_normal();
  while (at.has_relative_path() && !fs::exists(at, ignored)) at = at.parent_path();
  return at.string();
}

std::string why_not_writable(const std::string& folder) {
  const std::string nearest = nearest_existing(folder);
  std::error_code ignored;
  if (!fs::is_directory(nearest, ignored)) return std::make_error_code(std::errc::not_a_directory).message();
  return ::access(nearest.c_str(), W_OK | X_OK) == 0 ? std::string() : std::strerror(errno);
}

std::uint64_t free_disk_bytes(const std::string& path) {
  struct statvfs space {};
  if (::statvfs(nearest_existing(path).c_str(), &space) != 0) return 0;
  return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
}

}  // namespace nystrom
