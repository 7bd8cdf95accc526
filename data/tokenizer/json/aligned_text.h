#pragma once
// Normalized text with offsets: the bytes of the original that each of its bytes comes from.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

class AlignedText {
 public:
  /// `aligned`: origins are kept (it takes time and 8 bytes a byte).
  AlignedText(std::string_view text, bool aligned);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::int64_t begin(std::size_t byte) const { return begins_[byte]; }
  [[nodiscard]] std::int64_t end(std::size_t byte) const { return ends_[byte]; }

  /// Rewrites the text: `next(text, at, out)` appends to `out` what replaces the bytes from `at` on and
  /// returns how many bytes those are (at least 1).
  void rewrite(const std::function<std::size_t(std::string_view, std::size_t, std::string&)>& next);
  /// Puts `text` before it.
  void prepend(std::string_view text);

 private:
  std::string text_;
  bool aligned_;
  std::vector<std::uint32_t> begins_, ends_;  // by byte
};

}  // namespace nystrom
