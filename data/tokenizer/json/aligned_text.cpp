#include "data/tokenizer/json/aligned_text.h"

#include <algorithm>
#include <numeric>

namespace nystrom {

AlignedText::AlignedText(std::string_view text, bool aligned) : text_(text), aligned_(aligned) {
  if (!aligned_) return;
  begins_.resize(text.size());
  ends_.resize(text.size());
  std::iota(begins_.begin(), begins_.end(), 0U);
  std::iota(ends_.begin(), ends_.end(), 1U);
}

void AlignedText::rewrite(
    const std::function<std::size_t(std::string_view, std::size_t, std::string&)>& next) {
  std::string out;
  out.reserve(text_.size());
  std::vector<std::uint32_t> begins, ends;
  for (std::size_t at = 0; at < text_.size();) {
    const std::size_t size = out.size();
    const std::size_t used = next(text_, at, out);
    if (aligned_ && used == out.size() - size) {
      begins.insert(begins.end(), begins_.begin() + static_cast<std::ptrdiff_t>(at),
                    begins_.begin() + static_cast<std::ptrdiff_t>(at + used));
      ends.insert(ends.end(), ends_.begin() + static_cast<std::ptrdiff_t>(at),
                  ends_.begin() + static_cast<std::ptrdiff_t>(at + used));
    } else if (aligned_) {
      begins.resize(out.size(), begins_[at]);
      ends.resize(out.size(), ends_[at + used - 1]);
    }
    at += used;
  }
  text_ = std::move(out);
  begins_ = std::move(begins);
  ends_ = std::move(ends);
}

void AlignedText::prepend(std::string_view text) {
  text_.insert(0, text);
  if (!aligned_) return;
  const std::uint32_t first = begins_.empty() ? 0 : begins_.front();
  begins_.insert(begins_.begin(), text.size(), first);
  ends_.insert(ends_.begin(), text.size(), first);
}

}  // namespace nystrom
