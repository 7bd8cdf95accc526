#pragma once
// What kernels share: shared memory, reductions by fixed trees (the same bits each time), loads and stores of
// any storage type. Included by .cu files only.

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "kernels/core/philox.h"
#include "kernels/tensor/dtype.h"

namespace nystrom::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kFullMask = 0xffffffffU;

/// The block's dynamic shared memory, aligned to 1,024 bytes (for wgmma.h). Contents are undefined at the
/// start.
template <class T>
__device__ T* shared_memory() {
#ifdef NYSTROM_EMULATION
  return reinterpret_cast<T*>(emulation::current.shared);
#else
  extern __shared__ __align__(1024) unsigned char nystrom_shared_bytes[];
  return reinterpret_cast<T*>(nystrom_shared_bytes);
#endif
}

__device__ inline int lane_index() {
  return static_cast<int>(threadIdx.x) % kWarp;
}
__device__ inline int warp_index() {
  return static_cast<int>(threadIdx.x) / kWarp;
}

/// The sum (largest) of x over the lanes of a full warp, in every lane.
template <class T>
__device__ T warp_sum(T x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(kFullMask, x, lanes);
  return x;
}
__device__ inline float warp_max(float x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(kFullMask, x, lanes));
  return x;
}

/// The sum over a block of one dimension whose size is a multiple of 32, in every thread. `shared`: 32
/// values. Begins and ends with __syncthreads, so that `shared` may be used before and after.
template <class T>
__device__ T block_sum(T x, T* shared) {
  x = warp_sum(x);
  __syncthreads();
  if (lane_index() == 0) shared[warp_index()] = x;
  __syncthreads();
  T sum = lane_index() < static_cast<int>(blockDim.x) / kWarp ? shared[lane_index()] : T(0);
  sum = warp_sum(sum);
  __syncthreads();
  return sum;
}
__device__ inline float block_max(float x, float* shared) {
  x = warp_max(x);
  __syncthreads();
  if (lane_index() == 0) shared[warp_index()] = x;
  __syncthreads();
  float largest = lane_index() < static_cast<int>(blockDim.x) / kWarp ? shared[lane_index()] : x;
  largest = warp_max(largest);
  __syncthreads();
  return largest;
}

/// Elements of storage type T as float, and back (rounded to nearest even).
template <class T>
__device__ float load(const T* address) {
  return static_cast<float>(*address);
}
template <class T>
__device__ void store(T* address, float value) {
  *address = T(value);
}

/// Index of the thread in the whole grid of one dimension, and the number of them.
__device__ inline std::int64_t grid_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t grid_threads() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

}  // namespace nystrom::cuda
