#include "data/corpus/tar.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::int64_t kBlock = 512;
constexpr std::int64_t kLongestHeader = 1 << 20;  // bytes of a long name or a pax header
using Block = std::array<char, kBlock>;

std::string_view field(const Block& block, std::size_t at, std::size_t size) {
  const std::string_view bytes(block.data() + at, size);
  return bytes.substr(0, bytes.find('\0'));
}

/// An octal number, or a base-256 one whose first bit is set; -1 if it is neither.
std::int64_t number(const Block& block, std::size_t at, std::size_t size) {
  if ((static_cast<unsigned char>(block.at(at)) & 0x80U) != 0) {
    std::int64_t value = 0;
    for (std::size_t i = at + size - 8; i < at + size; ++i)
      value = value << 8 | static_cast<unsigned char>(block.at(i));
    return value;
  }
  std::string_view digits = field(block, at, size);
  while (digits.starts_with(' ')) digits.remove_prefix(1);
  while (digits.ends_with(' ')) digits.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  return error == std::errc() && end == digits.data() + digits.size() ? value : -1;
}

bool checksum_holds(const Block& block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block.at(i));
  return sum == number(block, 148, 8);
}

}  // namespace

void TarReader::damaged(const char* what) const {
  refuse("The tar archive {} is damaged at byte {} of its content: {}. Copy or download it again.", origin_,
         offset_, what);
}

bool TarReader::read_header(char* block) {
  const auto got = static_cast<std::int64_t>(read_fully(stream_, block, kBlock));
  if (got != 0 && got != kBlock) damaged("it ends inside a header");
  offset_ += got;
  return got == kBlock && std::any_of(block, block + kBlock, [](char c) { return c != 0; });
}

void TarReader::skip(std::int64_t bytes) {
  Block scratch{};
  while (bytes > 0) {
    const auto want = static_cast<std::size_t>(std::min(bytes, kBlock));
    if (read_fully(stream_, scratch.data(), want) != want) damaged("it ends inside a file");
    bytes -= static_cast<std::int64_t>(want);
    offset_ += static_cast<std::int64_t>(want);
  }
}

std::string TarReader::read_bytes(std::int64_t count) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  if (read_fully(stream_, bytes.data(), bytes.size()) != bytes.size()) damaged("it ends inside a file");
  offset_ += count;
  return bytes;
}

/// Records "LENGTH key=value\n".
void TarReader::read_extended_header(std::int64_t size) {
  const std::string records = read_bytes(size);
  std::string_view rest = records;
  while (!rest.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
    const auto digits = static_cast<std::size_t>(end - rest.data());
    if (error != std::errc() || length <= digits + 1 || length > rest.size())
      damaged("a pax header has no length");
    const std::string_view record = rest.substr(digits + 1, length - digits - 2);
    if (record.starts_with("path=")) long_name_ = record.substr(5);
    if (record.starts_with("size=")) {
      const auto value = record.substr(5);
      std::from_chars(value.data(), value.data() + value.size(), long_size_);
    }
    rest.remove_prefix(length);
  }
}

bool TarReader::next() {
  skip(left_ + padding_);
  left_ = padding_ = 0;
  Block block{};
  while (read_header(block.data())) {
    if (!checksum_holds(block)) damaged("a header's checksum is wrong");
    std::int64_t size = number(block, 124, 12);
    const char type = block.at(156);
    const bool extends = type == 'L' || type == 'x' || type == 'g' || type == 'K';
    if (!extends && long_size_ >= 0) size = long_size_;
    if (size < 0 || (extends && size > kLongestHeader)) damaged("a size makes no sense");
    const std::int64_t padding = (kBlock - size % kBlock) % kBlock;
    if (type == 'L') {
      long_name_ = read_bytes(size);
      long_name_.resize(std::min(long_name_.size(), long_name_.find('\0')));
      skip(padding);
    } else if (type == 'x') {
      read_extended_header(size);
      skip(padding);
    } else if (type == '0' || type == '\0' || type == '7') {
      const auto prefix = field(block, 257, 5) == "ustar" && block.at(262) == '\0' ? field(block, 345, 155)
                                                                                   : std::string_view();
      name_ = !long_name_.empty()
                  ? long_name_
                  : std::string(prefix).append(prefix.empty() ? "" : "/").append(field(block, 0, 100));
      size_ = left_ = size;
      padding_ = padding;
      long_name_.clear();
      long_size_ = -1;
      return true;
    } else {
      const bool has_content = extends || (type > '7' && type != 'L');
      skip(has_content ? size + padding : 0);
      if (!extends) long_name_.clear(), long_size_ = -1;
    }
  }
  return false;
}

std::string TarReader::content(std::int64_t limit) {
  if (left_ > limit)
    refuse("{} in the archive {} has {} bytes; at most {} were expected.", name_, origin_, left_, limit);
  auto bytes = read_bytes(left_);
  left_ = 0;
  return bytes;
}

}  // namespace nystrom
