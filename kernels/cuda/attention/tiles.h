#pragma once
// Tiles in shared memory and the products of one warp on them, for the CUDA files of attention. A block has
// four warps; a warp owns 16 rows of a result [64, N], kept in registers as `Sums<N>` in the layout of
// kernels/tensor/cuda/mma.h: of rows g and g + 8 (g = lane / 4) the columns 8 j + 2 t and 8 j + 2 t + 1
// (t = lane % 4).
//
// With activations in bf16 the products run on tensor cores. What is an activation is bf16 exactly, and has
// one part; what is derived (landmarks, softmaxes, W, their gradients) is split in two bf16 parts, x = hi +
// lo with an error of 2^-17, and products are summed over hi hi + hi lo + lo hi, so that they see what fp32
// products would see but for 2^-16. With activations in fp32 the same code runs on plain fp32 multiply-adds.

#include "kernels/tensor/cuda/async_copy.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/mma.h"
#include "kernels/tensor/cuda/wgmma.h"

namespace nystrom::cuda {

inline constexpr int kBlockRows = 64;  ///< rows of a tile
inline constexpr int kAttentionWarps = 4;
inline constexpr int kAttentionThreads = kWarp * kAttentionWarps;

/// Parts of a derived operand beside activations of type T.
template <class T>
inline constexpr int kDerivedParts = std::is_same_v<T, BF16> ? 2 : 1;

/// `to` and `from` at 16 bytes.
__device__ inline void copy_16_bytes(void* to, const void* from) {
  *static_cast<uint4*>(to) = *static_cast<const uint4*>(from);
}

/// A matrix in shared memory as a factor; further parts lie `part` elements behind.
template <class E, int kParts>
struct Operand {
  const E* data;
  int stride;
  int part;
};

enum class Layout {
  kPadded,   ///< rows are 16 bytes apart from a multiple of 128 bytes, so that eight rows meet all banks
  kSwizzled  ///< as wgmma.h wants it: 64 x 64 elements of 16 bits
};

/// [kRows, kColumns] elements in shared memory, in kParts parts.
template <class E, int kColumnsOf, int kPartsOf = 1, int kRowsOf = kBlockRows,
          Layout kLayout = Layout::kPadded>
struct SharedTile {
  using Element = E;
  static constexpr bool kIsSwizzled = kLayout == Layout::kSwizzled;
  static constexpr int kColumns = kColumnsOf, kParts = kPartsOf, kRows = kRowsOf;
  static constexpr int kStride = kColumns + (kIsSwizzled ? 0 : 16 / static_cast<int>(sizeof(E)));
  static constexpr int kPart = kRows * kStride;
  static constexpr int kBytes = kParts * kPart * static_cast<int>(sizeof(E));
  static_assert(!kIsSwizzled || (sizeof(E) == 2 && kColumns == kGroupTile && kRows == kGroupTile));

  E* data = nullptr;

  /// Eight columns from a multiple of eight on follow one another.
  __device__ E* at(int row, int column) const {
    return data + (kIsSwizzled ? swizzled(row, column) : row * kStride + column);
  }
  __device__ Operand<E, kParts> from(int row, int column = 0) const {
    return {data + row * kStride + column, kStride, kPart};
  }
  /// Only the first part: for an operand that needs no more.
  __device__ Operand<E, 1> first_part(int row, int column = 0) const {
    return {data + row * kStride + column, kStride, kPart};
  }
};

/// Whether a block has room to load tiles while it computes with others: heads of 64 channels in bf16, within
/// the shared memory that every GPU has.
template <class T, int kWidth>
inline constexpr bool kLoadsAhead = std::is_same_v<T, BF16>&& kWidth <= 64;

/// Tiles that take turns.
template <class TileOf, int kCountOf>
struct TileRing {
  using Tile = TileOf;
  static constexpr int kCount = kCountOf, kBytes = kCount * Tile::kBytes;

  typename Tile::Element* data = nullptr;

  __device__ Tile at(int turn) const {
    Tile tile;
    tile.data = data + (kCount == 1 ? 0 : turn % kCount * (Tile::kParts * Tile::kPart));
    return tile;
  }
};

/// Cuts tiles from a block's shared memory.
class SharedCarver {
 public:
  __device__ explicit SharedCarver(std::byte* base) : next_(base) {}
  template <class Tile>
  __device__ Tile tile() {
    Tile tile;
    tile.data = reinterpret_cast<typename Tile::Element*>(next_);
    next_ += Tile::kBytes;
    return tile;
  }
  template <class Ring>
  __device__ Ring ring() {
    Ring ring;
    ring.data = reinterpret_cast<typename Ring::Tile::Element*>(next_);
    next_ += Ring::kBytes;
    return ring;
  }
  template <class E>
  __device__ E* take(int count) {
    E* const piece = reinterpret_cast<E*>(next_);
    next_ += (count * static_cast<int>(sizeof(E)) + 15) / 16 * 16;
    return piece;
  }

 private:
  std::byte* next_;
};

// ---- between global and shared memory ---------------------------------------------------------------------

/// x as parts at `to`, `part` elements apart.
__device__ inline void split(float x0, float x1, float* to, int, std::integral_constant<int, 1>) {
  to[0] = x0;
  to[1] = x1;
}
template <int kParts>
__device__ inline void split(float x0, float x1, BF16* to, int part, std::integral_constant<int, kParts>) {
#pragma unroll
  for (int p = 0; p < kParts; ++p) {
    const std::uint32_t packed = pack_bf16(x0, x1);
#ifdef NYSTROM_EMULATION
    std::memcpy(to + p * part, &packed, 4);
#else
    *reinterpret_cast<std::uint32_t*>(to + p * part) = packed;
#endif
    x0 -= std::bit_cast<float>(packed << 16U);
    x1 -= std::bit_cast<float>(packed & 0xffff0000U);
  }
}

/// Columns `column` (even) and the next of a row.
template <class Tile>
__device__ inline void put_pair(const Tile& tile, int row, int column, float x0, float x1) {
  split(x0, x1, tile.at(row, column), Tile::kPart, std::integral_constant<int, Tile::kParts>{});
}

/// Starts to load the tile's rows i in [low, high) = rows i of `from` (`stride` elements apart, `width` a
/// multiple of 8 columns); zero elsewhere. They are there after finish_rows(). By the whole block; a thread
/// stays in its columns.
template <class Tile>
__device__ inline void start_rows(const Tile& tile, const typename Tile::Element* from, std::int64_t stride,
                                  int low, int high, int width) {
  using T = typename Tile::Element;
  constexpr int kRows = Tile::kRows, kVectors = Tile::kColumns / 8,
                kRowsAtOnce = kAttentionThreads / kVectors;
  static_assert(Tile::kParts == 1 && (!Tile::kIsSwizzled || kRowsAtOnce % 8 == 0));
  const int first = static_cast<int>(threadIdx.x) / kVectors,
            column = static_cast<int>(threadIdx.x) % kVectors * 8;
  if (column >= width) high = low;
  T* to = tile.at(first, column);
  from += first * stride + column;
  static_assert(kRows % kRowsAtOnce == 0);
#pragma unroll 4
  for (int i = 0; i < kRows / kRowsAtOnce; ++i) {
    const int row = first + i * kRowsAtOnce;
    const bool inside = row >= low && row < high;
#pragma unroll
    for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(T)))
      start_copy_16_bytes(to + e, from + e, inside);
    to += kRowsAtOnce * Tile::kStride;
    from += kRowsAtOnce * stride;
  }
}

/// What was started is there for the whole block. Ends with __syncthreads.
__device__ inline void finish_rows() {
  finish_copies();
  __syncthreads();
}

/// The same from fp32 [count, width] without gaps, in as many parts as the tile has.
template <class Tile>
__device__ inline void load_derived(const Tile& tile, const float* from, int count, int width) {
  constexpr int kVectors = Tile::kColumns / 4;
  static_assert(kBlockRows * kVectors % kAttentionThreads == 0);
#pragma unroll 4
  for (int i = 0; i < kBlockRows * kVectors / kAttentionThreads; ++i) {
    const int v = static_cast<int>(threadIdx.x) + i * kAttentionThreads;
    const int row = v / kVectors, column = v % kVectors * 4;
    float4 x = make_float4(0, 0, 0, 0);
    if (row < count && column < width) x = *reinterpret_cast<const float4*>(from + row * width + column);
    put_pair(tile, row, column, x.x, x.y);
    put_pair(tile, row, column + 2, x.z, x.w);
  }
}

// ---- products ---------------------------------------------------------------------------------------------

/// [16, kN] of a warp, in registers.
template <int kN>
struct Sums {
  float x[kN / 8][4] = {};
};

/// How a factor lies in memory.
enum class Lies {
  kPlain,      ///< left [i, k], right [k, n]: row by row
  kTransposed  ///< left [k, i], right [n, k]
};

/// The direction of a tile in which products by wgmma sum.
template <Lies kLeft>
inline constexpr Inner kInnerOfLeft = kLeft == Lies::kPlain ? Inner::kAlongRows : Inner::kAlongColumns;
template <Lies kRight>
inline constexpr Inner kInnerOfRight = kRight == Lies::kPlain ? Inner::kAlongColumns : Inner::kAlongRows;

template <Lies kLeft>
__device__ inline void load_left(std::uint32_t (&r)[4], const BF16* a, int stride, int k) {
  const int lane = lane_index();
  if constexpr (kLeft == Lies::kPlain)
    load_matrices(r, a + (lane & 15) * stride + k + (lane >> 4) * 8);
  else
    load_matrices_transposed(r, a + (k + (lane >> 4) * 8 + (lane & 7)) * stride + ((lane >> 3) & 1) * 8);
}

/// Columns n .. n + 15: r[0], r[1] are b0 and b1 of the first eight, r[2] and r[3] of the others.
template <Lies kRight>
__device__ inline void load_right(std::uint32_t (&r)[4], const BF16* b, int stride, int k, int n) {
  const int lane = lane_index(), upper = (lane >> 4) * 8, lower = ((lane >> 3) & 1) * 8, row = lane & 7;
  if constexpr (kRight == Lies::kPlain)
    load_matrices_transposed(r, b + (k + lower + row) * stride + n + upper);
  else
    load_matrices(r, b + (n + upper + row) * stride + k + lower);
}

template <Lies kRight, int kPartsA, int kPartsB, int kN>
__device__ inline void add_step(Sums<kN>& c, const std::uint32_t (&a)[kPartsA][4],
                                const Operand<BF16, kPartsB>& b, int k) {
  constexpr int kTerms = kPartsA > kPartsB ? kPartsA : kPartsB;
#pragma unroll
  for (int n = 0; n < kN; n += 16)
#pragma unroll
    for (int q = 0; q < kPartsB; ++q) {
      std::uint32_t right[4];
      load_right<kRight>(right, b.data + q * b.part, b.stride, k, n);
#pragma unroll
      for (int p = 0; p < kPartsA && p + q < kTerms; ++p) {
        multiply_add(c.x[n / 8], a[p], right[0], right[1]);
        multiply_add(c.x[n / 8 + 1], a[p], right[2], right[3]);
      }
    }
}

/// c [16, kN] += a [16, kK] b [kK, kN], both in shared memory.
template <Lies kLeft, Lies kRight, int kK, int kPartsA, int kPartsB, int kN>
__device__ inline void add_product(Sums<kN>& c, const Operand<BF16, kPartsA>& a,
                                   const Operand<BF16, kPartsB>& b) {
#pragma unroll
  for (int k = 0; k < kK; k += 16) {
    std::uint32_t left[kPartsA][4];
#pragma unroll
    for (int p = 0; p < kPartsA; ++p) load_left<kLeft>(left[p], a.data + p * a.part, a.stride, k);
    add_step<kRight>(c, left, b, k);
  }
}

/// Columns k .. k + 15 of sums as the left factor of a product, in parts.
template <int kParts, int kK>
__device__ inline void split_columns(std::uint32_t (&parts)[kParts][4], const Sums<kK>& a, int k) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {  // columns 2t, 2t + 1 (i < 2) or eight further; row g (i even) or g + 8
    float x0 = a.x[k / 8 + i / 2][i % 2 * 2], x1 = a.x[k / 8 + i / 2][i % 2 * 2 + 1];
#pragma unroll
    for (int p = 0; p < kParts; ++p) {
      parts[p][i] = pack_bf16(x0, x1);
      x0 -= std::bit_cast<float>(parts[p][i] << 16U);
      x1 -= std::bit_cast<float>(parts[p][i] & 0xffff0000U);
    }
  }
}

/// c [16, kN] += a [16, kK] b [kK, kN], a in registers as a product left it.
template <int kPartsA, int kPartsB, int kK, int kN>
__device__ inline void add_product_of(Sums<kN>& c, const Sums<kK>& a, const Operand<BF16, kPartsB>& b) {
#pragma unroll
  for (int k = 0; k < kK; k += 16) {
    std::uint32_t left[kPartsA][4];
    split_columns(left, a, k);
    add_step<Lies::kPlain>(c, left, b, k);
  }
}

/// One column k of the left factor (rows g and g + 8) times row k of the right one.
template <Lies kRight, int kN>
__device__ inline void add_column(Sums<kN>& c, float a0, float a1, const Operand<float, 1>& b, int k) {
  const int t = lane_index() % 4;
#pragma unroll
  for (int j = 0; j < kN / 8; ++j) {
    const int n = 8 * j + 2 * t;
    const float b0 = kRight == Lies::kPlain ? b.data[k * b.stride + n] : b.data[n * b.stride + k];
    const float b1 = kRight == Lies::kPlain ? b.data[k * b.stride + n + 1] : b.data[(n + 1) * b.stride + k];
    c.x[j][0] = fmaf(a0, b0, c.x[j][0]);
    c.x[j][1] = fmaf(a0, b1, c.x[j][1]);
    c.x[j][2] = fmaf(a1, b0, c.x[j][2]);
    c.x[j][3] = fmaf(a1, b1, c.x[j][3]);
  }
}

template <Lies kLeft, Lies kRight, int kK, int kN>
__device__ inline void add_product(Sums<kN>& c, const Operand<float, 1>& a, const Operand<float, 1>& b) {
  const int g = lane_index() / 4;
#pragma unroll 4
  for (int k = 0; k < kK; ++k) {
    const float a0 = kLeft == Lies::kPlain ? a.data[g * a.stride + k] : a.data[k * a.stride + g];
    const float a1 = kLeft == Lies::kPlain ? a.data[(g + 8) * a.stride + k] : a.data[k * a.stride + g + 8];
    add_column<kRight>(c, a0, a1, b, k);
  }
}

template <int kPartsA, int kK, int kN>
__device__ inline void add_product_of(Sums<kN>& c, const Sums<kK>& a, const Operand<float, 1>& b) {
  const int quad = lane_index() & ~3;
#pragma unroll
  for (int k = 0; k < kK; ++k) {
    const float a0 = __shfl_sync(kFullMask, a.x[k / 8][k % 2], quad + k % 8 / 2);
    const float a1 = __shfl_sync(kFullMask, a.x[k / 8][2 + k % 2], quad + k % 8 / 2);
    add_column<Lies::kPlain>(c, a0, a1, b, k);
  }
}

// ---- what a warp does with its sums -----------------------------------------------------------------------

/// f(x, row, column) for each element of the warp's [16, kN]: row 0 is g, 1 is g + 8.
template <int kN, class F>
__device__ inline void for_each(Sums<kN>& sums, const F& f) {
  const int t = lane_index() % 4;
#pragma unroll
  for (int j = 0; j < kN / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) f(sums.x[j][i], i / 2, 8 * j + 2 * t + i % 2);
}

/// Over the four lanes that share a row; the result is in each.
__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(kFullMask, x, 1);
  return x + __shfl_xor_sync(kFullMask, x, 2);
}
__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(kFullMask, x, 1));
  return fmaxf(x, __shfl_xor_sync(kFullMask, x, 2));
}

/// 2^x by the GPU's own approximation (2 units in the last place); below 2^-126 it is 0.
__device__ inline float exp2_approximately(float x) {
#ifdef NYSTROM_EMULATION
  return exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

/// Softmaxes of `scale` x beside activations of T. Beside bf16 an element costs one multiply-add and one
/// instruction for 2^x: scale and maximum are multiplied by log2 e beforehand, and where the sum is known
/// (backward), its logarithm is added to the maximum's. Forward and backward give e^(scale x - maximum) the
/// same bits.
template <class T>
struct SoftmaxExp {
  static constexpr bool kBase2 = std::is_same_v<T, BF16>;
  static constexpr float kLog2E = 1.44269504F;

  float factor;

  __device__ explicit SoftmaxExp(float scale) : factor(kBase2 ? scale * kLog2E : scale) {}

  /// What is subtracted for a maximum of the scaled logits.
  __device__ static float shift(float maximum) { return kBase2 ? maximum * kLog2E : maximum; }
  /// e^(scale x - maximum)
  __device__ float operator()(float x, float shift) const {
    if constexpr (kBase2)
      return exp2_approximately(fmaf(x, factor, -shift));
    else
      return expf(x * factor - shift);
  }

  /// For probabilities: of a maximum and 1 / sum, which may be 0.
  struct Normal {
    float shift, inverse_sum;
  };
  __device__ static Normal normal(float maximum, float inverse_sum) {
    if constexpr (kBase2)
      return {shift(maximum) - log2f(inverse_sum), 1};
    else
      return {maximum, inverse_sum};
  }
  /// e^(scale x - maximum) / sum
  __device__ float probability(float x, float shift, float inverse_sum) const {
    if constexpr (kBase2)
      return (*this)(x, shift);
    else
      return (*this)(x, shift) * inverse_sum;
  }
};

/// The sums as the warp's 16 rows of a tile, in the tile's parts.
template <class Tile, int kN>
__device__ inline void put_sums(const Tile& tile, const Sums<kN>& sums) {
  const int lane = lane_index(), row = warp_index() * 16 + lane / 4, column = lane % 4 * 2;
#pragma unroll
  for (int j = 0; j < kN / 8; ++j) {
    put_pair(tile, row, 8 * j + column, sums.x[j][0], sums.x[j][1]);
    put_pair(tile, row + 8, 8 * j + column, sums.x[j][2], sums.x[j][3]);
  }
}

/// The warps' sums into rows [0, count) of `to` (`stride` elements apart), by way of a tile: 16 bytes a
/// store. The tile's other readers must be done; other warps' rows of it are not touched.
template <class Tile>
__device__ inline void store_sums(const Tile& tile, const Sums<Tile::kColumns>& sums,
                                  typename Tile::Element* to, std::int64_t stride, int count, int width) {
  constexpr int kVectors = Tile::kColumns / 8;
  put_sums(tile, sums);
  __syncwarp();
  const int first = warp_index() * 16;
#pragma unroll 4
  for (int i = 0; i < 16 * kVectors / kWarp; ++i) {
    const int v = lane_index() + i * kWarp;
    const int row = first + v / kVectors, column = v % kVectors * 8;
    if (row >= count || column >= width) continue;
#pragma unroll
    for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(typename Tile::Element)))
      copy_16_bytes(to + row * stride + column + e, tile.at(row, column) + e);
  }
  __syncwarp();
}

/// Sums from where store_partial() put them.
template <int kColumns>
__device__ inline Sums<kColumns> read_partial(const float* from, int count, int width) {
  const int first = warp_index() * 16 + lane_index() / 4;
  Sums<kColumns> sums;
  for_each(sums, [&](float& x, int row, int column) {
    if (first + 8 * row < count && column < width) x = from[(first + 8 * row) * width + column];
  });
  return sums;
}

/// The warps' sums into (or onto) fp32 [count, width] without gaps.
template <int kColumns>
__device__ inline void store_partial(const Sums<kColumns>& sums, float* to, int count, int width, bool add) {
  const int lane = lane_index(), first = warp_index() * 16 + lane / 4;
#pragma unroll
  for (int j = 0; j < kColumns / 8; ++j)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first + 8 * half, column = 8 * j + lane % 4 * 2;
      if (row >= count || column >= width) continue;
      float* const at = to + row * width + column;
      at[0] = sums.x[j][2 * half] + (add ? at[0] : 0.0F);
      at[1] = sums.x[j][2 * half + 1] + (add ? at[1] : 0.0F);
    }
}

}  // namespace nystrom::cuda
