#pragma once
// Numbers and strings in files that a preparation keeps while it works; little-endian, read by the same
// program.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "kernels/core/check.h"

namespace nystrom {

class ByteWriter {
 public:
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void put(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
  }
  [[nodiscard]] std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  /// `origin` names the file in messages; both outlive the reader.
  ByteReader(std::string_view bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  template <class T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] T get() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  [[nodiscard]] std::string_view get_text() { return take(get<std::uint32_t>()); }
  [[nodiscard]] std::string_view take(std::size_t count) {
    if (count > bytes_.size())
      fail("{} is corrupt: it ends early. Remove the folder `.preparing` and prepare again.", origin_);
    const auto part = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return part;
  }
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  const std::string& origin_;
};

}  // namespace nystrom
