#include "trainer/metrics/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom {

AppendFile::AppendFile(std::string path, Open how, Warn warn)
    : path_(std::move(path)), warn_(std::move(warn)) {
  const int flags =
      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (how == Open::kNew ? O_EXCL : 0);
  file_ = ::open(path_.c_str(), flags, 0666);  // minus the user's umask
  if (file_ < 0 && errno == ELOOP)
    fail("{} is a link, which is not followed: a run writes to its own files. Remove it.", path_);
  if (file_ < 0) fail("{} cannot be opened for writing: {}.", path_, std::strerror(errno));
}

void AppendFile::keep(std::uintmax_t bytes) {
  struct stat status {};
  const bool longer = ::fstat(file_, &status) == 0 && static_cast<std::uintmax_t>(status.st_size) > bytes;
  if (longer && ::ftruncate(file_, static_cast<off_t>(bytes)) != 0)
    fail("{} cannot be truncated to the steps of the checkpoint: {}.", path_, std::strerror(errno));
}

AppendFile::~AppendFile() {
  (void)write_pending();
  ::close(file_);
}

bool AppendFile::write_pending() {
  while (!pending_.empty()) {
    const auto put = ::write(file_, pending_.data(), pending_.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    pending_.erase(0, static_cast<std::size_t>(put));
  }
  return true;
}

void AppendFile::append(std::string_view record) {
  pending_ += record;
  if (write_pending()) {
    if (behind_.exchange(false) && warn_)
      warn_(fmt::format("{} can be written again; no record was lost.", path_));
    return;
  }
  const std::string reason = std::strerror(errno);
  if (pending_.size() > kMaxPending) fail("{} cannot be written: {}.", path_, reason);
  if (!behind_.exchange(true) && warn_)
    warn_(fmt::format("{} cannot be written: {}. New records are kept in memory until there is space.", path_,
                      reason));
}

void AppendFile::sync() const {
  if (behind_) fail("{} cannot be written, and must be complete before the checkpoint.", path_);
  if (::fsync(file_) != 0 && errno != EINVAL)  // EINVAL: not a regular file
    fail("{} cannot be flushed to the disk: {}.", path_, std::strerror(errno));
}

}  // namespace nystrom
