#include "kernels/tensor/cuda/wgmma_check.h"

#include <cstdlib>
#include <string_view>

#include "kernels/tensor/cuda/launch.h"
#include "kernels/tensor/cuda/wgmma.h"

namespace nystrom::cuda {
namespace {

constexpr int kThreads = 128, kSteps = kGroupTile / 16;

/// Elements of the two factors as they lie: integers of at most 3, so that sums are exact in any order.
__device__ inline int left_element(int i, int j) {
  return (3 * i + 5 * j + i * j) % 7 - 3;
}
__device__ inline int right_element(int i, int j) {
  return (2 * i + 3 * j + i * j % 11) % 5 - 2;
}

/// The bits of a small integer in E.
template <class E>
__device__ inline std::uint16_t bits_of(int x) {
  const auto value = static_cast<float>(x);
  return static_cast<std::uint16_t>((std::is_same_v<E, F16> ? pack_f16(value, 0) : pack_bf16(value, 0)) &
                                    0xffffU);
}

/// How many of the thread's sums are not those of a b.
template <Inner kLeft, Inner kRight>
__device__ inline int wrong_sums(const float (&c)[8][4]) {
  const int first = static_cast<int>(threadIdx.x) / kWarp * 16 + lane_index() / 4;
  int wrong = 0;
#pragma unroll
  for (int j = 0; j < 8; ++j)
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int row = first + e / 2 * 8, column = 8 * j + lane_index() % 4 * 2 + e % 2;
      int sum = 0;
#pragma unroll 1
      for (int k = 0; k < kGroupTile; ++k)
        sum += (kLeft == Inner::kAlongRows ? left_element(row, k) : left_element(k, row)) *
               (kRight == Inner::kAlongRows ? right_element(column, k) : right_element(k, column));
      if (c[j][e] != static_cast<float>(sum)) ++wrong;
    }
  return wrong;
}

template <class E, Inner kLeft, Inner kRight>
__device__ inline int wrong_of_tiles(const E* a, const E* b) {
  const TileDescriptor of_a = tile_descriptor(a), of_b = tile_descriptor(b);
  float c[8][4];
  start_products(fresh(c));
#pragma unroll
  for (int k = 0; k < kSteps; ++k)
    add_group_product<E, kLeft, kRight>(c, of_a.from<kLeft>(k), of_b.from<kRight>(k), k > 0);
  finish_products(c);
  return wrong_sums<kLeft, kRight>(c);
}
/// The left factor in registers.
template <class E, Inner kRight>
__device__ inline int wrong_of_registers(const E* b) {
  const int first = static_cast<int>(threadIdx.x) / kWarp * 16 + lane_index() / 4;
  std::uint32_t a[kSteps][4];
#pragma unroll
  for (int k = 0; k < kSteps; ++k)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = first + i % 2 * 8, column = 16 * k + i / 2 * 8 + lane_index() % 4 * 2;
      a[k][i] = bits_of<E>(left_element(row, column)) |
                static_cast<std::uint32_t>(bits_of<E>(left_element(row, column + 1))) << 16U;
    }
  const TileDescriptor of_b = tile_descriptor(b);
  float c[8][4];
  start_products(fresh(c));
#pragma unroll
  for (int k = 0; k < kSteps; ++k) add_group_product<E, kRight>(c, a[k], of_b.from<kRight>(k), k > 0);
  finish_products(c);
  return wrong_sums<Inner::kAlongRows, kRight>(c);
}

template <class E>
__device__ inline int wrong_in(E* a, E* b) {
  constexpr Inner kRows = Inner::kAlongRows, kColumns = Inner::kAlongColumns;
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < kGroupTileElements; e += kThreads) {
    const int i = e / kGroupTile, j = e % kGroupTile;
    a[swizzled(i, j)].bits = bits_of<E>(left_element(i, j));
    b[swizzled(i, j)].bits = bits_of<E>(right_element(i, j));
  }
  publish_tiles();
  __syncthreads();
  return wrong_of_tiles<E, kRows, kRows>(a, b) + wrong_of_tiles<E, kRows, kColumns>(a, b) +
         wrong_of_tiles<E, kColumns, kRows>(a, b) + wrong_of_tiles<E, kColumns, kColumns>(a, b) +
         wrong_of_registers<E, kRows>(b) + wrong_of_registers<E, kColumns>(b);
}

__global__ void __launch_bounds__(kThreads) wgmma_check_kernel(int* wrong) {
  auto* const tiles = shared_memory<std::uint16_t>();
  int mine = wrong_in(reinterpret_cast<BF16*>(tiles), reinterpret_cast<BF16*>(tiles) + kGroupTileElements);
  mine += wrong_in(reinterpret_cast<F16*>(tiles), reinterpret_cast<F16*>(tiles) + kGroupTileElements);
  __syncthreads();
  mine = block_sum(mine, shared_memory<int>());
  if (threadIdx.x == 0) *wrong = mine;
}

#if defined(NYSTROM_EMULATION) || defined(NYSTROM_COMPILED_FOR_SM90A)
constexpr bool kCompiled = true;
#else
constexpr bool kCompiled = false;
#endif

}  // namespace

WgmmaState wgmma_state(const Stream& stream, int capability, void* scratch) {
  if (capability != 90) return WgmmaState::kOtherGpu;
  if (!kCompiled) return WgmmaState::kNotCompiled;
  const char* const wanted = std::getenv("NYSTROM_WGMMA");
  if (wanted != nullptr && std::string_view(wanted) == "off") return WgmmaState::kSwitchedOff;
  int wrong = 1;
  auto* const on_device = static_cast<int*>(scratch);
  launch(stream, 1, kThreads, 2 * kGroupTileElements * sizeof(BF16), "wgmma_check", wgmma_check_kernel,
         on_device);
  copy_to_host(stream, &wrong, on_device, sizeof wrong);
  stream.synchronize();
  return wrong == 0 ? WgmmaState::kUsed : WgmmaState::kWrong;
}

}  // namespace nystrom::cuda
