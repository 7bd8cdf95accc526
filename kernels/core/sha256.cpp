#include "kernels/core/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

EVP_MD_CTX* as_evp(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

}  // namespace

void Sha256::Release::operator()(void* context) const noexcept {
  EVP_MD_CTX_free(as_evp(context));
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(as_evp(context_.get()), EVP_sha256(), nullptr) != 1)
    fail("OpenSSL has no SHA-256.");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(const void* bytes, std::size_t count) {
  if (EVP_DigestUpdate(as_evp(context_.get()), bytes, count) != 1)
    fail("OpenSSL failed to compute a SHA-256.");
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(as_evp(context_.get()), digest.data(), &size) != 1)
    fail("OpenSSL failed to compute a SHA-256.");
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest.at(i));
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_of_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
    refuse("{} is not a regular file.", path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             [](std::FILE* f) { return std::fclose(f); });
  if (!file) refuse("{} cannot be opened: {}.", path, std::strerror(errno));
  Sha256 hash;
  std::vector<char> block(1U << 20U);
  const std::uintmax_t bytes = std::filesystem::file_size(path, ignored);
  Stage stage(fmt::format("reading {}", path), ignored ? 0 : static_cast<double>(bytes));
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), file.get())) {
    hash.update(block.data(), count);
    stage.advance(static_cast<double>(count));
  }
  if (std::ferror(file.get()) != 0) refuse("{} cannot be read: {}.", path, std::strerror(errno));
  return hash.hex();
}

}  // namespace nystrom
