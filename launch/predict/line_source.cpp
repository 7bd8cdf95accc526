#include "launch/predict/line_source.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "kernels/core/check.h"

namespace nystrom {
namespace {
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
}  // namespace

LineSource::LineSource(std::string path) : name_(path == "-" ? "standard input" : std::move(path)) {
  descriptor_ = name_ == "standard input" ? ::dup(STDIN_FILENO) : ::open(name_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) refuse("{} cannot be read: {}.", name_, std::strerror(errno));
  while (!ended_ && buffer_.size() < kByteOrderMark.size() && buffer_.find('\n') == std::string::npos) fill();
  if (buffer_.starts_with("\xFE\xFF") || buffer_.starts_with("\xFF\xFE"))
    refuse("{} is UTF-16; convert it to UTF-8, for example by `iconv -f UTF-16 -t UTF-8`.", name_);
  if (buffer_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
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
  buffer_.append(piece.data(), static_cast<std::size_t>(got));
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

std::string LineSource::rest() {
  while (!ended_) fill();
  std::string text = buffer_.substr(at_);
  at_ = buffer_.size();
  return text;
}

}  // namespace nystrom
