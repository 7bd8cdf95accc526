#include "kernels/core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::string_view kMark = ".tmp-";
constexpr std::size_t kDigits = 16;

/// An open file; closed at the end of its life.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, int mode = 0)
      : value_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  [[nodiscard]] bool is_open() const { return value_ >= 0; }
  [[nodiscard]] int value() const { return value_; }
  /// False, with errno, if what was written could not be stored.
  bool close() { return ::close(std::exchange(value_, -1)) == 0; }

 private:
  int value_;
};

/// To open a named pipe waits for its writer, unless it is asked not to.
constexpr int kReadAtOnce = O_RDONLY | O_NONBLOCK;

mode_t kind_of(const Descriptor& file) {
  struct stat status {};
  return ::fstat(file.value(), &status) == 0 ? status.st_mode & S_IFMT : 0;
}

/// Bytes that a regular file has now; 0 for a pipe and for files that do not know.
std::size_t size_of(const Descriptor& file) {
  struct stat status {};
  return ::fstat(file.value(), &status) == 0 && S_ISREG(status.st_mode)
             ? static_cast<std::size_t>(status.st_size)
             : 0;
}

/// Appends to `text` until the file ends or more than `max_bytes` are there. False, with errno, on failure.
bool read_to_end(const Descriptor& file, std::uint64_t max_bytes, std::string& text) {
  constexpr std::size_t kFirst = std::size_t{64} << 10U;  // bytes, where the size is not known
  std::size_t want = std::min<std::uint64_t>(std::max(size_of(file), kFirst - 1), max_bytes) + 1;
  while (text.size() <= max_bytes) {
    const std::size_t have = text.size();
    text.resize(have + want);
    ssize_t got = -1;
    do got = ::read(file.value(), text.data() + have, want);
    while (got < 0 && errno == EINTR);
    text.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0) return got == 0;
    want -= static_cast<std::size_t>(got);
    if (want == 0) want = kFirst;
  }
  return true;
}

bool write_all(const Descriptor& file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t put = ::write(file.value(), content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

void flush_to_disk(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) fail("{} cannot be opened to flush it to the disk: {}.", path, std::strerror(errno));
  // A file system that cannot flush (EINVAL: some folders on network file systems) has nothing to flush.
  const int problem = ::fsync(file) == 0 || errno == EINVAL ? 0 : errno;
  ::close(file);
  if (problem != 0) fail("{} cannot be flushed to the disk: {}.", path, std::strerror(problem));
}

std::string read_whole(const Descriptor& file, const std::string& path, std::uint64_t max_bytes) {
  std::string text;
  if (!read_to_end(file, max_bytes, text)) {
    if (errno == EISDIR) refuse("{} is a folder; a file is expected.", path);
    refuse("{} cannot be read: {}.", path, std::strerror(errno));
  }
  if (text.size() > max_bytes)
    refuse("{} is larger than {} bytes, the limit for this file.", path, max_bytes);
  return text;
}

/// A blob of Hugging Face's cache: named by its content, whoever links to it.
bool is_blob(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return path.parent_path().filename() == "blobs" && (name.size() == 40 || name.size() == 64) &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// rename(2), but fails with EEXIST where `path` is there.
bool rename_to_new(const std::string& temporary, const std::string& path) {
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  // A file system that does not know it (NFS): a second name never replaces one.
  return ::link(temporary.c_str(), path.c_str()) == 0 && ::unlink(temporary.c_str()) == 0;
}

void flush_folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  flush_to_disk(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
}

}  // namespace

bool file_exists(const std::string& path) noexcept {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::path(path), error);
}

std::string read_file(const std::string& path, std::uint64_t max_bytes) {
  const Descriptor file(path, kReadAtOnce);
  if (!file.is_open()) refuse("{} cannot be read: {}.", path, std::strerror(errno));
  const mode_t kind = kind_of(file);
  if (kind != S_IFREG && kind != S_IFDIR) refuse("{} is not a regular file.", path);
  return read_whole(file, path, max_bytes);
}

std::string read_file_or_pipe(const std::string& path, std::uint64_t max_bytes) {
  const Descriptor file(path, O_RDONLY);
  if (!file.is_open()) refuse("{} cannot be read: {}.", path, std::strerror(errno));
  return read_whole(file, path, max_bytes);
}

std::optional<std::string> try_read_file(const std::string& path, std::uint64_t max_bytes) {
  const Descriptor file(path, kReadAtOnce);
  std::string text;
  if (!file.is_open() || kind_of(file) != S_IFREG || !read_to_end(file, max_bytes, text)) return std::nullopt;
  return text.size() > max_bytes ? std::nullopt : std::optional(std::move(text));
}

void refuse_link_out_of(const std::string& folder, const std::string& path) {
  std::error_code problem;
  const auto inside = std::filesystem::canonical(folder, problem);
  const auto target = std::filesystem::canonical(path, problem);
  if (problem) refuse("{} cannot be read: {}.", path, problem.message());
  const bool stays = std::ranges::mismatch(inside, target).in1 == inside.end();
  if (!stays && !is_blob(target))
    refuse(
        "{} is a link to {}, outside of its folder, and is not followed: it could be any file. Copy the file there.",
        path, target.string());
}

void write_file(const std::string& path, std::string_view content) {
  const std::string temporary = temporary_name(path);
  try {
    Descriptor file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (!file.is_open() || !write_all(file, content) || !file.close())
      fail("{} cannot be written: {}.", path, std::strerror(errno));
    publish_file(temporary, path);
  } catch (const Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
}

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
    fail("{} cannot be renamed to {}: {}.", temporary, path, std::strerror(errno));
  flush_folder_of(path);
}

void publish_new_file(const std::string& temporary, const std::string& path) {
  flush_to_disk(temporary, O_RDONLY);
  if (!rename_to_new(temporary, path)) {
    if (errno == EEXIST) refuse("{} was written by another program meanwhile; it was not replaced.", path);
    fail("{} cannot be renamed to {}: {}.", temporary, path, std::strerror(errno));
  }
  flush_folder_of(path);
}

}  // namespace nystrom
