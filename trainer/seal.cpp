#include "trainer/seal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "data/sha256.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::string_view kMagic = "nystrom checkpoint ";
constexpr std::size_t kBlock = std::size_t{1} << 20U;

/// A file descriptor.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : path_(path), file_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] bool open() const { return file_ >= 0; }
  [[nodiscard]] bool is_regular() const {
    struct stat status {};
    return ::fstat(file_, &status) == 0 && S_ISREG(status.st_mode);
  }
  [[nodiscard]] int get() const { return file_; }

  [[nodiscard]] std::uint64_t size() const {
    struct stat status {};
    if (::fstat(file_, &status) != 0) fail("cannot read {}: {}", path_, std::strerror(errno));
    return static_cast<std::uint64_t>(status.st_size);
  }
  /// As many bytes as there are, at most `count`.
  std::size_t read(std::uint64_t offset, char* to, std::size_t count) const {
    std::size_t done = 0;
    while (done < count) {
      const auto got = ::pread(file_, to + done, count - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("cannot read {}: {}", path_, std::strerror(errno));
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }
  void write(std::uint64_t offset, std::string_view bytes) const {
    for (std::size_t done = 0; done < bytes.size();) {
      const auto put =
          ::pwrite(file_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) fail("cannot write {}: {}", path_, std::strerror(errno));
      done += static_cast<std::size_t>(put);
    }
  }
  void flush() const {
    if (::fsync(file_) != 0) fail("cannot flush {} to the disk: {}", path_, std::strerror(errno));
  }
  /// Lets later reads come from the disk and not from memory, where the system permits.
  void forget_cached() const { (void)::posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED); }

 private:
  std::string path_;
  int file_;
};

std::string digest_of_rest(const Descriptor& file) {
  Sha256 digest;
  std::vector<char> block(kBlock);
  for (std::uint64_t offset = kSealBytes;;) {
    const std::size_t count = file.read(offset, block.data(), block.size());
    if (count == 0) return digest.hex();
    digest.update(block.data(), count);
    offset += count;
  }
}

std::string seal_text(std::uint64_t bytes, std::string_view digest) {
  std::string text = fmt::format("{}{}\nbytes {}\nsha256 {}\n", kMagic, kCheckpointVersion, bytes, digest);
  text.resize(kSealBytes, '\0');
  return text;
}

std::string first_bytes(const Descriptor& file) {
  std::string bytes(kSealBytes, '\0');
  bytes.resize(file.read(0, bytes.data(), bytes.size()));
  return bytes;
}

/// The number that follows the magic; -1 if none does.
std::int64_t version_of(std::string_view seal) {
  std::int64_t version = -1;
  seal.remove_prefix(kMagic.size());
  std::from_chars(seal.data(), seal.data() + seal.size(), version);
  return version;
}

/// What every version of the seal has in common.
std::string_view after_first_line(std::string_view seal) {
  seal.remove_prefix(std::min(seal.find('\n'), seal.size()));
  return seal.substr(0, seal.find('\0'));
}

}  // namespace

void seal_file(const std::string& path) {
  const Descriptor file(path, O_RDWR);
  if (!file.open()) fail("cannot open {}: {}", path, std::strerror(errno));
  const std::string text = seal_text(file.size(), digest_of_rest(file));
  file.write(0, text);
  file.flush();
  file.forget_cached();
  if (first_bytes(file) != text || seal_text(file.size(), digest_of_rest(file)) != text)
    fail("{} reads back otherwise than it was written; the disk or the memory of this machine is faulty.",
         path);
}

bool has_seal(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  return file.open() && file.is_regular() && first_bytes(file).starts_with(kMagic);
}

void check_seal(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (!file.open()) refuse("{} cannot be opened: {}.", path, std::strerror(errno));
  if (!file.is_regular()) refuse("{} is not a file.", path);
  const std::string seal = first_bytes(file);
  if (!seal.starts_with(kMagic))
    refuse("{} is not a checkpoint of this program, or its first bytes are damaged.", path);
  const std::string expected = seal_text(file.size(), digest_of_rest(file));
  if (seal == expected) return;
  if (version_of(seal) > kCheckpointVersion && after_first_line(seal) == after_first_line(expected))
    refuse("{} has format {}, this program knows formats up to {}: use a newer program.", path,
           version_of(seal), kCheckpointVersion);
  refuse("{} is damaged: its content does not agree with its digest. Use another checkpoint.", path);
}

}  // namespace nystrom
