// A tile register holds 16 rows of 64 bytes: 16 x 16 sums in fp32, 16 rows of a by 32 numbers of k, or 16
// pairs of k by 16 columns of b (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1,
// chapter 18). Four registers hold the sums of 32 x 32, two a and two b, so four loads feed four products. A
// block of k is as long as lets a panel of a stay in the first cache while panels of b come from the second.

#include "kernels/cpu/products/amx.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "kernels/cpu/products/bf16_vectors.h"
#include "kernels/cpu/products/units.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/cpu_features.h"

#define NYSTROM_AMX __attribute__((target("amx-tile,amx-bf16")))

namespace nystrom {
namespace {

constexpr std::int64_t kSide = 16,
                       kTile = 2 * kSide;          // words; rows and columns of the sums in four registers
constexpr std::int64_t kRowBytes = kSide * kWord;  // of a register

// ---- packing ---------------------------------------------------------------------------------------------

constexpr std::int64_t whole(std::int64_t words) {
  return (words + kSide - 1) / kSide * kSide;
}

/// [words][32] for each panel, filled up to 16 words.
void pack_b(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to, std::int64_t pitch) {
  const std::int64_t words = (count + 1) / 2, rest = whole(words) - words;
  for (std::int64_t lane = 0; lane < lanes; lane += pitch, to += whole(words) * pitch * kWord) {
    pack_bf16(from.from(lane, 0), std::min(pitch, lanes - lane), count, to, pitch);
    std::memset(to + words * pitch * kWord, 0, static_cast<std::size_t>(rest * pitch * kWord));
  }
}

/// Words of 16 x 16: lanes that are columns become rows. `to` has rows of 16 words.
NYSTROM_AVX512_BF16 void transpose(const std::byte* from, std::int64_t from_row, std::byte* to) {
  __m512i r[kSide], s[kSide];
  for (std::int64_t i = 0; i < kSide; ++i) r[i] = _mm512_loadu_si512(from + i * from_row);
  for (int i = 0; i < 16; i += 2) {  // pairs of words
    s[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    s[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {  // 4 x 4 words in each 128 bits
    r[i] = _mm512_unpacklo_epi64(s[i], s[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(s[i], s[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(s[i + 1], s[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(s[i + 1], s[i + 3]);
  }
  for (int i = 0; i < 4;
       ++i) {  // r[4 b + i]: rows i, 4 + i, 8 + i, 12 + i of the result, words 4 b to 4 b + 3
    s[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
    s[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
    s[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
    s[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    _mm512_storeu_si512(to + i * kRowBytes, _mm512_shuffle_i32x4(s[i], s[8 + i], 0x88));
    _mm512_storeu_si512(to + (8 + i) * kRowBytes, _mm512_shuffle_i32x4(s[i], s[8 + i], 0xdd));
    _mm512_storeu_si512(to + (4 + i) * kRowBytes, _mm512_shuffle_i32x4(s[4 + i], s[12 + i], 0x88));
    _mm512_storeu_si512(to + (12 + i) * kRowBytes, _mm512_shuffle_i32x4(s[4 + i], s[12 + i], 0xdd));
  }
}

/// One panel: [words / 16][32][16], rows of registers; lanes that are not there become zeros.
NYSTROM_AVX512_BF16 void pack_a(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to,
                                std::int64_t /*pitch*/) {
  constexpr std::int64_t kNumbers = 2 * kSide;
  for (std::int64_t p = 0; p < count; p += kNumbers, to += kTile * kRowBytes) {
    const std::int64_t some = std::min(kNumbers, count - p);
    if (from.step == 2) {
      const __mmask32 mask = first_lanes(some);
      for (std::int64_t lane = 0; lane < lanes; ++lane)
        _mm512_storeu_si512(to + lane * kRowBytes,
                            _mm512_maskz_loadu_epi16(mask, from.data + lane * from.lane + 2 * p));
      std::memset(to + lanes * kRowBytes, 0, static_cast<std::size_t>((kTile - lanes) * kRowBytes));
    } else {
      alignas(64) std::byte pairs[kSide * kTile * kWord];
      pack_b(from.from(0, p), lanes, some, pairs, kTile);
      transpose(pairs, kTile * kWord, to);
      transpose(pairs + kRowBytes, kTile * kWord, to + kSide * kRowBytes);
    }
  }
}

// ---- tiles -----------------------------------------------------------------------------------------------

/// The registers: 0 to 3 are sums, 4 and 5 rows of a, 6 and 7 columns of b. (Their numbers are parts of the
/// instructions.)
class Registers {
 public:
  NYSTROM_AMX void clear() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  NYSTROM_AMX void load_a(const std::byte* a) {
    _tile_loadd(4, a, kRowBytes);
    _tile_loadd(5, a + kSide * kRowBytes, kRowBytes);
  }
  NYSTROM_AMX void load_b(const std::byte* b) {
    _tile_loadd(6, b, kTile * kWord);
    _tile_loadd(7, b + kRowBytes, kTile * kWord);
  }
  NYSTROM_AMX void multiply() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  /// The sums, [32][32].
  NYSTROM_AMX void store(float* sums) {
    _tile_stored(0, sums, kTile * kWord);
    _tile_stored(1, sums + kSide, kTile * kWord);
    _tile_stored(2, sums + kSide * kTile, kTile * kWord);
    _tile_stored(3, sums + kSide * kTile + kSide, kTile * kWord);
  }
  NYSTROM_AMX static void begin() {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } const shapes;
    _tile_loadconfig(&shapes);
  }
  NYSTROM_AMX static void end() { _tile_release(); }
};

/// The same in memory. Without AMX the order of two sums of a pair may differ.
class EmulatedRegisters {
 public:
  void clear() { sums_ = {}; }
  void load_a(const std::byte* a) { a_ = a; }
  void load_b(const std::byte* b) { b_ = b; }
  void multiply() {
    for (std::size_t i = 0; i < kTile; ++i)
      for (std::size_t p = 0; p < kSide; ++p)
        for (std::size_t j = 0; j < kTile; ++j)
          for (std::size_t half = 0; half < 2; ++half)
            sums_[i * kTile + j] +=
                number(a_, 2 * (i * kSide + p) + half) * number(b_, 2 * (p * kTile + j) + half);
  }
  void store(float* sums) { std::memcpy(sums, sums_.data(), sizeof(sums_)); }
  static void begin() {}
  static void end() {}

 private:
  static float number(const std::byte* from, std::size_t index) {
    BF16 out;
    std::memcpy(&out, from + 2 * index, 2);
    return static_cast<float>(out);
  }
  std::array<float, kTile * kTile> sums_;
  const std::byte* a_ = nullptr;
  const std::byte* b_ = nullptr;
};

template <bool Rounded>
NYSTROM_AVX512_BF16 void finish_all(const float* sums, const ProductTile& t, std::int64_t rows,
                                    std::int64_t columns) {
  constexpr std::int64_t kSize = Rounded ? 2 : 4;
  const __mmask32 mask = first_lanes(columns);
  const float* right_bias = t.bias == nullptr ? nullptr : t.bias + kLanes;
  for (std::int64_t i = 0; i < rows; ++i, sums += kTile) {
    std::byte* c = t.c + i * t.c_row * kSize;
    finish<Rounded>(_mm512_load_ps(sums), t, c, t.bias, static_cast<__mmask16>(mask));
    finish<Rounded>(_mm512_load_ps(sums + kLanes), t, c + kLanes * kSize, right_bias,
                    static_cast<__mmask16>(mask >> 16U));
  }
}

template <class Tiles, bool Rounded>
NYSTROM_AMX void multiply_tile(const ProductTile& t, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; ++i) __builtin_prefetch(t.c + i * t.c_row * (Rounded ? 2 : 4), 1);
  Tiles tiles;
  tiles.clear();
  const std::byte* ahead = t.ahead;
  for (std::int64_t p = 0; p < t.words; p += kSide, ahead += kSide * t.step) {
    for (std::int64_t byte = 0; byte < kSide * t.step; byte += 64) __builtin_prefetch(ahead + byte, 0, 2);
    tiles.load_a(t.a + p * kTile * kWord);
    tiles.load_b(t.b + p * kTile * kWord);
    tiles.multiply();
  }
  alignas(64) float sums[kTile * kTile];
  tiles.store(sums);
  finish_all<Rounded>(sums, t, rows, columns);
}

template <class Tiles, bool Rounded>
constexpr ProductKernels kKernels{.number = 2,
                                  .result = Rounded ? 2 : 4,
                                  .tile_rows = kTile,
                                  .tile_columns = kTile,
                                  .block = 256,
                                  .multiple = kSide,
                                  .pack_a = &pack_a,
                                  .pack_b = &pack_b,
                                  .multiply = &multiply_tile<Tiles, Rounded>,
                                  .begin = &Tiles::begin,
                                  .end = &Tiles::end};

template <class Tiles>
void product(Context& context, const Product& args, bool rounded) {
  multiply(context, args, rounded ? kKernels<Tiles, true> : kKernels<Tiles, false>);
}

/// The kernel saves tiles only for processes that ask (Linux, Documentation/arch/x86/xstate.rst).
bool permitted() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

/// Small integers, whose products and sums are exact: [33, 70] [70, 35].
bool multiplies_integers() {
  constexpr std::int64_t kM = 33, kN = 35, kK = 70;
  const OwnedTensor a(DType::kBF16, {kM, kK}), b(DType::kBF16, {kK, kN}), c(DType::kF32, {kM, kN});
  const auto small = [](std::int64_t i) { return static_cast<float>(i * 7 % 11 - 5); };
  for (std::int64_t i = 0; i < kM * kK; ++i) a.view().data<BF16>()[i] = BF16(small(i));
  for (std::int64_t i = 0; i < kK * kN; ++i) b.view().data<BF16>()[i] = BF16(small(i));
  Context context(1);
  product<Registers>(context,
                     {.m = kM,
                      .n = kN,
                      .k = kK,
                      .a = {static_cast<const std::byte*>(a.view().address), 2 * kK, 2},
                      .b = {static_cast<const std::byte*>(b.view().address), 2, 2 * kN},
                      .c = static_cast<std::byte*>(c.view().address),
                      .c_row = kN},
                     false);
  for (std::int64_t i = 0; i < kM; ++i)
    for (std::int64_t j = 0; j < kN; ++j) {
      float sum = 0;
      for (std::int64_t p = 0; p < kK; ++p) sum += small(i * kK + p) * small(p * kN + j);
      if (c.view().data<float>()[i * kN + j] != sum) return false;
    }
  return true;
}

}  // namespace

void product_amx(Context& context, const Product& args, bool rounded) {
  product<Registers>(context, args, rounded);
}

void product_amx_emulated(Context& context, const Product& args, bool rounded) {
  product<EmulatedRegisters>(context, args, rounded);
}

NYSTROM_AMX double multiply_tiles(std::int64_t rounds) {
  Registers::begin();
  Registers registers;
  registers.clear();
  alignas(64) const std::byte zeros[kTile * kTile * kWord] = {};
  registers.load_a(zeros);
  registers.load_b(zeros);
  for (std::int64_t i = 0; i < rounds; ++i) registers.multiply();
  Registers::end();
  return static_cast<double>(rounds) * 2 * kTile * kTile * 2 * kSide;
}

bool amx_is_usable() {
  static const bool usable = [] {
    const CpuFeatures features = CpuFeatures::detect();
    return features.amx_bf16 && features.avx512_bf16 && permitted() && multiplies_integers();
  }();
  return usable;
}

}  // namespace nystrom
