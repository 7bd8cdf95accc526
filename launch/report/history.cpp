#include "launch/report/history.h"

#include "kernels/core/stage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace nystrom {
namespace {

constexpr std::size_t kMaxLine = std::size_t{1} << 20U;  // a line that is longer is nobody's metrics
constexpr std::size_t kRemembered = 256;

/// A file descriptor.
class File {
 public:
  explicit File(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] int get() const { return descriptor_; }
  /// Bytes of a regular file; -1 for anything else.
  [[nodiscard]] std::int64_t size() const {
    struct stat status {};
    const bool regular = descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
    return regular ? status.st_size : -1;
  }

 private:
  int descriptor_;
};

/// Up to `size` bytes at `offset`.
std::string read_at(int file, std::int64_t offset, std::size_t size) {
  std::string block(size, '\0');
  const ssize_t got = ::pread(file, block.data(), size, offset);
  block.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return block;
}

}  // namespace

void History::add(const MetricsLine& line) {
  ++lines_;
  last_step_ = std::max(last_step_, line.step);
  for (const auto& [name, value] : line.numbers)
    if (name == "skipped")
      ++skipped_;
    else
      add_to(series_, name, line.step, value);
  for (const auto& [name, values] : line.arrays) {
    if (name == "pinv_residual") add_layers(residuals_, line.step, values);
    if (name == "pinv_residual_max") add_layers(largest_residuals_, line.step, values);
  }
  for (const auto& [name, values] : line.objects)
    if (name == "epochs_of")
      for (const auto& [corpus, epochs] : values) add_to(epochs_, corpus, line.step, epochs);
}

void History::add_to(Named& all, std::string_view name, std::int64_t step, double value) {
  auto found = all.find(name);
  if (found == all.end()) {
    if (all.size() >= kMaxSeries) return;
    found = all.emplace(name, Series()).first;
  }
  found->second.add(step, value);
}

void History::add_layers(std::vector<Series>& layers, std::int64_t step, const std::vector<double>& values) {
  const std::size_t count = std::min(values.size(), kMaxSeries);
  if (layers.size() < count) layers.resize(count);
  for (std::size_t i = 0; i < count; ++i) layers[i].add(step, values[i]);
}

const Series& History::of(std::string_view name) const {
  static const Series none;
  const auto found = series_.find(name);
  return found == series_.end() ? none : found->second;
}

std::vector<std::string> History::names() const {
  std::vector<std::string> names;
  for (const auto& [name, series] : series_) names.push_back(name);
  return names;
}

bool MetricsFollower::look() {
  const File file(path_);
  const std::int64_t size = std::max<std::int64_t>(file.size(), 0);
  bool changed = false;
  if (read_ > 0 && (size < read_ || !still_ends_there(file.get()))) {
    restart();
    changed = true;
  }
  if (read_ == 0 && size > most_) skip(file.get(), size - most_);
  return (size > read_ && read_new(file.get(), size)) || changed;
}

/// To the first line that begins after `bytes`.
void MetricsFollower::skip(int file, std::int64_t bytes) {
  const std::size_t end = read_at(file, bytes - 1, kMaxLine).find('\n');
  if (end != std::string::npos) read_ = bytes + static_cast<std::int64_t>(end);
}

bool MetricsFollower::still_ends_there(int file) const {
  return read_at(file, read_ - static_cast<std::int64_t>(last_line_.size()), last_line_.size()) == last_line_;
}

void MetricsFollower::restart() {
  history_ = History();
  read_ = damaged_ = 0;
  last_line_.clear();
}

bool MetricsFollower::read_new(int file, std::int64_t size) {
  constexpr std::size_t kBlock = std::size_t{1} << 20U;
  const std::int64_t before = read_;
  Stage stage(fmt::format("reading {}", path_), static_cast<double>(size - read_));
  std::string rest;  // begins at read_
  std::int64_t at = read_;
  while (at < size) {
    const std::string block = read_at(file, at, kBlock);
    if (block.empty()) break;
    at += static_cast<std::int64_t>(block.size());
    stage.advance(static_cast<double>(block.size()));
    rest += block;
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      take(std::string_view(rest).substr(begin, end - begin));
      begin = end + 1;
    }
    if (begin > 0)
      last_line_ = rest.substr(begin - std::min(begin, kRemembered), std::min(begin, kRemembered));
    read_ += static_cast<std::int64_t>(begin);
    rest.erase(0, begin);
    if (rest.size() > kMaxLine) break;
  }
  return read_ > before;
}

void MetricsFollower::take(std::string_view line) {
  if (read_metrics_line(line, line_) && line_.step >= history_.last_step())
    history_.add(line_);
  else
    ++damaged_;
}

}  // namespace nystrom
