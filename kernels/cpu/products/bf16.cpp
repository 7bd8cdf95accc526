#include "kernels/cpu/products/bf16.h"

#include <array>
#include <cstring>
#include <utility>

#include "kernels/cpu/products/bf16_vectors.h"
#include "kernels/cpu/products/fp32.h"
#include "kernels/cpu/products/units.h"

namespace nystrom {
namespace {

constexpr int kRows = 14;  // sums of 14 x 2 vectors, 2 vectors of b and one of a fill 32 registers nearly
constexpr std::int64_t kColumns = 2 * kLanes;

// ---- packing ---------------------------------------------------------------------------------------------

/// Lanes whose numbers are next to each other, but cannot be read as words.
void pack_pairs(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to,
                std::int64_t pitch) {
  const std::int64_t words = (count + 1) / 2, all = (lanes + pitch - 1) / pitch * pitch;
  for (std::int64_t lane = 0; lane < all; ++lane) {
    std::byte* word = to + (lane / pitch * pitch * words + lane % pitch) * kWord;
    const std::byte* source = from.data + lane * from.lane;
    for (std::int64_t p = 0; p < count; p += 2, source += kWord, word += pitch * kWord) {
      std::memset(word, 0, kWord);
      if (lane < lanes) std::memcpy(word, source, p + 1 < count ? kWord : kWord / 2);
    }
  }
}

/// What is read and written of one panel, at most 32 lanes.
struct PanelMasks {
  __mmask32 lanes;
  __mmask16 left, right;

  PanelMasks(std::int64_t count, std::int64_t pitch)
      : lanes(first_lanes(count)),
        left(static_cast<__mmask16>(first_lanes(std::min(pitch, kLanes)))),
        right(static_cast<__mmask16>(first_lanes(pitch - kLanes))) {}
};

/// Pairs of the numbers of two rows.
NYSTROM_AVX512_BF16 inline void pair_rows(__m512i even, __m512i odd, const PanelMasks& masks, std::byte* to) {
  // Number i of the first row, then of the second.
  alignas(64) static constexpr auto kOrder = [] {
    std::array<std::uint16_t, 64> order{};
    for (std::uint16_t i = 0; i < 64; ++i)
      order[i] = static_cast<std::uint16_t>(i / 2 + (i % 2 == 0 ? 0 : 32));
    return order;
  }();
  const __m512i left = _mm512_load_si512(kOrder.data()), right = _mm512_load_si512(kOrder.data() + 32);
  _mm512_mask_storeu_epi32(to, masks.left, _mm512_permutex2var_epi16(even, left, odd));
  if (masks.right != 0)
    _mm512_mask_storeu_epi32(to + kLanes * kWord, masks.right, _mm512_permutex2var_epi16(even, right, odd));
}

/// Lanes that are next to each other: panels of `pitch` lanes at once, as memory is read by lines and pages.
NYSTROM_AVX512_BF16 void pack_columns(const Lanes& from, std::int64_t lanes, std::int64_t count,
                                      std::byte* to, std::int64_t pitch) {
  constexpr std::int64_t kAhead = 16;
  const std::int64_t words = (count + 1) / 2, whole = lanes - lanes % pitch;
  const PanelMasks full(pitch, pitch), last(lanes % pitch, pitch);
  const std::byte* row = from.data;
  for (std::int64_t p = 0; p < count; p += 2, row += 2 * from.step, to += pitch * kWord) {
    if (p + kAhead + 1 < count)
      for (std::int64_t byte = 0; byte < 2 * lanes; byte += 64) {
        __builtin_prefetch(row + kAhead * from.step + byte);
        __builtin_prefetch(row + (kAhead + 1) * from.step + byte);
      }
    const bool paired = p + 1 < count;
    const auto panel = [&](std::int64_t lane, const PanelMasks& masks) NYSTROM_AVX512_BF16 {
      const __mmask32 odd = paired ? masks.lanes : 0;
      pair_rows(_mm512_maskz_loadu_epi16(masks.lanes, row + 2 * lane),
                _mm512_maskz_loadu_epi16(odd, row + from.step + 2 * lane), masks, to + lane * words * kWord);
    };
    std::int64_t lane = 0;
    for (; lane < whole; lane += pitch) panel(lane, full);
    if (lane < lanes) panel(lane, last);
  }
}

// ---- tiles -----------------------------------------------------------------------------------------------

template <bool Rounded, int Rows>
NYSTROM_AVX512_BF16 void tile(const ProductTile& t, __mmask16 left_mask, __mmask16 right_mask) {
  constexpr std::int64_t kSize = Rounded ? 2 : 4;
  __m512 left[Rows], right[Rows];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    __builtin_prefetch(t.c + i * t.c_row * kSize, 1);
    __builtin_prefetch(t.c + (i * t.c_row + kLanes) * kSize, 1);
    left[i] = right[i] = _mm512_setzero_ps();
  }
  const std::byte* a = t.a;
  const std::byte* b = t.b;
  const std::byte* ahead = t.ahead;
  for (std::int64_t p = 0; p < t.words; ++p, a += Rows * kWord, b += kColumns * kWord, ahead += t.step) {
    __builtin_prefetch(ahead, 0, 2);
    const auto b0 = reinterpret_cast<__m512bh>(_mm512_load_si512(b));
    const auto b1 = reinterpret_cast<__m512bh>(_mm512_load_si512(b + kLanes * kWord));
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      std::int32_t pair = 0;
      std::memcpy(&pair, a + i * kWord, kWord);
      const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
      left[i] = _mm512_dpbf16_ps(left[i], factor, b0);
      right[i] = _mm512_dpbf16_ps(right[i], factor, b1);
    }
  }
  const float* right_bias = t.bias == nullptr ? nullptr : t.bias + kLanes;
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    std::byte* c = t.c + i * t.c_row * kSize;
    finish<Rounded>(left[i], t, c, t.bias, left_mask);
    finish<Rounded>(right[i], t, c + kLanes * kSize, right_bias, right_mask);
  }
}

using TileFunction = void (*)(const ProductTile&, __mmask16, __mmask16);

template <bool Rounded, std::size_t... Rows>
constexpr std::array<TileFunction, sizeof...(Rows)> tile_functions(std::index_sequence<Rows...>) {
  return {&tile<Rounded, static_cast<int>(Rows) + 1>...};
}

template <bool Rounded>
void any_tile(const ProductTile& t, std::int64_t rows, std::int64_t columns) {
  static constexpr auto kFunctions = tile_functions<Rounded>(std::make_index_sequence<kRows>());
  const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << columns) - 1);
  kFunctions[static_cast<std::size_t>(rows - 1)](t, static_cast<__mmask16>(mask),
                                                 static_cast<__mmask16>(mask >> 16U));
}

template <bool Rounded>
constexpr ProductKernels kKernels{.number = 2,
                                  .result = Rounded ? 2 : 4,
                                  .tile_rows = kRows,
                                  .tile_columns = kColumns,
                                  .block = 384,
                                  .multiple = 1,
                                  .pack_a = &pack_bf16,
                                  .pack_b = &pack_bf16,
                                  .multiply = &any_tile<Rounded>};

}  // namespace

void pack_bf16(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to, std::int64_t pitch) {
  if (from.step != 2) return pack_columns(from, lanes, count, to, pitch);
  if (from.lane % kWord != 0 || count % 2 != 0) return pack_pairs(from, lanes, count, to, pitch);
  pack_words({.data = from.data, .lane = from.lane, .step = kWord}, lanes, count / 2, to, pitch);
}

void product_bf16(Context& context, const Product& product, bool rounded) {
  multiply(context, product, rounded ? kKernels<true> : kKernels<false>);
}

NYSTROM_AVX512_BF16 double multiply_bf16(std::int64_t rounds) {
  constexpr int kChains = 12;
  const __m512i ones = _mm512_set1_epi32(0x3f803f80);
  __m512 sums[kChains];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int chain = 0; chain < kChains; ++chain)
      sums[chain] =
          _mm512_dpbf16_ps(sums[chain], reinterpret_cast<__m512bh>(ones), reinterpret_cast<__m512bh>(ones));
  }
  __m512 total = sums[0];
  for (int chain = 1; chain < kChains; ++chain) total = _mm512_add_ps(total, sums[chain]);
  [[maybe_unused]] const volatile float kept = _mm512_cvtss_f32(total);
  return static_cast<double>(rounds) * kChains * 4 * static_cast<double>(kLanes);
}

}  // namespace nystrom
