#include "launch/cli/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

#include "launch/cli/console.h"

namespace nystrom {
namespace {

constexpr std::size_t kMaxWaiting = std::size_t{1} << 20U;

/// All of `text`, or false with errno.
bool write_all(int file, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto put = ::write(file, text.data() + at, text.size() - at);
    if (put < 0 && errno != EINTR) return false;
    if (put > 0) at += static_cast<std::size_t>(put);
  }
  return true;
}

}  // namespace

LogFile::LogFile(std::string directory) : directory_(std::move(directory)) {}

LogFile::~LogFile() {
  if (file_ >= 0) ::close(file_);
}

void LogFile::add(const std::string& sentence) {
  const std::scoped_lock lock(mutex_);
  waiting_ += fmt::format("{} {}\n", date_text(), sentence);
  std::error_code error;
  if (file_ < 0 && !std::filesystem::is_directory(directory_, error)) {
    if (waiting_.size() > kMaxWaiting) waiting_.clear();
    return;
  }
  if (!opened() || !write_all(file_, waiting_)) give_up_line();
  waiting_.clear();
}

bool LogFile::opened() {
  if (file_ < 0)
    file_ = ::open((directory_ + "/log.txt").c_str(),
                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  return file_ >= 0;
}

void LogFile::give_up_line() {
  if (std::exchange(warned_, true)) return;
  print_error(fmt::format("nystrom: {}/log.txt cannot be written: {}. The run continues without it.\n",
                          directory_, std::strerror(errno)));
}

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  std::array<char, 40> text{};
  ::localtime_r(&now, &local);
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S%z", &local)};
}

}  // namespace nystrom
