#include "data/corpus/utf16_stream.h"

#include <algorithm>

namespace nystrom {
namespace {
constexpr std::size_t kBlock = std::size_t{64} << 10U;  // bytes
}

void Utf16Stream::begin() {
  begun_ = true;
  if (utf16_ == Utf16::kNo) return;
  std::string mark(2, '\0');
  mark.resize(read_fully(from_, mark.data(), mark.size()));
  decodes_ = utf16_ == Utf16::kGiven || mark == "\xFE\xFF" || mark == "\xFF\xFE";
  if (mark == "\xFE\xFF") decoder_ = Utf16Decoder(Encoding::kUtf16Big);
  text_ = decodes_ ? decoder_.decode(mark, repairs_) : std::move(mark);
}

/// False at the end.
bool Utf16Stream::decode_more() {
  std::string piece(kBlock, '\0');
  piece.resize(from_.gaps() > 0 ? 0 : read_fully(from_, piece.data(), piece.size()));
  if (from_.gaps() > 0) {
    decoder_.discard();
    text_.clear();
  } else {
    text_ = piece.empty() ? decoder_.finish(repairs_) : decoder_.decode(piece, repairs_);
  }
  position_ = 0;
  return !piece.empty();
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
