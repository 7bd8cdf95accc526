#include "data/corpus/byte_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "data/corpus/decompressors.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::size_t kBlock = 1U << 18U;
constexpr std::size_t kMagic = 6;  // bytes of the longest signature

/// What was read to recognize the format, then the rest.
class Rewound final : public ByteStream {
 public:
  Rewound(std::string head, ByteStream& rest) : head_(std::move(head)), rest_(rest) {}
  std::size_t read(char* to, std::size_t count) override {
    if (given_ == head_.size()) return rest_.read(to, count);
    const std::size_t n = head_.copy(to, count, given_);
    given_ += n;
    return n;
  }

 private:
  std::string head_;
  ByteStream& rest_;
  std::size_t given_ = 0;
};

}  // namespace

FileStream::FileStream(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) refuse("{} cannot be opened: {}.", path, std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(descriptor_);
    refuse("{} is a folder; here a file is needed.", path);
  }
}

FileStream::~FileStream() {
  ::close(descriptor_);
}

std::size_t FileStream::read(char* to, std::size_t count) {
  ssize_t got = -1;
  do got = ::read(descriptor_, to, count);
  while (got < 0 && errno == EINTR);
  if (got < 0) refuse("{} cannot be read at byte {}: {}.", path_, bytes_read_, std::strerror(errno));
  hash_.update(to, static_cast<std::size_t>(got));
  bytes_read_ += got;
  return static_cast<std::size_t>(got);
}

std::string FileStream::finish_sha256() {
  std::vector<char> block(kBlock);
  while (read(block.data(), block.size()) > 0) {
  }
  return hash_.hex();
}

std::size_t read_fully(ByteStream& stream, char* to, std::size_t count) {
  std::size_t total = 0;
  while (total < count) {
    const std::size_t got = stream.read(to + total, count - total);
    if (got == 0) break;
    total += got;
  }
  return total;
}

std::unique_ptr<ByteStream> decompressed(FileStream& file) {
  std::string head(kMagic, '\0');
  head.resize(read_fully(file, head.data(), head.size()));
  const std::string magic = head;
  auto whole = std::make_unique<Rewound>(std::move(head), file);
  if (magic.starts_with("\x1F\x8B")) return gzip_stream(std::move(whole), file);
  if (magic.starts_with("BZh")) return bzip2_stream(std::move(whole), file);
  if (magic.starts_with("\xFD"
                        "7zXZ"))
    return xz_stream(std::move(whole), file);
  if (magic.starts_with("\x28\xB5\x2F\xFD")) return zstd_stream(std::move(whole), file);
  return whole;
}

bool LineReader::fill() {
  buffer_.erase(0, position_);
  position_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kBlock);
  const std::size_t got = stream_.read(buffer_.data() + size, kBlock);
  buffer_.resize(size + got);
  return got > 0;
}

bool LineReader::next(std::string& line) {
  std::size_t searched = 0;
  for (;;) {
    if (skip_line_feed_ && position_ < buffer_.size()) {
      if (buffer_[position_] == '\n') ++position_;
      skip_line_feed_ = false;
    }
    const std::string_view rest = std::string_view(buffer_).substr(position_);
    const std::size_t end = rest.find_first_of("\r\n", searched);
    if (end != std::string_view::npos && end <= limit_) {
      line.assign(rest.substr(0, end));
      skip_line_feed_ = rest[end] == '\r';
      position_ += end + 1;
      is_part_ = false;
      return true;
    }
    if (rest.size() > limit_) {
      std::size_t cut = rest.substr(0, limit_).rfind(' ');
      if (cut == std::string_view::npos || cut == 0) cut = limit_;
      while (cut > 1 && (static_cast<unsigned char>(rest[cut]) & 0xC0U) == 0x80U) --cut;
      line.assign(rest.substr(0, cut));
      position_ += cut;
      is_part_ = true;
      return true;
    }
    searched = rest.size();
    if (!fill()) {
      line.assign(buffer_, position_);
      position_ = buffer_.size();
      is_part_ = false;
      return !line.empty();
    }
  }
}

}  // namespace nystrom
