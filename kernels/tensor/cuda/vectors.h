#pragma once
// Eight values a thread: 16 bytes of bf16, twice 16 of fp32, and one Philox draw for their dropout. Kernels
// are compiled twice: for rows of whole, aligned eights, and (`kRagged`) for any other rows.

#include <bit>
#include <cstdint>

#include "kernels/core/philox.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/dropout.h"
#include "kernels/tensor/dtype.h"

namespace nystrom::cuda {

inline constexpr int kEight = 8;

struct Vec8 {
  float v[kEight];
};

/// Whether rows of `columns` values from `address` on are whole eights that 16-byte accesses reach.
template <class T>
bool whole_eights(const T* address, std::int64_t columns) {
  return columns % kEight == 0 && reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
}

__device__ inline float as_float(float x) {
  return x;
}
__device__ inline float as_float(BF16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16U);
}

/// Two floats rounded to bf16 (nearest, ties to even), the first in the low half.
__device__ inline std::uint32_t pack_bf16(float low, float high) {
#ifdef NYSTROM_EMULATION
  return static_cast<std::uint32_t>(BF16(low).bits) | static_cast<std::uint32_t>(BF16(high).bits) << 16U;
#else
  std::uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#endif
}

/// x after a round trip through T.
template <class T>
__device__ float rounded(float x) {
  if constexpr (std::is_same_v<T, float>)
    return x;
  else
    return std::bit_cast<float>(pack_bf16(0.0F, x) & 0xffff0000U);
}

/// Values [0, count) of p; the others are 0. Not ragged: all eight, p on a 16-byte boundary.
template <bool kRagged>
__device__ inline Vec8 load8(const float* p, int count) {
  Vec8 x;
  if constexpr (kRagged) {
#pragma unroll
    for (int i = 0; i < kEight; ++i) x.v[i] = i < count ? p[i] : 0.0F;
  } else {
    const float4 a = reinterpret_cast<const float4*>(p)[0], b = reinterpret_cast<const float4*>(p)[1];
    x = {{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
  }
  return x;
}

template <bool kRagged>
__device__ inline Vec8 load8(const BF16* p, int count) {
  Vec8 x;
  if constexpr (kRagged) {
#pragma unroll
    for (int i = 0; i < kEight; ++i) x.v[i] = i < count ? as_float(p[i]) : 0.0F;
  } else {
    const uint4 packed = *reinterpret_cast<const uint4*>(p);
    const std::uint32_t words[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      x.v[2 * w] = std::bit_cast<float>(words[w] << 16U);
      x.v[2 * w + 1] = std::bit_cast<float>(words[w] & 0xffff0000U);
    }
  }
  return x;
}

/// Writes values [0, count), rounded to the type of p.
template <bool kRagged>
__device__ inline void store8(float* p, const Vec8& x, int count) {
  if constexpr (kRagged) {
#pragma unroll
    for (int i = 0; i < kEight; ++i)
      if (i < count) p[i] = x.v[i];
  } else {
    reinterpret_cast<float4*>(p)[0] = make_float4(x.v[0], x.v[1], x.v[2], x.v[3]);
    reinterpret_cast<float4*>(p)[1] = make_float4(x.v[4], x.v[5], x.v[6], x.v[7]);
  }
}

template <bool kRagged>
__device__ inline void store8(BF16* p, const Vec8& x, int count) {
  std::uint32_t words[4];
#pragma unroll
  for (int w = 0; w < 4; ++w) words[w] = pack_bf16(x.v[2 * w], x.v[2 * w + 1]);
  if constexpr (kRagged) {
#pragma unroll
    for (int i = 0; i < kEight; ++i)
      if (i < count) p[i].bits = static_cast<std::uint16_t>(words[i / 2] >> (i % 2 == 0 ? 0U : 16U));
  } else {
    *reinterpret_cast<uint4*>(p) = make_uint4(words[0], words[1], words[2], words[3]);
  }
}

// ---- dropout ---------------------------------------------------------------------------------------------

/// dropout.h's Dropout with its keys, as a kernel takes it.
struct Drop {
  std::uint64_t seed = 0;
  std::uint32_t site = 0;
  std::uint32_t threshold = 0;  ///< 0: not active
  float scale = 1;
  const std::int64_t* samples = nullptr;
  const std::int32_t* positions = nullptr;

  Drop() = default;
  Drop(const Dropout& dropout, const RowKeys& keys)
      : seed(dropout.seed),
        site(dropout.site),
        threshold(dropout.threshold()),
        scale(static_cast<float>(dropout.scale())),
        samples(dropout.active() ? keys.samples.data<std::int64_t>() : nullptr),
        positions(dropout.active() ? keys.positions.data<std::int32_t>() : nullptr) {}
};

/// Bit h: whether half-word h of the block of draws is kept.
__device__ inline std::uint32_t kept_of_block(const Drop& drop, std::uint64_t sample, std::uint64_t block) {
  const PhiloxCounter words = draw(drop.seed, Purpose::kDropout, drop.site, sample, block);
  std::uint32_t kept = 0;
#pragma unroll
  for (std::uint32_t h = 0; h < 8; ++h) {
    const std::uint32_t bits = (words[h / 2] >> (16 * (h % 2))) & 0xffffU;
    kept |= (bits >= drop.threshold ? 1U : 0U) << h;
  }
  return kept;
}

/// Bit i: whether element (row, column + i) of a [N, columns] tensor is kept, i < 8.
__device__ inline std::uint32_t kept8(const Drop& drop, std::int64_t row, std::int64_t column,
                                      std::int64_t columns) {
  const auto sample = static_cast<std::uint64_t>(drop.samples[row]);
  const auto first = static_cast<std::uint64_t>(drop.positions[row] * columns + column);
  const std::uint32_t shift = first % 8;
  const std::uint32_t kept = kept_of_block(drop, sample, first / 8);
  if (shift == 0) return kept;
  return (kept | kept_of_block(drop, sample, first / 8 + 1) << 8U) >> shift;
}

/// What the mask keeps of x, elements (row, column + i) of a [N, columns] tensor, scaled; 0 for the others.
/// Not ragged: one block of draws has all eight.
template <bool kRagged>
__device__ inline void drop8(const Drop& drop, std::int64_t row, std::int64_t column, std::int64_t columns,
                             Vec8& x) {
  if constexpr (kRagged) {
    const std::uint32_t kept = kept8(drop, row, column, columns);
#pragma unroll
    for (int i = 0; i < kEight; ++i)
      x.v[i] = (kept >> static_cast<std::uint32_t>(i) & 1U) != 0 ? x.v[i] * drop.scale : 0.0F;
  } else {
    const auto first = static_cast<std::uint64_t>(drop.positions[row] * columns + column);
    const PhiloxCounter words = draw(drop.seed, Purpose::kDropout, drop.site,
                                     static_cast<std::uint64_t>(drop.samples[row]), first / 8);
    const std::uint32_t threshold = drop.threshold << 16U;  // of a word's upper half, whatever its lower one
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      const std::uint32_t bits = i % 2 == 0 ? words[i / 2] << 16U : words[i / 2];
      x.v[i] = bits >= threshold ? x.v[i] * drop.scale : 0.0F;
    }
  }
}

}  // namespace nystrom::cuda
