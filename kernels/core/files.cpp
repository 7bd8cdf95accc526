#include "kernels/core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::string_view kMark = ".tmp-";
constexpr std::size_t kDigits = 16;

void flush_to_disk(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) fail("cannot open {} to flush it to the disk: {}", path, std::strerror(errno));
  // A file system that cannot flush (EINVAL: some folders on network file systems) has nothing to flush.
  const int problem = ::fsync(file) == 0 || errno == EINVAL ? 0 : errno;
  ::close(file);
  if (problem != 0) fail("cannot flush {} to the disk: {}", path, std::strerror(problem));
}

}  // namespace

std::string temporary_name(const std::string& path) {
  std::random_device device;
  return fmt::format("{}{}{:08x}{:08x}", path, kMark, device(), device());
}

bool is_temporary_name(const std::string& path) {
  const auto at = path.rfind(kMark);
  return at != std::string::npos && path.size() == at + kMark.size() + kDigits &&
         path.find_first_not_of("0123456789abcdef", at + kMark.size()) == std::string::npos;
}

void publish_file(const std::string& temporary, const std::string& path) {
  flush_to_disk(temporary, O_RDONLY);
  if (std::rename(temporary.c_str(), path.c_str()) != 0)
    fail("cannot rename {} to {}: {}", temporary, path, std::strerror(errno));
  const auto folder = std::filesystem::path(path).parent_path();
  flush_to_disk(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
}

}  // namespace nystrom
