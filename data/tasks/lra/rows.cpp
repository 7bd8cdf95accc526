#include "data/tasks/lra/rows.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace nystrom::lra {

Rows::Rows(const std::string& path) : path_(path), file_(path), content_(decompressed(file_)) {}

std::string Rows::place() const {
  return fmt::format("{}, line {}", path_, line_);
}

bool Rows::next(std::vector<std::string_view>& cells) {
  std::string_view line;
  if (!next_line(line)) return false;
  cells.clear();
  for (;;) {
    const std::size_t end = line.find('\t');
    cells.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return true;
    line.remove_prefix(end + 1);
  }
}

bool Rows::next_line(std::string_view& line) {
  std::size_t end = std::string::npos;
  while ((end = buffer_.find('\n', searched_)) == std::string::npos && fill()) {
  }
  if (end == std::string::npos && begin_ == buffer_.size()) return false;
  const bool unended = end == std::string::npos;
  if (unended) end = buffer_.size();
  line = std::string_view(buffer_).substr(begin_, end - begin_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  begin_ = searched_ = unended ? end : end + 1;
  ++line_;
  return true;
}

/// Reads more of the file after the rest of the buffer; false at its end.
bool Rows::fill() {
  constexpr std::size_t kPiece = 1U << 20U, kMaxLineBytes = 1U << 30U;
  buffer_.erase(0, begin_);
  begin_ = 0;
  searched_ = buffer_.size();
  if (searched_ > kMaxLineBytes)
    refuse("{}, line {} has more than {} bytes; is this a text file?", path_, line_ + 1, kMaxLineBytes);
  buffer_.resize(searched_ + kPiece);
  const std::size_t count = content_->read(buffer_.data() + searched_, kPiece);
  buffer_.resize(searched_ + count);
  return count > 0;
}

}  // namespace nystrom::lra
