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
/// The file's first bytes; leaves it at its beginning.
std::string magic_of(FileStream& file) {
  std::string head(kMagic, '\0');
  file.seek(0);
  head.resize(read_fully(file, head.data(), head.size()));
  file.seek(0);
  return head;
}

/// An error page under the name of a dump is not read as text.
void check_name(const std::string& path) {
  for (const std::string_view ending : {".bz2", ".gz", ".xz", ".zst", ".tgz", ".txz"}) {
    if (path.ends_with(ending))
      throw DamagedInput(fmt::format(
          "{} is named {} but does not begin like such a file. Copy or download it again.", path, ending));
  }
}

/// The file itself, from the range's beginning.
class PlainStream final : public ByteStream {
 public:
  PlainStream(FileStream& file, const FileRange& range) : file_(file), range_(range) {
    file_.seek(range.begin);
  }
  std::size_t read(char* to, std::size_t count) override { return file_.read(to, count); }
  [[nodiscard]] std::int64_t boundary() const override {
    return range_.end == kNowhere ? kNowhere : range_.end - range_.begin;
  }

 private:
  FileStream& file_;
  FileRange range_;
};

/// Ends where the underlying stream is corrupt, and records that.
class TolerantStream final : public ByteStream {
 public:
  TolerantStream(std::unique_ptr<ByteStream> from, std::vector<std::string>* damage)
      : from_(std::move(from)), damage_(damage) {}
  std::size_t read(char* to, std::size_t count) override {
    if (gaps_ > 0) return 0;
    try {
      return from_->read(to, count);
    } catch (const DamagedInput& error) {
      damage_->push_back(error.what());
      ++gaps_;
      return 0;
    }
  }
  [[nodiscard]] std::int64_t gaps() const override { return gaps_; }

 private:
  std::unique_ptr<ByteStream> from_;
  std::vector<std::string>* damage_;
  std::int64_t gaps_ = 0;
};

std::unique_ptr<ByteStream> tolerant(std::unique_ptr<ByteStream> stream, const ReadOptions& options) {
  if (!options.skip_damaged) return stream;
  return std::make_unique<TolerantStream>(std::move(stream), options.damage);
}

}  // namespace

FileStream::FileStream(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) refuse("{} cannot be opened: {}.", path, std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(descriptor_);
    refuse("{} is a folder; a file is expected.", path);
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
  bytes_read_ += got;
  return static_cast<std::size_t>(got);
}

void FileStream::seek(std::int64_t byte) {
  if (::lseek(descriptor_, byte, SEEK_SET) < 0)
    refuse("{} cannot be read at byte {}: {}.", path_, byte, std::strerror(errno));
  bytes_read_ = byte;
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

void read_up_to(ByteStream& stream, std::size_t limit, std::string& text) {
  constexpr std::size_t kFirst = std::size_t{64} << 10U;  // bytes
  while (text.size() < limit) {
    const std::size_t have = text.size();
    const std::size_t want = std::min(std::max(kFirst, have), limit - have);
    text.resize(have + want);
    const std::size_t got = read_fully(stream, text.data() + have, want);
    text.resize(have + got);
    if (got < want) break;
  }
  text.shrink_to_fit();
}

bool is_divisible(const std::string& path) {
  FileStream file(path);
  const auto magic = magic_of(file);
  return magic.starts_with("BZh") || !is_packed(magic);
}

std::unique_ptr<ByteStream> decompressed(FileStream& file, const ReadOptions& options,
                                         const FileRange& range) {
  const auto magic = magic_of(file);
  if (magic.starts_with("BZh")) return bzip2_stream(file, options, range);
  if (!is_packed(magic)) {
    check_name(file.path());
    return std::make_unique<PlainStream>(file, range);
  }
  NYSTROM_CHECK(range.whole(), "{} is not divisible", file.path());
  if (magic.starts_with("\x1F\x8B")) return tolerant(gzip_stream(file, options), options);
  if (magic.starts_with("\xFD")) return tolerant(xz_stream(file, options), options);
  return tolerant(zstd_stream(file, options), options);
}

bool LineReader::fill() {
  buffer_.erase(0, position_);
  position_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kBlock);
  const std::size_t got = stream_.read(buffer_.data() + size, kBlock);
  buffer_.resize(size + got);
  if (const auto gaps = stream_.gaps(); gaps != gaps_) {
    // The line before the gap has no end, the one after it no beginning.
    gaps_ = gaps;
    buffer_.erase(0, size);
    lost_ += size > 0 ? 1 : 0;
    skip_line_ = got > 0;
  }
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
    searched = std::min(searched, rest.size());
    const std::size_t end = rest.find_first_of("\r\n", searched);
    if (skip_line_) {
      position_ = end == std::string_view::npos ? buffer_.size() : position_ + end + 1;
      if (end != std::string_view::npos) {
        skip_line_ = false;
        ++lost_;
      } else if (!fill()) {
        return false;
      }
      searched = 0;
      continue;
    }
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
      if (position_ > buffer_.size()) position_ = buffer_.size();
      line.assign(buffer_, position_);
      position_ = buffer_.size();
      is_part_ = false;
      return !line.empty();
    }
  }
}

}  // namespace nystrom
