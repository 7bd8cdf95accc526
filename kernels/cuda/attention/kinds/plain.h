#pragma once
// Plain building blocks for kinds of attention whose kernels have not been tuned: blocks of four warps that
// work on fp32 tiles in shared memory, a product an element at a time. Correct and reasonably parallel; no
// tensor cores. Included by .cu files only.

#include "kernels/cuda/attention/problem.h"
#include "kernels/tensor/cuda/device_code.h"

namespace nystrom::cuda {

inline constexpr int kPlainRows = 32;  ///< rows of a tile, on either side
inline constexpr int kPlainThreads = 128;

/// A matrix of fp32 in shared or global memory.
struct Plain {
  float* data = nullptr;
  int stride = 0;

  __device__ float& at(int row, int column) const {
    return data[static_cast<std::int64_t>(row) * stride + column];
  }
};

/// Rows are a word apart from a multiple of 32, so that columns meet all banks.
constexpr int plain_stride(int columns) {
  return (columns + 31) / 32 * 32 + 1;
}
constexpr std::size_t plain_floats(int rows, int columns) {
  return static_cast<std::size_t>(rows * plain_stride(columns));
}

/// Cuts matrices and vectors from a block's shared memory.
class PlainCarver {
 public:
  __device__ explicit PlainCarver(float* base) : next_(base) {}
  __device__ Plain matrix(int rows, int columns) {
    const Plain piece{next_, plain_stride(columns)};
    next_ += rows * piece.stride;
    return piece;
  }
  __device__ float* vector(int count) {
    float* const piece = next_;
    next_ += count;
    return piece;
  }

 private:
  float* next_;
};

/// f(row, column) for the elements of [rows, columns], shared among the block's threads.
template <class F>
__device__ inline void for_elements(int rows, int columns, const F& f) {
  for (int e = static_cast<int>(threadIdx.x); e < rows * columns; e += kPlainThreads)
    f(e / columns, e % columns);
}

/// to = rows [0, rows) of `from`, `stride` elements apart.
template <class T>
__device__ inline void load_plain(const Plain& to, const T* from, std::int64_t stride, int rows,
                                  int columns) {
  for_elements(rows, columns, [&](int i, int j) { to.at(i, j) = load(from + i * stride + j); });
}
template <class T>
__device__ inline void store_plain(const Plain& from, T* to, std::int64_t stride, int rows, int columns) {
  for_elements(rows, columns, [&](int i, int j) { store(to + i * stride + j, from.at(i, j)); });
}
__device__ inline void zero_plain(const Plain& to, int rows, int columns) {
  for_elements(rows, columns, [&](int i, int j) { to.at(i, j) = 0; });
}

enum class Turned { kNo, kYes };

/// sum_p a [i, p] b [p, j], each of the two perhaps transposed.
template <Turned kA, Turned kB>
__device__ inline float product_at(const Plain& a, const Plain& b, int i, int j, int inner) {
  float sum = 0;
  for (int p = 0; p < inner; ++p)
    sum = fmaf(kA == Turned::kNo ? a.at(i, p) : a.at(p, i), kB == Turned::kNo ? b.at(p, j) : b.at(j, p), sum);
  return sum;
}
/// c [rows, columns] = alpha a b, or c += alpha a b.
template <Turned kA, Turned kB>
__device__ inline void multiply(const Plain& c, const Plain& a, const Plain& b, int rows, int columns,
                                int inner, float alpha = 1, bool accumulate = false) {
  for_elements(rows, columns, [&](int i, int j) {
    const float sum = alpha * product_at<kA, kB>(a, b, i, j, inner);
    c.at(i, j) = accumulate ? c.at(i, j) + sum : sum;
  });
}

/// sums [i] += sum_j a [i, j] b [i, j].
__device__ inline void add_row_dots(const Plain& a, const Plain& b, int rows, int columns, float* sums) {
  for (int i = warp_index(); i < rows; i += kPlainThreads / kWarp) {
    float sum = 0;
    for (int j = lane_index(); j < columns; j += kWarp) sum += a.at(i, j) * b.at(i, j);
    sum = warp_sum(sum);
    if (lane_index() == 0) sums[i] += sum;
  }
}

/// One element of the convolution of x [n, D] (rows `stride` apart), or with the filter reversed.
template <class T>
__device__ inline float convolved(const T* x, std::int64_t stride, int n, int row, int column,
                                  const float* filter, int taps, bool reversed) {
  float sum = 0;
  for (int k = 0; k < taps; ++k) {
    const int from = row + k - taps / 2;
    if (from >= 0 && from < n)
      sum = fmaf(filter[reversed ? taps - 1 - k : k], load(x + from * stride + column), sum);
  }
  return sum;
}

/// Arguments of most kernels of a plain kind.
template <class T>
struct PlainPass {
  AttentionProblem problem;
  const T* qkv;         // [T, P C]
  const float* filter;  // [H, K]
  const T* d_out;       // [T, C]
  T* out;               // [T, C]
  T* d_qkv;             // [T, P C]
  float* row_stats;     // [H, T, 2]

  [[nodiscard]] __device__ std::int64_t channels() const {
    return static_cast<std::int64_t>(problem.heads) * problem.width;
  }
  /// Distance of rows in qkv.
  [[nodiscard]] __device__ std::int64_t stride() const { return value_stride(problem); }
  [[nodiscard]] __device__ const T* part(const AttentionItem& item, int index) const {
    return rows_of(qkv, problem, item, problem.projections, index);
  }
  [[nodiscard]] __device__ T* d_part(const AttentionItem& item, int index) const {
    return rows_of(d_qkv, problem, item, problem.projections, index);
  }
  [[nodiscard]] __device__ const T* values(const AttentionItem& item) const {
    return part(item, problem.projections - 1);
  }
  [[nodiscard]] __device__ const float* filter_of(const AttentionItem& item) const {
    return filter + item.head * problem.taps;
  }
  /// conv(v) at a row and channel.
  [[nodiscard]] __device__ float convolved_value(const AttentionItem& item, int row, int column) const {
    return problem.taps == 0 ? 0.0F
                             : convolved(values(item), stride(), item.rows, row, column, filter_of(item),
                                         problem.taps, false);
  }
  /// The gradient of v through conv(v).
  [[nodiscard]] __device__ float convolved_gradient(const AttentionItem& item, int row, int column) const {
    return problem.taps == 0 ? 0.0F
                             : convolved(rows_of(d_out, problem, item, 1, 0), channels(), item.rows, row,
                                         column, filter_of(item), problem.taps, true);
  }
  /// Rows [first, first + count) of out = context + conv(v).
  __device__ void store_context(const AttentionItem& item, int first, int count, const Plain& context) const {
    T* const to = rows_of(out, problem, item, 1, 0) + first * channels();
    for_elements(count, problem.width, [&](int i, int d) {
      store(to + i * channels() + d, context.at(i, d) + convolved_value(item, first + i, d));
    });
  }
  /// Rows [first, first + count) of d_v += the convolution's part, into d_qkv.
  __device__ void store_value_gradient(const AttentionItem& item, int first, int count,
                                       const Plain& d_v) const {
    T* const to = d_part(item, problem.projections - 1) + first * stride();
    for_elements(count, problem.width, [&](int i, int d) {
      store(to + i * stride() + d, d_v.at(i, d) + convolved_gradient(item, first + i, d));
    });
  }
  /// deltas [i] = d_out . (out - conv(v)) of row first + i.
  __device__ void deltas_of(const AttentionItem& item, int first, int count, float* deltas) const {
    const T* const y = rows_of(static_cast<const T*>(out), problem, item, 1, 0) + first * channels();
    const T* const g = rows_of(d_out, problem, item, 1, 0) + first * channels();
    for (int i = warp_index(); i < count; i += kPlainThreads / kWarp) {
      float sum = 0;
      for (int d = lane_index(); d < problem.width; d += kWarp)
        sum += load(g + i * channels() + d) *
               (load(y + i * channels() + d) - convolved_value(item, first + i, d));
      sum = warp_sum(sum);
      if (lane_index() == 0) deltas[i] = sum;
    }
  }
};

/// The softmaxes of a tile of queries, whose keys come tile by tile.
struct PlainSoftmax {
  float *maxima, *sums, *keep;  ///< [kPlainRows]
  Plain context;                ///< [kPlainRows, D]

  __device__ void start(int width) const {
    for (int i = static_cast<int>(threadIdx.x); i < kPlainRows; i += kPlainThreads) {
      maxima[i] = -INFINITY;
      sums[i] = 0;
    }
    zero_plain(context, kPlainRows, width);
  }
  /// Takes in the logits s [count, keys] (-inf: not seen), which become e^(s - maximum), and their values v.
  /// Between two calls of __syncthreads; ends with one.
  __device__ void take(const Plain& s, int count, int keys, const Plain& v, int width) const {
    for (int i = warp_index(); i < count; i += kPlainThreads / kWarp) {
      float largest = -INFINITY, sum = 0;
      for (int j = lane_index(); j < keys; j += kWarp) largest = fmaxf(largest, s.at(i, j));
      largest = fmaxf(warp_max(largest), maxima[i]);
      for (int j = lane_index(); j < keys; j += kWarp) {
        const float e = s.at(i, j) == -INFINITY ? 0.0F : expf(s.at(i, j) - largest);
        s.at(i, j) = e;
        sum += e;
      }
      sum = warp_sum(sum);
      const float before = maxima[i] == -INFINITY ? 0.0F : expf(maxima[i] - largest);
      __syncwarp();
      if (lane_index() == 0) {
        keep[i] = before;
        sums[i] = sums[i] * before + sum;
        maxima[i] = largest;
      }
    }
    __syncthreads();
    for_elements(count, width, [&](int i, int d) {
      context.at(i, d) = context.at(i, d) * keep[i] + product_at<Turned::kNo, Turned::kNo>(s, v, i, d, keys);
    });
    __syncthreads();
  }
  /// context becomes that of the softmax, sums 1 / sums.
  __device__ void finish(int count, int width) const {
    for_elements(count, width, [&](int i, int d) { context.at(i, d) /= sums[i]; });
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += kPlainThreads) sums[i] = 1.0F / sums[i];
    __syncthreads();
  }
};

/// Floats of shared memory that a PlainSoftmax takes.
constexpr std::size_t softmax_floats(int width) {
  return plain_floats(kPlainRows, width) + 3 * kPlainRows;
}
__device__ inline PlainSoftmax make_softmax(PlainCarver& carver, int width) {
  PlainSoftmax softmax{};
  softmax.context = carver.matrix(kPlainRows, width);
  softmax.maxima = carver.vector(kPlainRows);
  softmax.sums = carver.vector(kPlainRows);
  softmax.keep = carver.vector(kPlainRows);
  return softmax;
}

}  // namespace nystrom::cuda
