#include "data/text/utf16.h"

#include <utility>

namespace nystrom {

std::string Utf16Decoder::decode(std::string_view piece, Repairs& repairs) {
  waiting_ += piece;
  // Half a unit, and the first half of a pair, wait for what follows.
  std::size_t size = waiting_.size() - waiting_.size() % 2;
  const std::size_t high = encoding_ == Encoding::kUtf16Big ? size - 2 : size - 1;
  if (size >= 2 && (static_cast<unsigned char>(waiting_[high]) & 0xFCU) == 0xD8U) size -= 2;
  std::string whole = waiting_.substr(0, size);
  waiting_.erase(0, size);
  return decode_text(std::move(whole), encoding_, repairs);
}

std::string Utf16Decoder::finish(Repairs& repairs) {
  return decode_text(std::exchange(waiting_, {}), encoding_, repairs);
}

}  // namespace nystrom
