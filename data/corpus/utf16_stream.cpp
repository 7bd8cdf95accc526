#include "data/corpus/utf16_stream.h"

#include <algorithm>

namespace nystrom {
namespace {
constexpr std::size_t kBlock = std::size_t{64} << 10U;  // bytes
}

void Utf16Stream::begin() {
  begun_ = true;
  if (utf16_ == Utf16::kNo) return;
  raw_.resize(2);
  raw_.resize(read_fully(from_, raw_.data(), raw_.size()));
  if (raw_ == "\xFE\xFF") encoding_ = Encoding::kUtf16Big;
  decodes_ = utf16_ == Utf16::kGiven || raw_ == "\xFE\xFF" || raw_ == "\xFF\xFE";
  if (!decodes_) text_.swap(raw_);
}

/// False at the end.
bool Utf16Stream::decode_more() {
  const std::int64_t gaps = from_.gaps();
  const std::size_t kept = raw_.size();
  raw_.resize(kept + kBlock);
  const std::size_t got = gaps > 0 ? 0 : read_fully(from_, raw_.data() + kept, kBlock);
  raw_.resize(kept + got);
  if (from_.gaps() > 0) raw_.clear();
  std::size_t size = raw_.size();
  if (got > 0) {
    // Half a unit, and the first half of a pair, wait for what follows.
    size -= size % 2;
    const std::size_t high = encoding_ == Encoding::kUtf16Big ? size - 2 : size - 1;
    if (size >= 2 && (static_cast<unsigned char>(raw_[high]) & 0xFCU) == 0xD8U) size -= 2;
  }
  text_ = decode_text(raw_.substr(0, size), encoding_, repairs_);
  position_ = 0;
  raw_.erase(0, size);
  return got > 0;
}

std::size_t Utf16Stream::read(char* to, std::size_t count) {
  if (!begun_) begin();
  while (position_ == text_.size()) {
    if (!decodes_) return from_.read(to, count);
    if (!decode_more() && text_.empty()) return 0;
  }
  const std::size_t given = std::min(count, text_.size() - position_);
  text_.copy(to, given, position_);
  position_ += given;
  return given;
}

}  // namespace nystrom
