#pragma once
// Operations on tiles of rows between their matrix products: loading and storing with conversion,
// transposes, softmaxes along rows and along columns, and their gradients. One thread, vectorized, no
// allocation. A tile is [rows, columns] in compute dtype; its row stride is a multiple of kTilePad and covers
// padded(columns), and its padding holds zeros unless stated otherwise.

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/attention/tile_gemm.h"
#include "kernels/sequences.h"
#include "kernels/tensor/dtype.h"

namespace nystrom {

/// A tile or a part of it.
template <class C>
struct Tile {
  C* data = nullptr;
  std::int64_t stride = 0;

  [[nodiscard]] C* row(std::int64_t i) const { return data + i * stride; }
};

template <class C>
void clear(const Tile<C>& tile, std::int64_t rows) {
  std::fill_n(tile.data, rows * tile.stride, C(0));
}

/// c [rows, columns] = alpha a b, or c += alpha a b, of tiles whole rows of which are products' operands.
template <class C>
void multiply(std::int64_t rows, std::int64_t columns, std::int64_t inner, const Tile<C>& a, const Tile<C>& b,
              const Tile<C>& c, C alpha = C(1), bool accumulate = false) {
  small_gemm(SmallGemm<C>{rows, columns, inner, a.data, a.stride, 1, b.data, b.stride, c.data, c.stride,
                          alpha, accumulate});
}
/// The same with a^T in a's place: a [inner, rows].
template <class C>
void multiply_transposed(std::int64_t rows, std::int64_t columns, std::int64_t inner, const Tile<C>& a,
                         const Tile<C>& b, const Tile<C>& c, C alpha = C(1), bool accumulate = false) {
  small_gemm(SmallGemm<C>{rows, columns, inner, a.data, 1, a.stride, b.data, b.stride, c.data, c.stride,
                          alpha, accumulate});
}

/// One head's columns of the rows of one sequence in an activation tensor.
template <class T>
struct HeadRows {
  T* data = nullptr;        ///< row 0 of the sequence
  std::int64_t stride = 0;  ///< elements from row to row
  std::int64_t width = 0;   ///< D

  [[nodiscard]] T* row(std::int64_t i) const { return data + i * stride; }
};

/// The segment that row `row` of n is in, the last j with floor(j n / m) <= row: also the number of
/// segments that end at or before the row.
constexpr std::int64_t segment_of(std::int64_t row, std::int64_t n, std::int64_t m) {
  return ((row + 1) * m - 1) / n;
}

/// `columns` softmaxes, one a column, whose logits arrive in blocks of rows: running statistics and weighted
/// sum.
template <class C>
struct ColumnSoftmax {
  C* maxima = nullptr;   ///< [padded(columns)]
  C* sums = nullptr;     ///< [padded(columns)]: sum_i e^(s [i, j] - maxima [j])
  C* factors = nullptr;  ///< [padded(columns)] scratch
  Tile<C> weighted;      ///< [columns, width]: sum_i e^(s [i, j] - maxima [j]) v [i, :]
  std::int64_t columns = 0, width = 0;
};

/// The operations, for activations of type T, of the best instruction set of this machine.
template <class T>
struct TileOps {
  using C = Compute<T>;
  using Index = std::int64_t;

  // ---- between activations and tiles

  /// tile [i, :] = rows [begin + i, :] for i < count, zero where begin + i is outside [0, n).
  void (*load_rows)(const HeadRows<const T>& rows, Index n, Index begin, Index count, const Tile<C>& tile);
  /// rows [begin + i, :] = tile [i, :]
  void (*store_rows)(const Tile<C>& tile, Index count, const HeadRows<T>& rows, Index begin);
  /// means [j, :] = the mean of rows [floor(j n / m), floor((j + 1) n / m))
  void (*segment_means)(const HeadRows<const T>& rows, Index n, Index m, const Tile<C>& means);
  /// sums [j, :] += the rows [begin, begin + count) of n, of which `rows` has the first one, that are in
  /// segment j; in their order
  void (*add_segment_sums)(const HeadRows<const T>& rows, Index n, Index m, Index begin, Index count,
                           const Tile<C>& sums);
  /// rows [i, :] += d_means [j, :] / size of segment j that begin + i is in, for i < count
  void (*add_segment_gradients)(const Tile<C>& d_means, Index m, const HeadRows<T>& rows, Index n,
                                Index begin, Index count);
  /// The same for a tile of the rows [begin, begin + count).
  void (*add_segment_gradients_to_tile)(const Tile<C>& d_means, Index m, Index n, Index begin, Index count,
                                        Index width, const Tile<C>& tile);

  // ---- plain tiles

  /// to [j, i] = factor * from [i, j] for i < rows, j < columns; the padding of `to` is zeroed.
  void (*transpose)(const Tile<C>& from, Index rows, Index columns, C factor, const Tile<C>& to);
  /// to [i, j] = from [i, j] with `from` without padding; the padding of `to` is zeroed.
  void (*unpack)(const C* from, Index rows, Index columns, const Tile<C>& to);
  /// The other way round.
  void (*pack)(const Tile<C>& from, Index rows, Index columns, C* to);
  /// x += y over `count` elements
  void (*add)(C* x, const C* y, Index count);
  /// x [i, j] *= y [i, j]
  void (*multiply)(const Tile<C>& x, const Tile<C>& y, Index rows, Index columns);
  /// factors [e] = 0, or the scale of what is kept, of elements [first, first + count), count <= 64
  /// (sequences.h).
  void (*dropout_factors)(const Dropout& dropout, Index sample, Index first, Index count, C* factors);
  /// result [i] = sum_j a [i, j] b [i, j]
  void (*row_dots)(const Tile<C>& a, const Tile<C>& b, Index rows, Index columns, C* result);

  /// x [i, :] *= factors [i]
  void (*scale_rows)(const Tile<C>& x, Index rows, Index columns, const C* factors);
  /// x [i, :] += factors [i] * y [i, :]
  void (*add_scaled_rows)(const Tile<C>& x, const Tile<C>& y, Index rows, Index columns, const C* factors);
  /// x [i, j] += row [j]
  void (*add_to_rows)(const Tile<C>& x, Index rows, Index columns, const C* row);
  /// sums [j] += sum_i x [i, j]
  void (*add_column_sums)(const Tile<C>& x, Index rows, Index columns, C* sums);

  // ---- the feature map of linear attention

  /// x becomes elu(x) + 1.
  void (*elu_features)(const Tile<C>& x, Index rows, Index columns);
  /// d *= the slope of elu where elu + 1 is y: the smaller of 1 and y.
  void (*elu_features_backward)(const Tile<C>& y, const Tile<C>& d, Index rows, Index columns);

  // ---- softmax along rows

  /// Logits to probabilities; stats [i * stats_stride + {0, 1}] = row maximum, 1 / row sum. Padding becomes
  /// 0.
  void (*row_softmax)(const Tile<C>& s, Index rows, Index columns, C* stats, Index stats_stride);
  /// The same probabilities again, from the statistics.
  void (*row_softmax_again)(const Tile<C>& s, Index rows, Index columns, const C* stats, Index stats_stride);
  /// d_p becomes d_s = p (d_p - sum_j p d_p)
  void (*row_softmax_backward)(const Tile<C>& p, const Tile<C>& d_p, Index rows, Index columns);

  // ---- softmax along columns

  void (*column_softmax_start)(const ColumnSoftmax<C>& softmax);
  /// Takes in the logits s [rows, columns], rows > 0, which become e^(s - maxima), and scales what was there
  /// to the new maxima. The caller then adds s^T v to `weighted`.
  void (*column_softmax_step)(const ColumnSoftmax<C>& softmax, const Tile<C>& s, Index rows);
  /// Takes in another part of the same softmaxes.
  void (*column_softmax_merge)(const ColumnSoftmax<C>& into, const ColumnSoftmax<C>& part);
  /// weighted [j, :] /= sums [j]; sums [j] becomes 1 / sums [j].
  void (*column_softmax_finish)(const ColumnSoftmax<C>& softmax);
  /// s [i, j] = e^(s [i, j] - maxima [j]) * inverse_sums [j]
  void (*column_softmax_again)(const Tile<C>& s, Index rows, Index columns, const C* maxima,
                               const C* inverse_sums);
  /// d_p becomes d_s = p (d_p - deltas [j])
  void (*column_softmax_backward)(const Tile<C>& p, const Tile<C>& d_p, Index rows, Index columns,
                                  const C* deltas);
};

/// T is float, BF16 or double.
template <class T>
const TileOps<T>& tile_ops();

}  // namespace nystrom
