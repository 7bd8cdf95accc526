// bzip2, block by block. A block begins, at any bit, with 48 fixed bits; up to the next such mark it is
// decompressed separately, as a stream of one block (the form that lbzip2 and pbzip2 use too). So blocks can
// be read from the middle of a file, and a corrupt one costs only itself.

#include <bzlib.h>

#include <algorithm>
#include <array>
#include <optional>

#include "data/corpus/decompressors.h"

namespace nystrom {
namespace {

constexpr std::uint64_t kBlockMark = 0x314159265359U, kEndMark = 0x177245385090U;
constexpr int kMarkBits = 48, kChecksumBits = 32;
constexpr std::size_t kReadBytes = 1U << 18U;
constexpr std::int64_t kHeaderBits = 32;                           // "BZh9"
constexpr std::size_t kMaxBlockBytes = 4U << 20U;                  // bytes; a block packs 900 kB
constexpr std::size_t kMaxUnpackedBytes = std::size_t{64} << 20U;  // bytes; the most that one unpacks to
constexpr int kFalseMarks = 3;  // marks inside a block, by chance, that are tried as its end

struct Mark {
  std::int64_t bit = 0;
  bool is_block = false;
};

/// A window of the file that answers questions about bits.
class Bits {
 public:
  explicit Bits(FileStream& file) : file_(file) {}

  /// The first mark at or after `bit`.
  std::optional<Mark> find(std::int64_t bit) {
    for (std::int64_t byte = bit / 8;; ++byte) {
      if (!have(byte, 8)) return find_in_tail(byte, bit);
      if (!may_hold(at(byte + 1))) continue;
      const std::uint64_t word = load(byte);
      for (int shift = 0; shift < 8; ++shift) {
        const std::uint64_t mark = word << shift >> (64 - kMarkBits);
        if ((mark == kBlockMark || mark == kEndMark) && byte * 8 + shift >= bit)
          return Mark{byte * 8 + shift, mark == kBlockMark};
      }
    }
  }

  /// The mark exactly at `bit`, if there is one.
  std::optional<Mark> mark_at(std::int64_t bit) {
    const auto found = have(bit / 8, 1) ? find(bit) : std::nullopt;
    return found && found->bit == bit ? found : std::nullopt;
  }

  [[nodiscard]] bool have(std::int64_t byte, std::int64_t count) {
    while (byte + count > base_ + static_cast<std::int64_t>(bytes_.size())) {
      if (!grow()) return false;
    }
    return true;
  }
  [[nodiscard]] unsigned char at(std::int64_t byte) const {
    return static_cast<unsigned char>(bytes_[static_cast<std::size_t>(byte - base_)]);
  }

  /// Bits [begin, end), shifted to begin with a byte.
  std::string slice(std::int64_t begin, std::int64_t end) {
    const auto shift = static_cast<unsigned>(begin % 8);
    const std::int64_t first = begin / 8, count = (end - begin + 7) / 8;
    std::string out(static_cast<std::size_t>(count), '\0');
    for (std::int64_t i = 0; i < count; ++i) {
      const unsigned low = have(first + i + 1, 1) ? at(first + i + 1) : 0U;
      const unsigned pair = static_cast<unsigned>(at(first + i)) << 8U | low;
      out[static_cast<std::size_t>(i)] = static_cast<char>(pair << shift >> 8U & 0xFFU);
    }
    return out;
  }

  /// Releases the bytes before: they are not needed again.
  void forget_before(std::int64_t byte) {
    const std::int64_t gone = std::min<std::int64_t>(byte - base_, std::ssize(bytes_));
    if (gone < static_cast<std::int64_t>(kReadBytes)) return;
    bytes_.erase(0, static_cast<std::size_t>(gone));
    base_ += gone;
  }
  void start_at(std::int64_t byte) {
    bytes_.clear();
    base_ = byte;
    file_.seek(byte);
  }
  [[nodiscard]] std::int64_t end_of_file() {
    while (grow()) {
    }
    return base_ + std::ssize(bytes_);
  }

 private:
  bool grow() {
    const std::size_t size = bytes_.size();
    bytes_.resize(size + kReadBytes);
    const std::size_t got = file_.read(bytes_.data() + size, kReadBytes);
    bytes_.resize(size + got);
    return got > 0;
  }
  [[nodiscard]] std::uint64_t load(std::int64_t byte) const {
    std::uint64_t word = 0;
    for (std::int64_t i = 0; i < 8; ++i) word = word << 8U | at(byte + i);
    return word;
  }
  /// The second byte of a mark, wherever in the first byte it begins, is one of sixteen.
  static bool may_hold(unsigned char second) {
    static constexpr auto kTable = [] {
      std::array<bool, 256> table{};
      for (const std::uint64_t mark : {kBlockMark, kEndMark})
        for (int shift = 0; shift < 8; ++shift) table.at(mark >> (32 + shift) & 0xFFU) = true;
      return table;
    }();
    return kTable.at(second);
  }
  std::optional<Mark> find_in_tail(std::int64_t byte, std::int64_t bit) {
    for (; have(byte, 6); ++byte) {
      std::uint64_t word = 0;
      for (std::int64_t i = 0; i < 8; ++i) word = word << 8U | (have(byte + i, 1) ? at(byte + i) : 0U);
      for (int shift = 0; shift < 8; ++shift) {
        if (shift > 0 && !have(byte, 7)) break;
        const std::uint64_t mark = word << shift >> (64 - kMarkBits);
        if ((mark == kBlockMark || mark == kEndMark) && byte * 8 + shift >= bit)
          return Mark{byte * 8 + shift, mark == kBlockMark};
      }
    }
    return std::nullopt;
  }

  FileStream& file_;
  std::string bytes_;
  std::int64_t base_ = 0;
};

void put_bits(std::string& bytes, std::int64_t& at, std::uint64_t value, int count) {
  for (int i = count - 1; i >= 0; --i, ++at) {
    if (at / 8 >= std::ssize(bytes)) bytes.push_back('\0');
    auto& byte = bytes[static_cast<std::size_t>(at / 8)];
    const unsigned mask = 0x80U >> static_cast<unsigned>(at % 8);
    const bool set = (value >> static_cast<unsigned>(i) & 1U) != 0;
    byte = static_cast<char>(set ? static_cast<unsigned char>(byte) | mask
                                 : static_cast<unsigned char>(byte) & ~mask);
  }
}

/// Decompresses a stream of one block; empty if it is corrupt.
bool unpack(std::string& packed, std::string& out) {
  bz_stream z{};
  if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK) fail("bzip2 could not start: no memory?");
  z.next_in = packed.data();
  z.avail_in = static_cast<unsigned>(packed.size());
  out.clear();
  int status = BZ_OK;
  while (status == BZ_OK && out.size() < kMaxUnpackedBytes) {
    const std::size_t size = out.size();
    out.resize(size + (1U << 20U));
    z.next_out = out.data() + size;
    z.avail_out = 1U << 20U;
    status = BZ2_bzDecompress(&z);
    const bool idle = z.avail_out == 1U << 20U;
    out.erase(out.size() - z.avail_out);
    if (status == BZ_OK && idle && z.avail_in == 0) break;  // it needs more input than there is
  }
  BZ2_bzDecompressEnd(&z);
  return status == BZ_STREAM_END;
}

class Bzip2Blocks final : public ByteStream {
 public:
  Bzip2Blocks(FileStream& file, const ReadOptions& options, const FileRange& range)
      : file_(file), options_(options), range_(range), limit_(options), bits_(file) {
    bits_.start_at(range.begin);
  }

  std::size_t read(char* to, std::size_t count) override {
    while (given_ == block_.size()) {
      if (!next_block()) return 0;
    }
    const std::size_t n = block_.copy(to, count, given_);
    given_ += n;
    total_ += static_cast<std::int64_t>(n);
    return n;
  }
  [[nodiscard]] std::int64_t boundary() const override { return boundary_; }
  [[nodiscard]] std::int64_t gaps() const override { return gaps_; }

 private:
  /// Unpacks the next intact block; false at the end.
  bool next_block() {
    if (!started_) start();
    for (;;) {
      while (mark_ && !mark_->is_block) end_stream();
      if (!mark_) return false;
      const Mark begin = *mark_;
      if (boundary_ == kNowhere && begin.bit >= end_bit()) boundary_ = total_;
      bits_.forget_before(begin.bit / 8);
      if (take_block(begin)) return true;
    }
  }
  [[nodiscard]] std::int64_t end_bit() const { return range_.end == kNowhere ? kNowhere : range_.end * 8; }

  void start() {
    started_ = true;
    if (range_.begin > 0) {
      mark_ = bits_.find(range_.begin * 8);
      return;
    }
    mark_ = bits_.mark_at(kHeaderBits);
    if (!mark_) resume_after(4, "no bzip2 data after the header");
  }

  /// After the end of a stream: nothing, zeros, or the next stream.
  void end_stream() {
    const std::int64_t next = (mark_->bit + kMarkBits + kChecksumBits + 7) / 8;
    if (!bits_.have(next, 1)) {
      mark_.reset();
      return;
    }
    if (bits_.have(next, 4) && bits_.at(next) == 'B' && bits_.at(next + 1) == 'Z' &&
        bits_.at(next + 2) == 'h') {
      mark_ = bits_.mark_at(next * 8 + kHeaderBits);
      if (mark_) return;
    }
    resume_after(next, "no bzip2 data after a stream's end");
  }

  bool take_block(const Mark& begin) {
    auto end = bits_.find(begin.bit + kMarkBits);
    for (int tries = 0; tries <= kFalseMarks && end; ++tries) {
      if (end->bit - begin.bit > static_cast<std::int64_t>(kMaxBlockBytes) * 8) break;
      if (unpack_between(begin.bit, end->bit)) {
        mark_ = end;
        given_ = 0;
        limit_.add(block_.size(), file_);
        return true;
      }
      end = bits_.find(end->bit + 1);
    }
    block_.clear();
    given_ = 0;
    if (!bits_.find(begin.bit + kMarkBits)) {
      mark_.reset();
      note(
          fmt::format("{} ends inside its bzip2 data, at byte {}: it is truncated; its last block, from byte "
                      "{}, is lost. Copy or download it again.",
                      file_.path(), bits_.end_of_file(), begin.bit / 8));
    } else {
      mark_ = bits_.find(begin.bit + kMarkBits);
      note(
          fmt::format("{} is corrupt: the bzip2 block at byte {} has a wrong checksum or code. Copy or "
                      "download it again.",
                      file_.path(), begin.bit / 8));
    }
    return false;
  }

  bool unpack_between(std::int64_t begin, std::int64_t end) {
    std::string packed = "BZh9" + bits_.slice(begin, end);
    std::uint64_t checksum = 0;
    for (std::size_t i = 0; i < 4; ++i)
      checksum = checksum << 8U | static_cast<unsigned char>(packed[4 + kMarkBits / 8 + i]);
    // A stream of one block has the block's checksum.
    std::int64_t at = kHeaderBits + (end - begin);
    put_bits(packed, at, kEndMark, kMarkBits);
    put_bits(packed, at, checksum, kChecksumBits);
    packed.append(4, '\0');
    return unpack(packed, block_);
  }

  void resume_after(std::int64_t byte, const char* what) {
    mark_ = bits_.find(byte * 8);
    note(fmt::format("{} is corrupt at byte {}: there is {}. Copy or download it again.", file_.path(), byte,
                     what));
  }

  void note(std::string sentence) {
    if (!options_.skip_damaged) throw DamagedInput(sentence);
    options_.damage->push_back(std::move(sentence));
    ++gaps_;
  }

  FileStream& file_;
  ReadOptions options_;
  FileRange range_;
  ExpansionLimit limit_;
  Bits bits_;
  bool started_ = false;
  std::optional<Mark> mark_;  // where the next block begins, or the stream ends
  std::string block_;
  std::size_t given_ = 0;
  std::int64_t total_ = 0, boundary_ = kNowhere, gaps_ = 0;
};

}  // namespace

std::unique_ptr<ByteStream> bzip2_stream(FileStream& file, const ReadOptions& options,
                                         const FileRange& range) {
  return std::make_unique<Bzip2Blocks>(file, options, range);
}

}  // namespace nystrom
