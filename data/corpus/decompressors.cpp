#include "data/corpus/decompressors.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::size_t kBlock = 1U << 18U;
constexpr std::int64_t kAlwaysAllowed = std::int64_t{64} << 20U;  // bytes that no limit forbids
constexpr std::uint64_t kXzMemory = 1U << 29U;                    // bytes; what `xz -9` needs is 65 MiB

/// The input side that all formats share.
class Decompressor : public ByteStream {
 public:
  Decompressor(FileStream& file, const ReadOptions& options, const char* format)
      : file_(file), limit_(options), format_(format), input_(kBlock) {
    file_.seek(0);
  }

  std::size_t read(char* to, std::size_t count) final {
    const std::size_t got = unpack(to, count);
    limit_.add(got, file_);
    return got;
  }

 protected:
  virtual std::size_t unpack(char* to, std::size_t count) = 0;

  /// Reads the next block of input; false at its end.
  bool refill() {
    size_ = file_.read(input_.data(), input_.size());
    return size_ > 0;
  }
  [[noreturn]] void truncated() const {
    throw DamagedInput(
        fmt::format("{} ends inside its {} data, at byte {}: it is truncated. Copy or download it again.",
                    file_.path(), format_, file_.bytes_read()));
  }
  [[noreturn]] void damaged(std::size_t left, const char* reason) const {
    throw DamagedInput(fmt::format("{} is corrupt near byte {}: {} reports {}. Copy or download it again.",
                                   file_.path(), file_.bytes_read() - static_cast<std::int64_t>(left),
                                   format_, reason));
  }

  char* input() { return input_.data(); }
  [[nodiscard]] std::size_t input_size() const { return size_; }

 private:
  FileStream& file_;
  ExpansionLimit limit_;
  const char* format_;
  std::vector<char> input_;
  std::size_t size_ = 0;
};

unsigned clamp(std::size_t count) {
  return static_cast<unsigned>(std::min<std::size_t>(count, std::numeric_limits<unsigned>::max() / 2));
}

class Gzip final : public Decompressor {
 public:
  Gzip(FileStream& file, const ReadOptions& options) : Decompressor(file, options, "gzip") {
    if (inflateInit2(&z_, 15 + 16) != Z_OK) fail("zlib could not start: no memory?");
  }
  ~Gzip() override { inflateEnd(&z_); }

  std::size_t unpack(char* to, std::size_t count) override {
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

class Xz final : public Decompressor {
 public:
  Xz(FileStream& file, const ReadOptions& options) : Decompressor(file, options, "xz") {
    if (lzma_stream_decoder(&xz_, kXzMemory, LZMA_CONCATENATED) != LZMA_OK)
      fail("xz could not start: no memory?");
  }
  ~Xz() override { lzma_end(&xz_); }

  std::size_t unpack(char* to, std::size_t count) override {
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
  Zstd(FileStream& file, const ReadOptions& options)
      : Decompressor(file, options, "Zstandard"), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
    if (!context_) fail("Zstandard could not start: no memory?");
    // Frames made by `zstd --long=31` are allowed up to 512 MiB of history.
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, 29);
  }

  std::size_t unpack(char* to, std::size_t count) override {
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

bool is_packed(std::string_view head) {
  return head.starts_with("BZh") || head.starts_with("\x1F\x8B") ||
         head.starts_with(
             "\xFD"
             "7zXZ") ||
         head.starts_with("\x28\xB5\x2F\xFD");
}

std::string_view without_packed_ending(std::string_view name) {
  for (const std::string_view ending : {".gz", ".bz2", ".xz", ".zst"})
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  return name;
}

void ExpansionLimit::add(std::size_t count, const FileStream& file) {
  out_ += static_cast<std::int64_t>(count);
  if (out_ < kAlwaysAllowed || limit_ <= 0) return;
  if (static_cast<double>(out_) > limit_ * static_cast<double>(std::max<std::int64_t>(file.bytes_read(), 1)))
    refuse(
        "{} unpacks to more than {} times its size: {} bytes out of the first {}. If that is right, raise "
        "`cleaning.expansion_limit`.",
        file.path(), limit_, out_, file.bytes_read());
}

std::unique_ptr<ByteStream> gzip_stream(FileStream& file, const ReadOptions& options) {
  return std::make_unique<Gzip>(file, options);
}
std::unique_ptr<ByteStream> xz_stream(FileStream& file, const ReadOptions& options) {
  return std::make_unique<Xz>(file, options);
}
std::unique_ptr<ByteStream> zstd_stream(FileStream& file, const ReadOptions& options) {
  return std::make_unique<Zstd>(file, options);
}

}  // namespace nystrom
