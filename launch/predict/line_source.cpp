#include "launch/predict/line_source.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "data/corpus/binary_check.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
}  // namespace

LineSource::LineSource(std::string path) : name_(path == "-" ? "standard input" : std::move(path)) {
  descriptor_ = name_ == "standard input" ? ::dup(STDIN_FILENO) : ::open(name_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) refuse("{} cannot be read: {}.", name_, std::strerror(errno));
  while (!ended_ && buffer_.size() < kByteOrderMark.size() && buffer_.find('\n') == std::string::npos) fill();
  recognize_encoding();
}

// What was read so far is decoded again where it is UTF-16.
void LineSource::recognize_encoding() {
  if (buffer_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  const bool big = buffer_.starts_with("\xFE\xFF");
  if (!big && !buffer_.starts_with("\xFF\xFE")) {
    check_is_no_binary(std::string_view(buffer_).substr(0, kCheckedBytes), name_);
    return;
  }
  decoder_.emplace(big ? Encoding::kUtf16Big : Encoding::kUtf16Little);
  buffer_ = decoder_->decode(buffer_, repairs_);
  if (ended_) buffer_ += decoder_->finish(repairs_);
}

LineSource::~LineSource() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void LineSource::fill() {
  std::array<char, 1U << 16U> piece{};
  const ssize_t got = ::read(descriptor_, piece.data(), piece.size());
  if (got < 0 && errno == EINTR) return;
  if (got < 0 && errno == EISDIR) refuse("{} is a directory; name a file.", name_);
  if (got < 0) fail("{} cannot be read: {}.", name_, std::strerror(errno));
  if (got == 0) ended_ = true;
  const std::string_view bytes(piece.data(), static_cast<std::size_t>(got));
  if (!decoder_)
    buffer_ += bytes;
  else
    buffer_ += ended_ ? decoder_->finish(repairs_) : decoder_->decode(bytes, repairs_);
}

bool LineSource::waits() const {
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
