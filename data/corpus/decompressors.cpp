#include "data/corpus/decompressors.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <limits>
#include <vector>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::size_t kBlock = 1U << 18U;
constexpr std::uint64_t kXzMemory = 1U << 29U;  // bytes; what `xz -9` needs is 65 MiB

/// The input side that all formats share.
class Decompressor : public ByteStream {
 public:
  Decompressor(std::unique_ptr<ByteStream> from, const FileStream& file, const char* format)
      : from_(std::move(from)), file_(file), format_(format), input_(kBlock) {}

 protected:
  /// Reads the next block of input; false at its end.
  bool refill() {
    size_ = from_->read(input_.data(), input_.size());
    return size_ > 0;
  }
  [[noreturn]] void truncated() const {
    refuse("{} ends inside its {} data, at byte {}: it is truncated. Copy or download it again.",
           file_.path(), format_, file_.bytes_read());
  }
  [[noreturn]] void damaged(std::size_t left, const char* reason) const {
    refuse("{} is damaged near byte {}: {} reports {}. Copy or download it again.", file_.path(),
           file_.bytes_read() - static_cast<std::int64_t>(left), format_, reason);
  }

  char* input() { return input_.data(); }
  [[nodiscard]] std::size_t input_size() const { return size_; }

 private:
  std::unique_ptr<ByteStream> from_;
  const FileStream& file_;
  const char* format_;
  std::vector<char> input_;
  std::size_t size_ = 0;
};

unsigned clamp(std::size_t count) {
  return static_cast<unsigned>(std::min<std::size_t>(count, std::numeric_limits<unsigned>::max() / 2));
}

class Gzip final : public Decompressor {
 public:
  Gzip(std::unique_ptr<ByteStream> from, const FileStream& file)
      : Decompressor(std::move(from), file, "gzip") {
    if (inflateInit2(&z_, 15 + 16) != Z_OK) fail("zlib could not start: no memory?");
  }
  ~Gzip() override { inflateEnd(&z_); }

  std::size_t read(char* to, std::size_t count) override {
    z_.next_out = reinterpret_cast<Bytef*>(to);
    z_.avail_out = clamp(count);
    const auto wanted = z_.avail_out;
    while (z_.avail_out == wanted && !ended_) {
      if (z_.avail_in == 0 && !more()) {
        if (inside_) truncated();
        ended_ = true;
        break;
      }
      // After a member: another one, or padding with zeros, which gzip ignores.
      if (!inside_ && *z_.next_in == 0) {
        ++z_.next_in, --z_.avail_in;
        continue;
      }
      inside_ = true;
      const int status = inflate(&z_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        inside_ = false;
        inflateReset(&z_);
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        damaged(z_.avail_in, z_.msg != nullptr ? z_.msg : "an error");
      }
    }
    return wanted - z_.avail_out;
  }

 private:
  bool more() {
    if (!refill()) return false;
    z_.next_in = reinterpret_cast<Bytef*>(input());
    z_.avail_in = clamp(input_size());
    return true;
  }

  z_stream z_{};
  bool inside_ = true, ended_ = false;
};

class Bzip2 final : public Decompressor {
 public:
  Bzip2(std::unique_ptr<ByteStream> from, const FileStream& file)
      : Decompressor(std::move(from), file, "bzip2") {
    start();
  }
  ~Bzip2() override { BZ2_bzDecompressEnd(&bz_); }

  std::size_t read(char* to, std::size_t count) override {
    bz_.next_out = to;
    bz_.avail_out = clamp(count);
    const auto wanted = bz_.avail_out;
    while (bz_.avail_out == wanted && !ended_) {
      if (bz_.avail_in == 0 && !more()) {
        if (inside_) truncated();
        ended_ = true;
        break;
      }
      inside_ = true;
      const int status = BZ2_bzDecompress(&bz_);
      if (status == BZ_STREAM_END) {
        restart();
      } else if (status != BZ_OK) {
        damaged(bz_.avail_in, status == BZ_DATA_ERROR  ? "a wrong checksum or code"
                              : status == BZ_MEM_ERROR ? "no memory"
                                                       : "no bzip2 data");
      }
    }
    return wanted - bz_.avail_out;
  }

 private:
  void start() {
    if (BZ2_bzDecompressInit(&bz_, 0, 0) != BZ_OK) fail("bzip2 could not start: no memory?");
  }
  void restart() {
    const auto next = bz_.next_in;
    const auto available = bz_.avail_in;
    BZ2_bzDecompressEnd(&bz_);
    const auto out = bz_.next_out;
    const auto out_left = bz_.avail_out;
    bz_ = {};
    start();
    bz_.next_in = next, bz_.avail_in = available, bz_.next_out = out, bz_.avail_out = out_left;
    inside_ = false;
  }
  bool more() {
    if (!refill()) return false;
    bz_.next_in = input();
    bz_.avail_in = clamp(input_size());
    return true;
  }

  bz_stream bz_{};
  bool inside_ = true, ended_ = false;
};

class Xz final : public Decompressor {
 public:
  Xz(std::unique_ptr<ByteStream> from, const FileStream& file) : Decompressor(std::move(from), file, "xz") {
    if (lzma_stream_decoder(&xz_, kXzMemory, LZMA_CONCATENATED) != LZMA_OK)
      fail("xz could not start: no memory?");
  }
  ~Xz() override { lzma_end(&xz_); }

  std::size_t read(char* to, std::size_t count) override {
    xz_.next_out = reinterpret_cast<std::uint8_t*>(to);
    xz_.avail_out = count;
    while (xz_.avail_out == count && !ended_) {
      if (xz_.avail_in == 0 && !last_) {
        last_ = !refill();
        xz_.next_in = reinterpret_cast<const std::uint8_t*>(input());
        xz_.avail_in = last_ ? 0 : input_size();
      }
      const auto status = lzma_code(&xz_, last_ ? LZMA_FINISH : LZMA_RUN);
      if (status == LZMA_STREAM_END)
        ended_ = true;
      else if (status == LZMA_BUF_ERROR)
        truncated();
      else if (status != LZMA_OK)
        damaged(xz_.avail_in,
                status == LZMA_MEMLIMIT_ERROR ? "a dictionary above 512 MiB" : "a wrong checksum or code");
    }
    return count - xz_.avail_out;
  }

 private:
  lzma_stream xz_ = LZMA_STREAM_INIT;
  bool last_ = false, ended_ = false;
};

class Zstd final : public Decompressor {
 public:
  Zstd(std::unique_ptr<ByteStream> from, const FileStream& file)
      : Decompressor(std::move(from), file, "Zstandard"), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
    if (!context_) fail("Zstandard could not start: no memory?");
    // Frames made by `zstd --long=31` are allowed up to 512 MiB of history.
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, 29);
  }

  std::size_t read(char* to, std::size_t count) override {
    ZSTD_outBuffer out{to, count, 0};
    while (out.pos == 0 && !ended_) {
      // Full output may leave more inside the decoder: only an idle one needs input.
      if (in_.pos == in_.size && !full_) {
        if (!refill()) {
          if (inside_) truncated();
          ended_ = true;
          break;
        }
        in_ = {input(), input_size(), 0};
      }
      const std::size_t status = ZSTD_decompressStream(context_.get(), &out, &in_);
      if (ZSTD_isError(status) != 0) damaged(in_.size - in_.pos, ZSTD_getErrorName(status));
      inside_ = status != 0;
      full_ = out.pos == out.size && inside_;
    }
    return out.pos;
  }

 private:
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool inside_ = true, full_ = false, ended_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> gzip_stream(std::unique_ptr<ByteStream> from, const FileStream& file) {
  return std::make_unique<Gzip>(std::move(from), file);
}
std::unique_ptr<ByteStream> bzip2_stream(std::unique_ptr<ByteStream> from, const FileStream& file) {
  return std::make_unique<Bzip2>(std::move(from), file);
}
std::unique_ptr<ByteStream> xz_stream(std::unique_ptr<ByteStream> from, const FileStream& file) {
  return std::make_unique<Xz>(std::move(from), file);
}
std::unique_ptr<ByteStream> zstd_stream(std::unique_ptr<ByteStream> from, const FileStream& file) {
  return std::make_unique<Zstd>(std::move(from), file);
}

}  // namespace nystrom
