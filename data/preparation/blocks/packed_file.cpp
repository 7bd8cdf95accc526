#include "data/preparation/blocks/packed_file.h"

#include <zstd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

constexpr int kLevel = 1;
constexpr std::uint64_t kMaxSectionBytes = std::uint64_t{4} << 30U;  // bytes; a corrupt size takes no more

std::string packed(std::string_view text) {
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) fail("Zstandard could not start: no memory?");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.size(), text.data(), text.size());
  if (ZSTD_isError(size) != 0) fail("Zstandard failed: {}.", ZSTD_getErrorName(size));
  out.resize(size);
  return out;
}

[[noreturn]] void damaged(const std::string& path) {
  fail("{} is corrupt. Remove the folder `.preparing` that it is in and prepare again.", path);
}

std::uint64_t read_number(std::istream& file, const std::string& path) {
  std::uint64_t value = 0;
  if (!file.read(reinterpret_cast<char*>(&value), sizeof value)) damaged(path);
  return value;
}

}  // namespace

void write_packed_file(const std::string& path, const std::vector<std::string_view>& sections) {
  std::string content;
  const auto put = [&content](std::uint64_t value) {
    content.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  for (const auto section : sections) {
    const auto bytes = packed(section);
    put(section.size());
    put(bytes.size());
    content += bytes;
  }
  write_file(path, content);
}

std::string read_packed_section(const std::string& path, std::size_t section) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{} cannot be opened: {}.", path, std::strerror(errno));
  for (std::size_t i = 0;; ++i) {
    const auto size = read_number(file, path), stored = read_number(file, path);
    if (size > kMaxSectionBytes || stored > kMaxSectionBytes) damaged(path);
    if (i < section) {
      file.seekg(static_cast<std::streamoff>(stored), std::ios::cur);
      continue;
    }
    std::string bytes(stored, '\0'), text(size, '\0');
    if (!file.read(bytes.data(), static_cast<std::streamsize>(stored))) damaged(path);
    if (ZSTD_decompress(text.data(), text.size(), bytes.data(), bytes.size()) != size) damaged(path);
    return text;
  }
}

}  // namespace nystrom
