#include "launch/predict/line_source.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "data/corpus/arrow_rows.h"
#include "data/corpus/binary_check.h"
#include "data/corpus/decompressors.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kMaxMarkBytes = 4;  // bytes, of UTF-32
}  // namespace

LineSource::LineSource(std::string path, bool rows)
    : name_(path == "-" ? "standard input" : std::move(path)) {
  const bool standard_input = name_ == "standard input";
  if (std::error_code unknown; !standard_input && std::filesystem::is_regular_file(name_, unknown)) {
    file_ = std::make_unique<FileStream>(name_);
    content_ = rows && is_arrow_file(name_) ? arrow_rows(name_) : decompressed(*file_);
  } else {
    descriptor_ = standard_input ? ::dup(STDIN_FILENO) : ::open(name_.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) refuse("{} cannot be read: {}.", name_, std::strerror(errno));
  }
  while (!ended_ && buffer_.size() < kMaxMarkBytes && buffer_.find('\n') == std::string::npos) fill();
  recognize_encoding();
}

// What was read so far is decoded again where it is UTF-16.
void LineSource::recognize_encoding() {
  if (buffer_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  const bool big = buffer_.starts_with("\xFE\xFF");
  if (!content_ && is_packed(buffer_))
    refuse(
        "{} is compressed, which is supported only for files. Decompress it first (`zcat`), or name the file.",
        name_);
  check_is_no_binary(std::string_view(buffer_).substr(0, kCheckedBytes), name_);
  if (!big && !buffer_.starts_with("\xFF\xFE")) return;
  decoder_.emplace(big ? Encoding::kUtf16Big : Encoding::kUtf16Little);
  buffer_ = decoder_->decode(buffer_, repairs_);
  if (ended_) buffer_ += decoder_->finish(repairs_);
}

LineSource::~LineSource() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

/// What has arrived; nothing at the end.
std::string_view LineSource::read_piece(std::span<char> piece) {
  if (content_) return {piece.data(), content_->read(piece.data(), piece.size())};
  ssize_t got = -1;
  do got = ::read(descriptor_, piece.data(), piece.size());
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EISDIR) refuse("{} is a directory; name a file.", name_);
  if (got < 0) fail("{} cannot be read: {}.", name_, std::strerror(errno));
  return {piece.data(), static_cast<std::size_t>(got)};
}

void LineSource::fill() {
  std::array<char, 1U << 16U> piece{};
  const std::string_view bytes = read_piece(piece);
  ended_ = bytes.empty();
  if (!decoder_)
    buffer_ += bytes;
  else
    buffer_ += ended_ ? decoder_->finish(repairs_) : decoder_->decode(bytes, repairs_);
}

bool LineSource::waits() const {
  if (content_) return false;
  pollfd state{descriptor_, POLLIN, 0};
  return !ended_ && ::poll(&state, 1, 0) == 0;
}

bool LineSource::take(std::string& line) {
  const std::size_t end = buffer_.find('\n', at_);
  if (end == std::string::npos && (!ended_ || at_ == buffer_.size())) return false;
  line = buffer_.substr(at_, end == std::string::npos ? end : end - at_);
  at_ = end == std::string::npos ? buffer_.size() : end + 1;
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

std::vector<std::string> LineSource::next(std::size_t max_lines, std::size_t max_bytes) {
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  while (lines.size() < max_lines && bytes < max_bytes) {
    if (std::string line; take(line)) {
      bytes += line.size();
      lines.push_back(std::move(line));
      continue;
    }
    if (ended_ || (!lines.empty() && waits())) break;
    buffer_.erase(0, at_);
    at_ = 0;
    fill();
  }
  return lines;
}

double LineSource::share() const {
  std::error_code unknown;
  const auto size = file_ ? static_cast<double>(std::filesystem::file_size(name_, unknown)) : 0;
  if (unknown || size <= 0) return -1;
  const auto read = static_cast<double>(file_->bytes_read());
  const auto waiting = static_cast<double>(buffer_.size() - at_);  // as in the file, where that is plain text
  return ended_ && waiting == 0 ? 1 : std::max(0.0, read - waiting) / size;
}

std::int64_t LineSource::take_repaired_bytes() {
  const Repairs repaired = std::exchange(repairs_, {});
  return repaired.invalid_bytes + repaired.nul_bytes;
}

std::string LineSource::rest() {
  while (!ended_) fill();
  std::string text = buffer_.substr(at_);
  at_ = buffer_.size();
  return text;
}

}  // namespace nystrom
