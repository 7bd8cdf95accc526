#pragma once
// UTF-16 decoder for input in pieces, which may end within a character.

#include <string>
#include <string_view>

#include "data/text/utf8.h"

namespace nystrom {

class Utf16Decoder {
 public:
  /// `encoding`: kUtf16Little or kUtf16Big.
  explicit Utf16Decoder(Encoding encoding = Encoding::kUtf16Little) : encoding_(encoding) {}

  /// The text up to the end of `piece` as valid UTF-8, without byte order marks; a character that `piece`
  /// only begins waits for the next one. What is not UTF-16 becomes U+FFFD and is added to `repairs`.
  std::string decode(std::string_view piece, Repairs& repairs);
  /// The same of what still waits, at the end of the text.
  std::string finish(Repairs& repairs);
  /// Forgets what waits.
  void discard() { waiting_.clear(); }

 private:
  Encoding encoding_;
  std::string waiting_;  // at most three bytes
};

}  // namespace nystrom
