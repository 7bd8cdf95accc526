#pragma once
// Matrix products of four warps on Hopper's tensor cores: wgmma.mma_async m64n64k16 of bf16 or fp16 with fp32
// sums (PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions"), which machine code
// for sm_90a alone has. What they multiply lies in shared memory as tiles of 64 x 64 elements on 1,024 bytes
// with the swizzle of 128 bytes (swizzled()); a left factor may be in registers instead, 16 rows a warp, and
// so are the sums, in the layouts of mma.h:
//
//   put rows of tiles; publish_tiles(); __syncthreads();   // tensor cores read by another path than threads
//   start_products(c, fresh(d));                           // sums belong to them from here on
//   add_group_product<...>(c, ..., true);                  // as many as there are, by all four warps
//   add_group_product<...>(d, ..., false);                 // the first one overwrites d
//   finish_products(c, d);
//
// Between start and finish nobody may write tiles that are read; after finish and a barrier anybody may. In
// machine code for other GPUs nothing is multiplied: such kernels are started only where
// CudaContext::has_wgmma().
//
// Under NYSTROM_EMULATION the sums are NaN from start to finish, and elements are found as the instruction
// finds them, by descriptor and bits of the address; races_test sees tiles that were not published. Checked
// through the emulation; not yet run on a GPU.

#include "kernels/tensor/cuda/mma.h"

#ifdef NYSTROM_EMULATION
#include <array>
#include <limits>
#include <unordered_map>
#endif

namespace nystrom::cuda {

inline constexpr int kGroupTile = 64;                               ///< rows and columns of a tile
inline constexpr int kGroupTileElements = kGroupTile * kGroupTile;  ///< 8 KiB
inline constexpr int kGroupTileAlignment = 1024;

/// Where element (i, j) of a tile lies, in elements: eight columns stay together, and move with the row, so
/// that eight rows meet all banks without gaps between them.
__device__ inline int swizzled(int i, int j) {
  return i * kGroupTile + (((j >> 3) ^ (i & 7)) << 3) + (j & 7);
}

/// The direction of a tile in which products sum: along its rows (a left factor as it lies, a right one
/// transposed), or along its columns.
enum class Inner { kAlongRows, kAlongColumns };

/// The matrix descriptor of a tile.
struct TileDescriptor {
  std::uint64_t bits;

  /// Of the columns (rows) from 16 `step` on, in the inner direction: 32 bytes further, or 16 rows.
  template <Inner kInner>
  [[nodiscard]] __device__ TileDescriptor from(int step) const {
    return {bits + static_cast<std::uint64_t>(step * (kInner == Inner::kAlongRows ? 32 : 2048) / 16)};
  }
  /// Of the tile that lies so many tiles further.
  [[nodiscard]] __device__ TileDescriptor part(int tiles) const {
    return {bits + static_cast<std::uint64_t>(tiles * kGroupTileElements * 2 / 16)};
  }
};
/// PTX ISA, "Matrix Descriptor Format": the address, 1,024 bytes from eight rows to the next (what lies
/// beside 128 bytes does not matter), swizzle of 128 bytes.
__device__ inline TileDescriptor tile_descriptor(std::uint32_t shared_address) {
  return {(shared_address & 0x3ffffU) >> 4U | std::uint64_t{1} << 16U | std::uint64_t{1024 / 16} << 32U |
          std::uint64_t{1} << 62U};
}

/// Sums that the first product overwrites.
struct FreshSums {
  float (&c)[8][4];
};
__device__ inline FreshSums fresh(float (&c)[8][4]) {
  return {c};
}

#ifndef NYSTROM_EMULATION

template <class E>
__device__ inline TileDescriptor tile_descriptor(const E* tile) {
  auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(tile));
  // Or the compiler keeps the descriptors of all tiles in registers from one use to the next.
  asm volatile("" : "+r"(address));
  return tile_descriptor(address);
}

/// What this thread wrote to shared memory is for tensor cores, after a barrier.
__device__ inline void publish_tiles() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("fence.proxy.async.shared::cta;" : : : "memory");
#endif
}

namespace detail {
/// The compiler keeps reads and writes of the sums on their side of this.
__device__ inline void pin(float (&c)[8][4]) {
#pragma unroll
  for (int j = 0; j < 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) asm volatile("" : "+f"(c[j][i]) : : "memory");
}
__device__ inline void pin(const FreshSums&) {}
}  // namespace detail

template <class... Sums>
__device__ inline void start_products(Sums&&... c) {
  (detail::pin(c), ...);
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.fence.sync.aligned;" : : : "memory");
#endif
}
template <class... Sums>
__device__ inline void finish_products(Sums&... c) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 0;" : : : "memory");
#endif
  (detail::pin(c), ...);
}

// clang-format off
#define NYSTROM_WGMMA(type)                                                                                     \
  "{.reg .pred p;\n\tsetp.ne.b32 p, %32, 0;\n\t"                                                                \
  "wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type                                                   \
  " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, " \
  "%23, %24, %25, %26, %27, %28, %29, %30, %31}, "
#define NYSTROM_WGMMA_ROW(how, j) how(c[j][0]), how(c[j][1]), how(c[j][2]), how(c[j][3])
#define NYSTROM_WGMMA_SUMS(how)                                                                                 \
  NYSTROM_WGMMA_ROW(how, 0), NYSTROM_WGMMA_ROW(how, 1), NYSTROM_WGMMA_ROW(how, 2), NYSTROM_WGMMA_ROW(how, 3),   \
      NYSTROM_WGMMA_ROW(how, 4), NYSTROM_WGMMA_ROW(how, 5), NYSTROM_WGMMA_ROW(how, 6), NYSTROM_WGMMA_ROW(how, 7)
#define NYSTROM_WGMMA_TILES(type, how, add)                                                                     \
  asm volatile(NYSTROM_WGMMA(type) "%33, %34, p, 1, 1, %35, %36;}"                                              \
               : NYSTROM_WGMMA_SUMS(how)                                                                        \
               : "r"(add), "l"(a.bits), "l"(b.bits), "n"(kLeftAcross), "n"(kRightAcross))
#define NYSTROM_WGMMA_REGISTERS(type, how, add)                                                                 \
  asm volatile(NYSTROM_WGMMA(type) "{%33, %34, %35, %36}, %37, p, 1, 1, %38;}"                                  \
               : NYSTROM_WGMMA_SUMS(how)                                                                        \
               : "r"(add), "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.bits), "n"(kRightAcross))
// clang-format on

/// c += a b (c = a b unless `add`), both tiles, over 16 of the inner direction.
template <class E, Inner kLeft, Inner kRight>
__device__ inline void add_group_product(float (&c)[8][4], TileDescriptor a, TileDescriptor b, bool add) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  constexpr int kLeftAcross = kLeft == Inner::kAlongColumns, kRightAcross = kRight == Inner::kAlongColumns;
  if constexpr (std::is_same_v<E, F16>) {
    if (add)
      NYSTROM_WGMMA_TILES("f16", "+f", 1);
    else
      NYSTROM_WGMMA_TILES("f16", "=f", 0);
  } else {
    if (add)
      NYSTROM_WGMMA_TILES("bf16", "+f", 1);
    else
      NYSTROM_WGMMA_TILES("bf16", "=f", 0);
  }
#endif
}

/// The same with this warp's rows of the left factor in registers (A of mma.h).
template <class E, Inner kRight>
__device__ inline void add_group_product(float (&c)[8][4], const std::uint32_t (&a)[4], TileDescriptor b,
                                         bool add) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  constexpr int kRightAcross = kRight == Inner::kAlongColumns;
  if constexpr (std::is_same_v<E, F16>) {
    if (add)
      NYSTROM_WGMMA_REGISTERS("f16", "+f", 1);
    else
      NYSTROM_WGMMA_REGISTERS("f16", "=f", 0);
  } else {
    if (add)
      NYSTROM_WGMMA_REGISTERS("bf16", "+f", 1);
    else
      NYSTROM_WGMMA_REGISTERS("bf16", "=f", 0);
  }
#endif
}

#undef NYSTROM_WGMMA
#undef NYSTROM_WGMMA_ROW
#undef NYSTROM_WGMMA_SUMS
#undef NYSTROM_WGMMA_TILES
#undef NYSTROM_WGMMA_REGISTERS

#else

namespace detail {
/// Where the block's own shared memory begins: a GPU keeps the first KiB.
inline constexpr std::uint32_t kFirstSharedAddress = 1024;

using GroupSums = std::array<std::array<float, 4>, 8>;
/// The sums of threads whose products are under way, by the address of the thread's own.
inline std::unordered_map<const void*, GroupSums>& sums_under_way() {
  static thread_local std::unordered_map<const void*, GroupSums> sums;
  return sums;
}
inline void start_products_of(float (&c)[8][4]) {
  GroupSums& sums = sums_under_way()[c];
  std::memcpy(sums.data(), c, sizeof sums);
  for (auto& row : c) std::fill_n(row, 4, std::numeric_limits<float>::quiet_NaN());
}
inline void start_products_of(const FreshSums& sums) {
  start_products_of(sums.c);
}
inline void finish_products_of(float (&c)[8][4]) {
  const auto found = sums_under_way().find(c);
  NYSTROM_CHECK(found != sums_under_way().end(), "products are finished that were not started: thread {}",
                threadIdx.x);
  std::memcpy(c, found->second.data(), sizeof c);
  sums_under_way().erase(found);
}

/// The element of a factor `across` and `inner` in its two directions.
template <Inner kInner>
std::uint16_t element_of(TileDescriptor tile, int across, int inner) {
  const auto field = [&](unsigned first) {
    return static_cast<std::uint32_t>(tile.bits >> first & 0x3fffU) << 4U;
  };
  const std::uint32_t address = field(0), eight_further = field(32);
  const auto i = static_cast<std::uint32_t>(across), k = static_cast<std::uint32_t>(inner);
  const std::uint32_t at = kInner == Inner::kAlongRows
                               ? address + i / 8 * eight_further + i % 8 * 128 + 2 * k
                               : address + k / 8 * eight_further + k % 8 * 128 + 2 * i;
  std::uint16_t element;
  std::memcpy(&element, emulation::current.shared + (at ^ (at >> 7U & 7U) << 4U) - kFirstSharedAddress, 2);
  return element;
}

/// What a lane brings: its registers of the left factor or null, and its sums.
struct GroupProductOfLane {
  const std::uint32_t* a_in_registers;
  TileDescriptor a, b;
  float* c;
};

template <class E, Inner kLeft, Inner kRight>
void add_group_product_of_warp(GroupProductOfLane* lanes) {
  std::uint16_t a_bits[16][16], b_bits[16][kGroupTile];
  const TileDescriptor a_tile = lanes[0].a, b_tile = lanes[0].b;
  const emulation::TensorRead reading;
  for (int lane = 0; lane < kWarp; ++lane) {
    const GroupProductOfLane& mine = lanes[lane];
    NYSTROM_CHECK(mine.a.bits == a_tile.bits && mine.b.bits == b_tile.bits,
                  "lanes of a warp multiply other tiles with wgmma");
    if (mine.a_in_registers == nullptr) continue;
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i)
      std::memcpy(&a_bits[g + i % 2 * 8][2 * t + i / 2 * 8], mine.a_in_registers + i, 4);
  }
  if (lanes[0].a_in_registers == nullptr)
    for (int row = 0; row < 16; ++row)
      for (int k = 0; k < 16; ++k) a_bits[row][k] = element_of<kLeft>(a_tile, 16 * warp_index() + row, k);
  for (int k = 0; k < 16; ++k)
    for (int n = 0; n < kGroupTile; ++n) b_bits[k][n] = element_of<kRight>(b_tile, n, k);
  float a[16][16];
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < 16; k += 8) _mm256_storeu_ps(a[row] + k, floats_of<E>(a_bits[row] + k));
  for (int j = 0; j < kGroupTile / 8; ++j) {
    float b[16][8], c[16][8];
    const auto element = [&](int lane, int i) -> float& {
      return c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
    };
    for (int k = 0; k < 16; ++k) _mm256_storeu_ps(b[k], floats_of<E>(b_bits[k] + 8 * j));
    for (int lane = 0; lane < kWarp; ++lane)
      for (int i = 0; i < 4; ++i) element(lane, i) = lanes[lane].c[4 * j + i];
    for (int row = 0; row < 16; ++row) add_row_times(c[row], a[row], b);
    for (int lane = 0; lane < kWarp; ++lane)
      for (int i = 0; i < 4; ++i) lanes[lane].c[4 * j + i] = element(lane, i);
  }
}

template <class E, Inner kLeft, Inner kRight>
void add_group_product(float (&c)[8][4], const std::uint32_t* a_in_registers, TileDescriptor a,
                       TileDescriptor b, bool add) {
  const auto found = sums_under_way().find(c);
  NYSTROM_CHECK(found != sums_under_way().end(), "products were not started: thread {}", threadIdx.x);
  GroupSums& sums = found->second;
  if (!add) sums = {};
  constexpr auto carry_out = add_group_product_of_warp<E, kLeft, kRight>;
  emulation::warp_exchange(GroupProductOfLane{a_in_registers, a, b, sums[0].data()}, kFullMask,
                           emulation::kCarriedOutOnce<GroupProductOfLane, carry_out>);
}
}  // namespace detail

template <class E>
TileDescriptor tile_descriptor(const E* tile) {
  const auto offset = reinterpret_cast<const std::byte*>(tile) - emulation::current.shared;
  NYSTROM_CHECK(
      offset >= 0 && offset % kGroupTileAlignment == 0,
      "a tile for wgmma begins {} bytes behind the block's shared memory, which is no multiple of {}", offset,
      kGroupTileAlignment);
  return tile_descriptor(static_cast<std::uint32_t>(offset) + detail::kFirstSharedAddress);
}

inline void publish_tiles() {
  emulation::publish_writes();
}

template <class... Sums>
void start_products(Sums&&... c) {
  (detail::start_products_of(c), ...);
}
template <class... Sums>
void finish_products(Sums&... c) {
  (detail::finish_products_of(c), ...);
}

template <class E, Inner kLeft, Inner kRight>
void add_group_product(float (&c)[8][4], TileDescriptor a, TileDescriptor b, bool add) {
  detail::add_group_product<E, kLeft, kRight>(c, nullptr, a, b, add);
}
template <class E, Inner kRight>
void add_group_product(float (&c)[8][4], const std::uint32_t (&a)[4], TileDescriptor b, bool add) {
  detail::add_group_product<E, Inner::kAlongRows, kRight>(c, a, {}, b, add);
}

#endif

}  // namespace nystrom::cuda
