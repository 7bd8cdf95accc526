#include "kernels/cpu/attention/tile_ops.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention/tile_ops.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

using Index = std::int64_t;

/// The operations on tiles alone.
template <class C>
struct Tiles {
  static void zero(C* HWY_RESTRICT x, Index count) {
#pragma omp simd
    for (Index i = 0; i < count; ++i) x[i] = C(0);
  }
  static void zero_padding(const Tile<C>& tile, Index rows, Index columns) {
    if (columns == padded(columns)) return;
    for (Index i = 0; i < rows; ++i) zero(tile.row(i) + columns, padded(columns) - columns);
  }

  /// to [0..4, 0..4) = factor * from^T; rows of `from` at and beyond `height` count as zero.
  static HWY_INLINE void transpose_square(const Tile<float>& from, Index height, float factor,
                                          const Tile<float>& to) {
    const hn::FixedTag<float, 4> d;
    const auto by = hn::Set(d, factor);
    const auto row = [&](Index i) HWY_ATTR {
      return i < height ? hn::Mul(by, hn::LoadU(d, from.row(i))) : hn::Zero(d);
    };
    const auto r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
    const auto a = hn::InterleaveLower(d, r0, r1), b = hn::InterleaveUpper(d, r0, r1);
    const auto c = hn::InterleaveLower(d, r2, r3), e = hn::InterleaveUpper(d, r2, r3);
    hn::StoreU(hn::ConcatLowerLower(d, c, a), d, to.row(0));
    hn::StoreU(hn::ConcatUpperUpper(d, c, a), d, to.row(1));
    hn::StoreU(hn::ConcatLowerLower(d, e, b), d, to.row(2));
    hn::StoreU(hn::ConcatUpperUpper(d, e, b), d, to.row(3));
  }
  static void transpose_plainly(const Tile<C>& from, Index rows, Index begin, Index end, C factor,
                                const Tile<C>& to) {
    for (Index j = begin; j < end; ++j)
      for (Index i = 0; i < padded(rows); ++i) to.row(j)[i] = i < rows ? factor * from.row(i)[j] : C(0);
  }
  static void transpose(const Tile<C>& from, Index rows, Index columns, C factor, const Tile<C>& to) {
    Index done = 0;
    if constexpr (std::is_same_v<C, float>) {
      done = columns / 4 * 4;
      for (Index j = 0; j < done; j += 4)
        for (Index i = 0; i < padded(rows); i += 4)
          transpose_square({from.row(i) + j, from.stride}, rows - i, factor, {to.row(j) + i, to.stride});
    }
    transpose_plainly(from, rows, done, columns, factor, to);
  }

  static void unpack(const C* from, Index rows, Index columns, const Tile<C>& to) {
    for (Index i = 0; i < rows; ++i) std::copy_n(from + i * columns, columns, to.row(i));
    zero_padding(to, rows, columns);
  }
  static void pack(const Tile<C>& from, Index rows, Index columns, C* to) {
    for (Index i = 0; i < rows; ++i) std::copy_n(from.row(i), columns, to + i * columns);
  }

  static void add(C* HWY_RESTRICT x, const C* HWY_RESTRICT y, Index count) {
#pragma omp simd
    for (Index i = 0; i < count; ++i) x[i] += y[i];
  }

  static void multiply(const Tile<C>& x, const Tile<C>& y, Index rows, Index columns) {
    for (Index i = 0; i < rows; ++i) {
      C* HWY_RESTRICT a = x.row(i);
      const C* HWY_RESTRICT b = y.row(i);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) a[j] *= b[j];
    }
  }

  static void dropout_factors(const Dropout& dropout, Index sample, Index first, Index count, C* factors) {
    HWY_ALIGN std::uint16_t room[dropout_room(64)];
    const std::uint16_t* bits = dropout_bits(dropout, sample, first, count, room);
    const std::uint32_t threshold = dropout.threshold();
    const auto scale = static_cast<C>(dropout.scale());
    for (Index e = 0; e < count; ++e) factors[e] = bits[e] >= threshold ? scale : C(0);
  }

  static C dot(const C* HWY_RESTRICT a, const C* HWY_RESTRICT b, Index count) {
    C sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
  }
  static void row_dots(const Tile<C>& a, const Tile<C>& b, Index rows, Index columns, C* result) {
    for (Index i = 0; i < rows; ++i) result[i] = dot(a.row(i), b.row(i), columns);
  }

  static void scale_rows(const Tile<C>& x, Index rows, Index columns, const C* factors) {
    for (Index i = 0; i < rows; ++i) {
      C* HWY_RESTRICT a = x.row(i);
      const C factor = factors[i];
#pragma omp simd
      for (Index j = 0; j < columns; ++j) a[j] *= factor;
    }
  }

  static void add_scaled_rows(const Tile<C>& x, const Tile<C>& y, Index rows, Index columns,
                              const C* factors) {
    for (Index i = 0; i < rows; ++i) {
      C* HWY_RESTRICT a = x.row(i);
      const C* HWY_RESTRICT b = y.row(i);
      const C factor = factors[i];
#pragma omp simd
      for (Index j = 0; j < columns; ++j) a[j] += factor * b[j];
    }
  }

  static void add_to_rows(const Tile<C>& x, Index rows, Index columns, const C* row) {
    for (Index i = 0; i < rows; ++i) add(x.row(i), row, columns);
  }

  static void add_column_sums(const Tile<C>& x, Index rows, Index columns, C* sums) {
    for (Index i = 0; i < rows; ++i) add(sums, x.row(i), columns);
  }

  static void elu_features(const Tile<C>& x, Index rows, Index columns) {
    for (Index i = 0; i < rows; ++i) {
      C* HWY_RESTRICT a = x.row(i);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) {
        const C below = fast_exp(a[j] < C(0) ? a[j] : C(0));
        a[j] = a[j] > C(0) ? a[j] + C(1) : below;
      }
    }
  }

  static void elu_features_backward(const Tile<C>& y, const Tile<C>& d, Index rows, Index columns) {
    for (Index i = 0; i < rows; ++i) {
      const C* HWY_RESTRICT a = y.row(i);
      C* HWY_RESTRICT b = d.row(i);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) b[j] *= a[j] < C(1) ? a[j] : C(1);
    }
  }

  static void row_softmax(const Tile<C>& s, Index rows, Index columns, C* stats, Index stats_stride) {
    for (Index i = 0; i < rows; ++i) {
      C* HWY_RESTRICT x = s.row(i);
      C largest = -std::numeric_limits<C>::infinity();
#pragma omp simd reduction(max : largest)
      for (Index j = 0; j < columns; ++j) largest = x[j] > largest ? x[j] : largest;
      C sum = 0;
#pragma omp simd reduction(+ : sum)
      for (Index j = 0; j < columns; ++j) {
        const C e = fast_exp(x[j] - largest);
        x[j] = e;
        sum += e;
      }
      const C inverse = C(1) / sum;
#pragma omp simd
      for (Index j = 0; j < columns; ++j) x[j] *= inverse;
      stats[i * stats_stride] = largest;
      stats[i * stats_stride + 1] = inverse;
    }
    zero_padding(s, rows, columns);
  }

  static void row_softmax_again(const Tile<C>& s, Index rows, Index columns, const C* stats,
                                Index stats_stride) {
    for (Index i = 0; i < rows; ++i) {
      C* HWY_RESTRICT x = s.row(i);
      const C largest = stats[i * stats_stride], inverse = stats[i * stats_stride + 1];
#pragma omp simd
      for (Index j = 0; j < columns; ++j) x[j] = fast_exp(x[j] - largest) * inverse;
    }
    zero_padding(s, rows, columns);
  }

  static void row_softmax_backward(const Tile<C>& p, const Tile<C>& d_p, Index rows, Index columns) {
    for (Index i = 0; i < rows; ++i) {
      const C* HWY_RESTRICT x = p.row(i);
      C* HWY_RESTRICT d = d_p.row(i);
      const C delta = dot(x, d, columns);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) d[j] = x[j] * (d[j] - delta);
    }
    zero_padding(d_p, rows, columns);
  }

  static void column_softmax_start(const ColumnSoftmax<C>& softmax) {
    for (Index j = 0; j < padded(softmax.columns); ++j) {
      softmax.maxima[j] = -std::numeric_limits<C>::infinity();
      softmax.sums[j] = C(0);
    }
    for (Index j = 0; j < softmax.columns; ++j) zero(softmax.weighted.row(j), padded(softmax.width));
  }

  static void scale_weighted(const ColumnSoftmax<C>& softmax) {
    for (Index j = 0; j < softmax.columns; ++j) {
      const C factor = softmax.factors[j];
      if (factor == C(1)) continue;
      C* HWY_RESTRICT x = softmax.weighted.row(j);
#pragma omp simd
      for (Index d = 0; d < softmax.width; ++d) x[d] *= factor;
    }
  }

  static void column_softmax_step(const ColumnSoftmax<C>& softmax, const Tile<C>& s, Index rows) {
    const Index columns = padded(softmax.columns);
    C* HWY_RESTRICT maxima = softmax.maxima;
    C* HWY_RESTRICT sums = softmax.sums;
    C* HWY_RESTRICT factors = softmax.factors;
    std::copy_n(maxima, columns, factors);
    for (Index i = 0; i < rows; ++i) {
      const C* HWY_RESTRICT x = s.row(i);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) maxima[j] = x[j] > maxima[j] ? x[j] : maxima[j];
    }
#pragma omp simd
    for (Index j = 0; j < columns; ++j) {
      factors[j] = fast_exp(factors[j] - maxima[j]);
      sums[j] *= factors[j];
    }
    for (Index i = 0; i < rows; ++i) {
      C* HWY_RESTRICT x = s.row(i);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) {
        const C e = fast_exp(x[j] - maxima[j]);
        x[j] = e;
        sums[j] += e;
      }
    }
    scale_weighted(softmax);
  }

  static void column_softmax_merge(const ColumnSoftmax<C>& into, const ColumnSoftmax<C>& part) {
    for (Index j = 0; j < into.columns; ++j) {
      const C largest = std::max(into.maxima[j], part.maxima[j]);
      const C keep = fast_exp(into.maxima[j] - largest), take = fast_exp(part.maxima[j] - largest);
      C* HWY_RESTRICT x = into.weighted.row(j);
      const C* HWY_RESTRICT y = part.weighted.row(j);
#pragma omp simd
      for (Index d = 0; d < into.width; ++d) x[d] = x[d] * keep + y[d] * take;
      into.sums[j] = into.sums[j] * keep + part.sums[j] * take;
      into.maxima[j] = largest;
    }
  }

  static void column_softmax_finish(const ColumnSoftmax<C>& softmax) {
    for (Index j = 0; j < softmax.columns; ++j) softmax.factors[j] = softmax.sums[j] = C(1) / softmax.sums[j];
    scale_weighted(softmax);
  }

  static void column_softmax_again(const Tile<C>& s, Index rows, Index columns, const C* HWY_RESTRICT maxima,
                                   const C* HWY_RESTRICT inverse_sums) {
    for (Index i = 0; i < rows; ++i) {
      C* HWY_RESTRICT x = s.row(i);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) x[j] = fast_exp(x[j] - maxima[j]) * inverse_sums[j];
    }
    zero_padding(s, rows, columns);
  }

  static void column_softmax_backward(const Tile<C>& p, const Tile<C>& d_p, Index rows, Index columns,
                                      const C* HWY_RESTRICT deltas) {
    for (Index i = 0; i < rows; ++i) {
      const C* HWY_RESTRICT x = p.row(i);
      C* HWY_RESTRICT d = d_p.row(i);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) d[j] = x[j] * (d[j] - deltas[j]);
    }
    zero_padding(d_p, rows, columns);
  }

  static void add_segment_gradients_to_tile(const Tile<C>& d_means, Index m, Index n, Index begin,
                                            Index count, Index width, const Tile<C>& tile) {
    Index j = segment_of(begin, n, m);
    for (Index i = begin; i < begin + count; ++j) {
      const Index first = j * n / m, last = (j + 1) * n / m;
      const C factor = C(1) / static_cast<C>(last - first);
      const C* HWY_RESTRICT d = d_means.row(j);
      for (; i < std::min(last, begin + count); ++i) {
        C* HWY_RESTRICT x = tile.row(i - begin);
#pragma omp simd
        for (Index c = 0; c < width; ++c) x[c] += factor * d[c];
      }
    }
  }
};

/// The operations that touch activations.
template <class T>
struct Rows {
  using C = Compute<T>;

  /// The rows of one head are a token's width apart, each in its own pages, where no prefetcher follows.
  static HWY_INLINE void prefetch(const HeadRows<const T>& rows, Index n, Index row) {
    constexpr Index kAhead = 12, kLine = 64 / static_cast<Index>(sizeof(T));
    const T* const x = rows.row(std::min(row + kAhead, n - 1));
    for (Index c = 0; c < rows.width; c += kLine) __builtin_prefetch(x + c);
  }

  static void load_rows(const HeadRows<const T>& rows, Index n, Index begin, Index count,
                        const Tile<C>& tile) {
    for (Index i = 0; i < count; ++i) {
      C* HWY_RESTRICT y = tile.row(i);
      if (begin + i < 0 || begin + i >= n) {
        Tiles<C>::zero(y, padded(rows.width));
        continue;
      }
      prefetch(rows, n, begin + i);
      const T* HWY_RESTRICT x = rows.row(begin + i);
#pragma omp simd
      for (Index c = 0; c < rows.width; ++c) y[c] = load(x[c]);
    }
    Tiles<C>::zero_padding(tile, count, rows.width);
  }

  static void store_rows(const Tile<C>& tile, Index count, const HeadRows<T>& rows, Index begin) {
    for (Index i = 0; i < count; ++i) {
      const C* HWY_RESTRICT x = tile.row(i);
      T* HWY_RESTRICT y = rows.row(begin + i);
#pragma omp simd
      for (Index c = 0; c < rows.width; ++c) store(y[c], x[c]);
    }
  }

  static void segment_means(const HeadRows<const T>& rows, Index n, Index m, const Tile<C>& means) {
    for (Index j = 0; j < m; ++j) {
      const Index first = j * n / m, last = (j + 1) * n / m;
      C* HWY_RESTRICT y = means.row(j);
      Tiles<C>::zero(y, padded(rows.width));
      for (Index i = first; i < last; ++i) {
        prefetch(rows, n, i);
        const T* HWY_RESTRICT x = rows.row(i);
#pragma omp simd
        for (Index c = 0; c < rows.width; ++c) y[c] += load(x[c]);
      }
      const C factor = C(1) / static_cast<C>(last - first);
#pragma omp simd
      for (Index c = 0; c < rows.width; ++c) y[c] *= factor;
    }
  }

  static void add_segment_sums(const HeadRows<const T>& rows, Index n, Index m, Index begin, Index count,
                               const Tile<C>& sums) {
    for (Index j = segment_of(begin, n, m), i = begin; i < begin + count; ++j) {
      C* HWY_RESTRICT y = sums.row(j);
      for (const Index end = std::min((j + 1) * n / m, begin + count); i < end; ++i) {
        prefetch(rows, count, i - begin);
        const T* HWY_RESTRICT x = rows.row(i - begin);
#pragma omp simd
        for (Index c = 0; c < rows.width; ++c) y[c] += load(x[c]);
      }
    }
  }

  static void add_segment_gradients(const Tile<C>& d_means, Index m, const HeadRows<T>& rows, Index n,
                                    Index begin, Index count) {
    for (Index j = segment_of(begin, n, m), i = begin; i < begin + count; ++j) {
      const Index first = j * n / m, last = (j + 1) * n / m;
      const C factor = C(1) / static_cast<C>(last - first);
      const C* HWY_RESTRICT d = d_means.row(j);
      for (const Index end = std::min(last, begin + count); i < end; ++i) {
        prefetch({rows.data, rows.stride, rows.width}, count, i - begin);
        T* HWY_RESTRICT x = rows.row(i - begin);
#pragma omp simd
        for (Index c = 0; c < rows.width; ++c) store(x[c], load(x[c]) + factor * d[c]);
      }
    }
  }
};

template <class T>
constexpr TileOps<T> make_ops() {
  using Plain = Tiles<Compute<T>>;
  return {.load_rows = Rows<T>::load_rows,
          .store_rows = Rows<T>::store_rows,
          .segment_means = Rows<T>::segment_means,
          .add_segment_sums = Rows<T>::add_segment_sums,
          .add_segment_gradients = Rows<T>::add_segment_gradients,
          .add_segment_gradients_to_tile = Plain::add_segment_gradients_to_tile,
          .transpose = Plain::transpose,
          .unpack = Plain::unpack,
          .pack = Plain::pack,
          .add = Plain::add,
          .multiply = Plain::multiply,
          .dropout_factors = Plain::dropout_factors,
          .row_dots = Plain::row_dots,
          .scale_rows = Plain::scale_rows,
          .add_scaled_rows = Plain::add_scaled_rows,
          .add_to_rows = Plain::add_to_rows,
          .add_column_sums = Plain::add_column_sums,
          .elu_features = Plain::elu_features,
          .elu_features_backward = Plain::elu_features_backward,
          .row_softmax = Plain::row_softmax,
          .row_softmax_again = Plain::row_softmax_again,
          .row_softmax_backward = Plain::row_softmax_backward,
          .column_softmax_start = Plain::column_softmax_start,
          .column_softmax_step = Plain::column_softmax_step,
          .column_softmax_merge = Plain::column_softmax_merge,
          .column_softmax_finish = Plain::column_softmax_finish,
          .column_softmax_again = Plain::column_softmax_again,
          .column_softmax_backward = Plain::column_softmax_backward};
}
template <class T>
constexpr TileOps<T> kOps = make_ops<T>();

const TileOps<float>* ops_f32() {
  return &kOps<float>;
}
const TileOps<BF16>* ops_bf16() {
  return &kOps<BF16>;
}
const TileOps<double>* ops_f64() {
  return &kOps<double>;
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(ops_f32);
HWY_EXPORT(ops_bf16);
HWY_EXPORT(ops_f64);

template <>
const TileOps<float>& tile_ops<float>() {
  return *HWY_DYNAMIC_DISPATCH(ops_f32)();
}
template <>
const TileOps<BF16>& tile_ops<BF16>() {
  return *HWY_DYNAMIC_DISPATCH(ops_bf16)();
}
template <>
const TileOps<double>& tile_ops<double>() {
  return *HWY_DYNAMIC_DISPATCH(ops_f64)();
}

}  // namespace nystrom
#endif
