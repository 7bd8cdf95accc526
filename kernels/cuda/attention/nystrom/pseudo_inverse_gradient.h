#pragma once
// The backward of the pseudo-inverse by one block (docs/mathematics.md has the lines under the same names).

#include "kernels/cuda/attention/nystrom/landmark_matrices.h"

namespace nystrom::cuda {

/// The steps backwards where M <= 64: 11 products each, three of them those of forward. A, Z, X, T2 and d_Z
/// are factors in shared memory; d_Z of the step before and d_A stay in registers. A tile takes T3, d_T3 and
/// d_X in turn, that of d_Z d_T2.
constexpr int kSmallPinvTiles = 6;
template <class Unit>
struct SmallPinvGradient {
  static constexpr int kTiles = kSmallPinvTiles;

  SquareSize size;
  int m, extent;
  float* maxima;
  const float* iterates;  // [steps - 1, M, M] Z_1 and further, as forward kept them
  F16 *a_tile, *z_tile, *x_tile, *t2_tile, *turn, *d_z_tile;
  SplitTile a, z, d_z_factor;
  TileRows d_z, d_a;

  __device__ SmallPinvGradient(const SquareMemory<kTiles>& memory, const float* kept, const SquareSize& of)
      : size(of),
        m(size.m),
        extent(size.extent),
        maxima(memory.maxima),
        iterates(kept),
        a_tile(memory.tile(0)),
        z_tile(memory.tile(1)),
        x_tile(memory.tile(2)),
        t2_tile(memory.tile(3)),
        turn(memory.tile(4)),
        d_z_tile(memory.tile(5)) {}

  template <Lies kRight, class Left>
  __device__ void add(TileRows& sums, float factor, const Left& left_factor, const SplitTile& right) const {
    add_split_product<kRight, Unit>(sums, factor, left_factor, right, product());
  }
  __device__ SplitTile published(const TileRows& x, F16* tile) const {
    return publish<Unit>(x, tile, maxima, extent).tile;
  }

  /// A from memory, and d_Z.
  __device__ void begin(const float* a_in_memory, const TileRows& d_pinv) {
    d_z_factor = published(d_pinv, d_z_tile);
    a = published(read_square(a_in_memory, m), a_tile);
  }
  /// z becomes iterate i.
  __device__ void take_iterate(int i, float scale) {
    if (i == 0) {
      z = first_iterate<Unit>(a, scale, z_tile, extent);
      return;
    }
    z = published(read_square(iterates + static_cast<std::int64_t>(i - 1) * m * m, m), z_tile);
  }

  /// The compiler is not to know how many columns there are: four groups of them at once need more registers
  /// than there are.
  __device__ ProductExtent product() const { return {{extent, extent}, made_anew(extent)}; }

  /// Back through the step that begins with z.
  __device__ void step_back() {
    constexpr Lies kPlain = Lies::kPlain, kTransposed = Lies::kTransposed;
    TileRows x_rows;
    add<kPlain>(x_rows, 1, left(a), z);
    const Published x_factor = publish<Unit>(x_rows, x_tile, maxima, extent);
    const SplitTile x = x_factor.tile;
    const SplitTile t2 = published(second_term<Unit>(x_rows, x_factor, size), t2_tile);
    const SplitTile t3 = published(third_term<Unit>(left_of<Unit>(x_factor), t2, size), turn);
    d_z = {};
    add<kTransposed>(d_z, 0.25F, left(d_z_factor), t3);
    TileRows d_t3_rows;
    add<kPlain>(d_t3_rows, 0.25F, left<kTransposed>(z), d_z_factor);
    const SplitTile d_t3 = published(d_t3_rows, turn);
    TileRows d_x;  // d_T2 at first
    add<kPlain>(d_x, -1, left<kTransposed>(x), d_t3);
    const Published d_t2 = publish<Unit>(d_x, d_z_tile, maxima, extent);
    for_each(d_x, [](float& element, int, int) { element *= -7.0F; });
    add<kTransposed>(d_x, 1, left_of<Unit>(d_t2), x);
    add<kPlain>(d_x, 1, left<kTransposed>(x), d_t2.tile);
    add<kTransposed>(d_x, -1, left(d_t3), t2);
    const Published d_x_factor = publish<Unit>(d_x, turn, maxima, extent);
    add<kTransposed>(d_a, 1, left_of<Unit>(d_x_factor), z);
    add<kPlain>(d_z, 1, left<kTransposed>(a), d_x_factor.tile);
    d_z_factor = published(d_z, d_z_tile);
  }

  /// d_A with that of Z_0; returns this thread's part of <(d_Z_0)^T, A>.
  __device__ float finish(const TileRows& a_rows, float scale) {
    TileRows d_z0 = joined(rows_of_tile<Lies::kTransposed>(d_z_factor, extent));
    float dot = 0;
#pragma unroll
    for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        dot += d_z0.x[j][i] * a_rows.x[j][i];
        d_a.x[j][i] += d_z0.x[j][i] / scale;
      }
    return dot;
  }
};

/// The same for any M, in the block's slot of the workspace. All gradients are carried transposed: d_z and
/// d_a are (d_Z)^T and (d_A)^T.
struct PinvGradient {
  Squares squares;
  float* iterates;                                        // [steps, M, M]
  float *a, *z, *x, *t2, *t3, *d_z, *spare, *d_a, *room;  // room: three matrices

  static constexpr int kMatrices = 11;  ///< beside the iterates

  __device__ PinvGradient(const Squares& squares_of_block, float* slot, int steps)
      : squares(squares_of_block), iterates(slot) {
    const auto square = [&](int i) {
      return slot + static_cast<std::int64_t>(steps + i) * squares.m * squares.m;
    };
    a = square(0);
    z = square(1);
    x = square(2);
    t2 = square(3);
    t3 = square(4);
    d_z = square(5);
    spare = square(6);
    d_a = square(7);
    room = square(8);
  }

  __device__ void copy(float* to, const float* from) const {
    for (int e = static_cast<int>(threadIdx.x); e < squares.m * squares.m; e += kSquareThreads)
      to[e] = from[e];
    __syncthreads();
  }
  __device__ float* iterate(int i) const {
    return iterates + static_cast<std::int64_t>(i) * squares.m * squares.m;
  }

  /// A from memory, and the iterates up to the last step's, which stays in z; d_A is zero.
  __device__ void begin(const float* a_in_memory, float scale, int steps) const {
    squares.zero(d_a);
    copy(a, a_in_memory);
    squares.first_iterate(a, scale, z);
    __syncthreads();
    for (int i = 0; i + 1 < steps; ++i) {
      copy(iterate(i), z);
      squares.step(a, z, x, t2, t3);
      squares.product(spare, {.a = z, .b = t3, .alpha = 0.25F});
      copy(z, spare);
    }
  }
  __device__ void load_iterate(int i) const { copy(z, iterate(i)); }

  /// Back through the step that begins with z.
  __device__ void step_back() const {
    const int size = squares.m * squares.m;
    float *const next = room, *const d_t3 = room + size, *const d_t2 = room + 2 * size;
    float* const d_x = spare;
    squares.step(a, z, x, t2, t3);
    squares.product(next, {.a = t3, .b = d_z, .alpha = 0.25F});
    squares.product(d_t3, {.a = d_z, .b = z, .alpha = 0.25F});
    squares.product(d_x, {.a = t2, .b = d_t3, .alpha = -1});
    squares.product(d_t2, {.a = d_t3, .b = x, .alpha = -1});
    squares.product(d_x, {.a = x, .b = d_t2, .x = d_x, .beta = 1, .y = d_t2, .gamma = -7});
    squares.product(d_x, {.a = d_t2, .b = x, .x = d_x, .beta = 1});
    squares.product(d_a, {.a = z, .b = d_x, .x = d_a, .beta = 1});
    squares.product(next, {.a = d_x, .b = a, .x = next, .beta = 1});
    copy(d_z, next);
  }

  /// As SmallPinvGradient::finish, into memory.
  __device__ float finish(float scale, float* d_a_in_memory) const {
    const int m = squares.m;
    float dot = 0;
    squares.for_each([&](int i, int j) {
      d_a_in_memory[i * m + j] = d_a[j * m + i] + d_z[i * m + j] / scale;
      dot += d_z[i * m + j] * a[i * m + j];
    });
    return dot;
  }
};

}  // namespace nystrom::cuda
