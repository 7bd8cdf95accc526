#include "data/corpus/tar.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>

#include "kernels/core/check.h"

namespace nystrom {

/// The stream as libarchive reads it. Exceptions do not pass through C: they wait in `problem`.
struct TarReader::Input {
  ByteStream& stream;
  std::array<char, std::size_t{64} << 10U> buffer;
  std::exception_ptr problem;

  static la_ssize_t read(archive* reader, void* self, const void** block) {
    auto& input = *static_cast<Input*>(self);
    *block = input.buffer.data();
    try {
      return static_cast<la_ssize_t>(input.stream.read(input.buffer.data(), input.buffer.size()));
    } catch (...) {
      input.problem = std::current_exception();
      archive_set_error(reader, EIO, "the stream cannot be read");
      return -1;
    }
  }
};

TarReader::TarReader(ByteStream& stream, std::string origin)
    : origin_(std::move(origin)),
      input_(new Input{stream, {}, nullptr}),
      archive_(archive_read_new(), archive_read_free) {
  if (!archive_) fail("libarchive could not start: no memory?");
  archive_read_support_format_tar(archive_.get());
  archive_read_support_format_empty(archive_.get());
  if (archive_read_open(archive_.get(), input_.get(), nullptr, Input::read, nullptr) != ARCHIVE_OK)
    refuse_damage();
}

TarReader::~TarReader() = default;

void TarReader::refuse_damage() const {
  if (input_->problem) std::rethrow_exception(input_->problem);
  const char* reason = archive_error_string(archive_.get());
  refuse("The tar archive {} is corrupt near byte {} of its content{}: {}. Copy or download it again.",
         origin_, archive_filter_bytes(archive_.get(), 0),
         name_.empty() ? "" : fmt::format(" (in or after {})", name_),
         reason != nullptr ? reason : "no reason is known");
}

bool TarReader::next() {
  archive_entry* entry = nullptr;
  for (;;) {
    const int result = archive_read_next_header(archive_.get(), &entry);
    if (result == ARCHIVE_EOF) {
      // To the end of the stream, where decompressors find their checksum.
      while (input_->stream.read(input_->buffer.data(), input_->buffer.size()) > 0) continue;
      return false;
    }
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) refuse_damage();
    // A hard link has the type of its target, but no content.
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) continue;
    const char* name = archive_entry_pathname(entry);
    name_ = name != nullptr ? name : "";
    size_ = archive_entry_size(entry);
    return true;
  }
}

std::string TarReader::content(std::int64_t limit) {
  if (size_ > limit)
    refuse("{} in the archive {} has {} bytes; at most {} were expected.", name_, origin_, size_, limit);
  constexpr std::int64_t kBlock = std::int64_t{64} << 10U;  // a corrupt size takes no more memory at once
  std::string bytes;
  while (std::ssize(bytes) < size_) {
    const auto have = bytes.size();
    bytes.resize(have + static_cast<std::size_t>(std::min(size_ - std::ssize(bytes), kBlock)));
    const auto got = archive_read_data(archive_.get(), bytes.data() + have, bytes.size() - have);
    if (got <= 0) refuse_damage();
    bytes.resize(have + static_cast<std::size_t>(got));
  }
  return bytes;
}

}  // namespace nystrom
