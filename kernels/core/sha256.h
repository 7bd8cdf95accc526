#pragma once
// SHA-256, for identities and for detecting corruption.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace nystrom {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(const void* bytes, std::size_t count);
  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }
  /// 64 lower-case hexadecimal digits. Nothing may be added afterwards.
  [[nodiscard]] std::string hex();

 private:
  struct Release {
    void operator()(void* context) const noexcept;
  };
  std::unique_ptr<void, Release> context_;
};

std::string sha256_hex(std::string_view bytes);

/// Of a file's content. Throws InputError if it cannot be read.
std::string sha256_of_file(const std::string& path);

}  // namespace nystrom
