#include "trainer/checkpoint/header.h"

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

#include "kernels/core/check.h"
#include "kernels/core/sha256.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

constexpr std::string_view kMagic = "nystrom checkpoint ", kValidation = "validation ", kNone = "none",
                           kDigest = "sha256 ";
constexpr std::size_t kBlock = std::size_t{1} << 20U;

/// RAII file descriptor.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : path_(path), file_(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK)) {}  // waits for no pipe
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool open() const { return file_ >= 0; }
  [[nodiscard]] bool is_regular() const {
    struct stat status {};
    return ::fstat(file_, &status) == 0 && S_ISREG(status.st_mode);
  }
  [[nodiscard]] int get() const { return file_; }

  [[nodiscard]] std::uint64_t size() const {
    struct stat status {};
    if (::fstat(file_, &status) != 0) fail("{} cannot be read: {}.", path_, std::strerror(errno));
    return static_cast<std::uint64_t>(status.st_size);
  }
  /// Reads up to `count` bytes; fewer at the end of the file.
  std::size_t read(std::uint64_t offset, char* to, std::size_t count) const {
    std::size_t done = 0;
    while (done < count) {
      const auto got = ::pread(file_, to + done, count - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("{} cannot be read: {}.", path_, std::strerror(errno));
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
      if (put <= 0) fail("{} cannot be written: {}.", path_, std::strerror(errno));
      done += static_cast<std::size_t>(put);
    }
  }
  void flush() const {
    if (::fsync(file_) != 0) fail("{} cannot be flushed to the disk: {}.", path_, std::strerror(errno));
  }
  /// Drops the file from the page cache where possible, so that it is read back from the disk.
  void forget_cached() const { (void)::posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED); }

 private:
  std::string path_;
  int file_;
};

/// Digest of `head` and of everything after the header.
std::string digest_of(std::string_view head, const Descriptor& file) {
  Sha256 digest;
  digest.update(head);
  std::vector<char> block(kBlock);
  Stage stage(fmt::format("reading {}", file.path()), static_cast<double>(file.size()));
  for (std::uint64_t offset = kCheckpointHeaderBytes;;) {
    const std::size_t count = file.read(offset, block.data(), block.size());
    if (count == 0) return digest.hex();
    digest.update(block.data(), count);
    offset += count;
    stage.advance(static_cast<double>(count));
  }
}

/// The lines above the digest.
std::string head_of(const CheckpointHeader& header) {
  std::string head = fmt::format("{}{}\nbytes {}\n", kMagic, header.version, header.bytes);
  if (header.version > 1)
    head += fmt::format("{}{}\n", kValidation,
                        header.validation ? fmt::format("{}", *header.validation) : std::string(kNone));
  return head;
}

std::string header_text(std::string_view head, std::string_view digest) {
  std::string text = fmt::format("{}{}{}\n", head, kDigest, digest);
  text.resize(kCheckpointHeaderBytes, '\0');
  return text;
}

std::string first_bytes(const Descriptor& file) {
  std::string bytes(kCheckpointHeaderBytes, '\0');
  bytes.resize(file.read(0, bytes.data(), bytes.size()));
  return bytes;
}

/// Removes "KEY VALUE\n" from the front of a text and returns VALUE; nothing if it does not begin with KEY.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view key) {
  const auto end = text.find('\n');
  if (!text.starts_with(key) || end == std::string_view::npos) return std::nullopt;
  const std::string_view value = text.substr(key.size(), end - key.size());
  text.remove_prefix(end + 1);
  return value;
}

template <class Number>
std::optional<Number> number_in(std::optional<std::string_view> text) {
  Number number{};
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

/// Parses the header's lines as far as this program knows their version; nothing if they are invalid.
std::optional<CheckpointHeader> parse_header(std::string_view text) {
  const auto version = number_in<std::int64_t>(take_line(text, kMagic));
  const auto bytes = number_in<std::uint64_t>(take_line(text, "bytes "));
  if (!version || *version < 1 || !bytes) return std::nullopt;
  CheckpointHeader header{.version = *version, .bytes = *bytes, .validation = {}};
  if (*version == 1 || *version > kCheckpointVersion) return header;
  const auto validation = take_line(text, kValidation);
  header.validation = number_in<double>(validation);
  if (!validation || (!header.validation && *validation != kNone)) return std::nullopt;
  return header;
}

/// The header text that the file should have, computed from its content. The digest of version 1 did not
/// cover the lines; that of later versions, known or not, does. Empty where the header has no digest.
std::string expected_text(const CheckpointHeader& header, std::string_view found, const Descriptor& file) {
  if (header.version == 1) return header_text(head_of(header), digest_of("", file));
  const auto end = found.find(fmt::format("\n{}", kDigest));
  if (end == std::string_view::npos) return "";
  const std::string_view head = found.substr(0, end + 1);
  return header_text(head, digest_of(head, file));
}

}  // namespace

void write_checkpoint_header(const std::string& path, std::optional<double> validation) {
  const Descriptor file(path, O_RDWR);
  if (!file.open()) fail("{} cannot be opened: {}.", path, std::strerror(errno));
  const std::string head = head_of({.bytes = file.size(), .validation = validation});
  const std::string text = header_text(head, digest_of(head, file));
  file.write(0, text);
  file.flush();
  file.forget_cached();
  if (first_bytes(file) != text || header_text(head, digest_of(head, file)) != text)
    fail("{} does not read back as it was written; the disk or the memory of this machine is faulty.", path);
}

bool has_checkpoint_header(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  return file.open() && file.is_regular() && first_bytes(file).starts_with(kMagic);
}

CheckpointHeader verify_checkpoint_header(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (!file.open()) refuse("{} cannot be opened: {}.", path, std::strerror(errno));
  if (!file.is_regular()) refuse("{} is not a file.", path);
  const std::string found = first_bytes(file);
  if (!found.starts_with(kMagic))
    refuse("{} is not a checkpoint of this program, or its header is corrupt.", path);
  const auto header = parse_header(found);
  if (!header || header->bytes != file.size() || expected_text(*header, found, file) != found)
    refuse("{} is corrupt: its content does not match its digest. Use another checkpoint.", path);
  if (header->version > kCheckpointVersion)
    refuse("{} has format {}, but this program reads formats up to {}; use a newer program.", path,
           header->version, kCheckpointVersion);
  return *header;
}

std::optional<CheckpointHeader> read_checkpoint_header(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (!file.open() || !file.is_regular()) return std::nullopt;
  auto header = parse_header(first_bytes(file));
  if (!header || header->version > kCheckpointVersion || header->bytes != file.size()) return std::nullopt;
  return header;
}

}  // namespace nystrom
