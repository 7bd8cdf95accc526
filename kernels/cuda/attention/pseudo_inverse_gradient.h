#pragma once
// The backward of the pseudo-inverse by one block (docs/mathematics.md has the lines under the same names).
// All gradients are carried transposed, so that no product transposes.

#include "kernels/cuda/attention/landmark_matrices.h"

namespace nystrom::cuda {

/// The pseudo-inverse's steps backwards, in the block's memory; d_z and d_a are (d_Z)^T and (d_A)^T.
template <bool kSmall>
struct PinvGradient {
  Squares<kSmall> squares;
  float* iterates;  // [kept, M, M], in the workspace
  float *a, *z, *x, *t2, *t3, *d_z;
  float *spare, *d_a, *room;  // where M > 64; room: three matrices
  TileSums d_a_tile;          // where M <= 64 (d_A)^T is in registers

  static constexpr int kLarge = 11;  ///< matrices beside the iterates where M > 64

  __device__ PinvGradient(const SquareMemory<kSmall, 6>& memory, float* slot, int kept)
      : squares(memory.squares), iterates(slot) {
    const auto square = [&](int i) { return memory.square(kSmall ? i : kept + i); };
    a = square(0);
    z = square(1);
    x = square(2);
    t2 = square(3);
    t3 = square(4);
    d_z = square(5);
    spare = kSmall ? nullptr : square(6);
    d_a = kSmall ? nullptr : square(7);
    room = kSmall ? nullptr : square(8);
  }

  /// z becomes iterate i of the workspace, or the other way round.
  __device__ void store_iterate(int i) const {
    const int m = squares.m;
    for (int e = static_cast<int>(threadIdx.x); e < m * m; e += kSquareThreads)
      iterates[static_cast<std::int64_t>(i) * m * m + e] = z[squares.at(e / m, e % m)];
    __syncthreads();
  }
  __device__ void load_iterate(int i) const {
    const int m = squares.m;
    for (int e = static_cast<int>(threadIdx.x); e < m * m; e += kSquareThreads)
      z[squares.at(e / m, e % m)] = iterates[static_cast<std::int64_t>(i) * m * m + e];
    __syncthreads();
  }
  __device__ void copy(float* to, const float* from) const {
    squares.for_each([&](int i, int j) { to[squares.at(i, j)] = from[squares.at(i, j)]; });
    __syncthreads();
  }

  /// A from memory, Z_0, and the iterates up to the last step's, which stays in z.
  __device__ void remake_iterates(const float* a_in_memory, float scale, int steps) const {
    const int m = squares.m;
    squares.for_each([&](int i, int j) {
      a[squares.at(i, j)] = i < m && j < m ? a_in_memory[i * m + j] : 0.0F;
      if (kSmall) x[squares.at(i, j)] = t2[squares.at(i, j)] = t3[squares.at(i, j)] = 0.0F;
    });
    __syncthreads();
    first_iterate(squares, a, scale, z);
    __syncthreads();
    for (int i = 0; i + 1 < steps; ++i) {
      store_iterate(i);
      squares.step(a, z, x, t2, kSmall ? t2 : t3);
      squares.product(kSmall ? z : spare, {.a = z, .b = kSmall ? t2 : t3, .alpha = 0.25F});
      if (!kSmall) copy(z, spare);
    }
  }

  /// Back through the step that begins with z. Where everything is one tile a product may overwrite a factor
  /// that nobody needs any more; in memory it goes to a separate matrix.
  __device__ void step_back() {
    const int size = squares.m * squares.m;
    float *const next = kSmall ? t3 : room, *const d_t3 = kSmall ? d_z : room + size;
    float *const d_x = kSmall ? t2 : spare, *const d_t2 = kSmall ? d_t3 : room + 2 * size;
    squares.step(a, z, x, t2, t3);
    squares.product(next, {.a = t3, .b = d_z, .alpha = 0.25F});
    squares.product(d_t3, {.a = d_z, .b = z, .alpha = 0.25F});
    squares.product(d_x, {.a = t2, .b = d_t3, .alpha = -1});
    squares.product(d_t2, {.a = d_t3, .b = x, .alpha = -1});
    squares.product(d_x, {.a = x, .b = d_t2, .x = d_x, .beta = 1, .y = d_t2, .gamma = -7});
    squares.product(d_x, {.a = d_t2, .b = x, .x = d_x, .beta = 1});
    if constexpr (kSmall)
      add_tiles(d_a_tile, z, d_x, (squares.m + 3) / 4 * 4);
    else
      squares.product(d_a, {.a = z, .b = d_x, .x = d_a, .beta = 1});
    squares.product(next, {.a = d_x, .b = a, .x = next, .beta = 1});
    if (kSmall) {
      t3 = d_z;
      d_z = next;
    } else {
      copy(d_z, next);
    }
  }

  /// (d_A)^T from the registers into x. Ends with __syncthreads.
  __device__ const float* finish() const {
    if constexpr (kSmall) {
      __syncthreads();
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) x[swizzled(square_row(i), square_column() + j)] = d_a_tile.x[i][j];
    }
    __syncthreads();
    return kSmall ? x : d_a;
  }
};

}  // namespace nystrom::cuda
