#pragma once
// UTF-16 text as a stream of UTF-8, decoded before anything looks for line ends.

#include <string>

#include "data/corpus/byte_stream.h"
#include "data/text/utf16.h"

namespace nystrom {

/// How a stream's encoding is known.
enum class Utf16 : std::uint8_t {
  kByMark,  ///< UTF-16 if it begins with a byte order mark of UTF-16
  kGiven,   ///< UTF-16; little-endian unless its byte order mark says otherwise
  kNo
};

/// UTF-8 for a stream of UTF-16; the bytes of `from` for any other stream. Behind a gap of corrupt input the
/// bytes of UTF-16 cannot be paired any more: the stream ends there.
class Utf16Stream final : public ByteStream {
 public:
  /// `from` and `repairs` must outlive the stream; what is not UTF-16 becomes U+FFFD and is counted.
  Utf16Stream(ByteStream& from, Utf16 utf16, Repairs& repairs)
      : from_(from), utf16_(utf16), repairs_(repairs) {}

  std::size_t read(char* to, std::size_t count) override;
  [[nodiscard]] std::int64_t boundary() const override { return from_.boundary(); }
  [[nodiscard]] std::int64_t gaps() const override { return from_.gaps(); }

 private:
  void begin();
  bool decode_more();

  ByteStream& from_;
  Utf16 utf16_;
  Repairs& repairs_;
  bool begun_ = false, decodes_ = false;
  Utf16Decoder decoder_;
  std::string text_;  // of what is given, the part from position_ on
  std::size_t position_ = 0;
};

}  // namespace nystrom
