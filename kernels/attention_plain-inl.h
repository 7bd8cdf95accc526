#pragma once
// The definition of attention.h written down plainly, one (sequence, head) at a time: nothing fast.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/attention.h"
#include "kernels/core/philox.h"

namespace nystrom::plain {

using Index = std::int64_t;

template <class C>
struct Matrix {
  Index rows = 0, cols = 0;
  std::vector<C> values;

  Matrix() = default;
  Matrix(Index r, Index c) : rows(r), cols(c), values(static_cast<std::size_t>(r * c)) {}
  C& operator()(Index i, Index j) { return values[static_cast<std::size_t>(i * cols + j)]; }
  C operator()(Index i, Index j) const { return values[static_cast<std::size_t>(i * cols + j)]; }
};

template <class C>
Matrix<C> transposed(const Matrix<C>& a) {
  Matrix<C> t(a.cols, a.rows);
  for (Index i = 0; i < a.rows; ++i)
    for (Index j = 0; j < a.cols; ++j) t(j, i) = a(i, j);
  return t;
}

template <class C>
Matrix<C> operator*(const Matrix<C>& a, const Matrix<C>& b) {
  Matrix<C> y(a.rows, b.cols);
  for (Index i = 0; i < a.rows; ++i)
    for (Index k = 0; k < a.cols; ++k)
      for (Index j = 0; j < b.cols; ++j) y(i, j) += a(i, k) * b(k, j);
  return y;
}

template <class C>
Matrix<C> operator*(C factor, Matrix<C> a) {
  for (C& x : a.values) x *= factor;
  return a;
}

template <class C>
Matrix<C>& operator+=(Matrix<C>& a, const Matrix<C>& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values[i];
  return a;
}

/// factor I - a
template <class C>
Matrix<C> identity_minus(C factor, const Matrix<C>& a) {
  Matrix<C> y = C(-1) * a;
  for (Index i = 0; i < a.rows; ++i) y(i, i) += factor;
  return y;
}

/// The softmax of each row over its first `keys` columns; zero beyond.
template <class C>
Matrix<C> softmax_rows(Matrix<C> s, Index keys) {
  for (Index i = 0; i < s.rows; ++i) {
    C largest = -std::numeric_limits<C>::infinity(), sum = 0;
    for (Index j = 0; j < keys; ++j) largest = std::max(largest, s(i, j));
    for (Index j = 0; j < s.cols; ++j) sum += s(i, j) = j < keys ? std::exp(s(i, j) - largest) : C(0);
    for (Index j = 0; j < s.cols; ++j) s(i, j) /= sum;
  }
  return s;
}

/// d_s of p = softmax_rows(s).
template <class C>
Matrix<C> softmax_rows_backward(const Matrix<C>& p, Matrix<C> d_p) {
  for (Index i = 0; i < p.rows; ++i) {
    C dot = 0;
    for (Index j = 0; j < p.cols; ++j) dot += p(i, j) * d_p(i, j);
    for (Index j = 0; j < p.cols; ++j) d_p(i, j) = p(i, j) * (d_p(i, j) - dot);
  }
  return d_p;
}

template <class C>
Matrix<C> segment_means(const Matrix<C>& x, Index m) {
  Matrix<C> y(m, x.cols);
  for (Index j = 0; j < m; ++j) {
    const Index begin = j * x.rows / m, end = (j + 1) * x.rows / m;
    for (Index i = begin; i < end; ++i)
      for (Index d = 0; d < x.cols; ++d) y(j, d) += x(i, d) / static_cast<C>(end - begin);
  }
  return y;
}

template <class C>
Matrix<C> segment_means_backward(const Matrix<C>& d_y, Index n) {
  Matrix<C> d_x(n, d_y.cols);
  for (Index j = 0; j < d_y.rows; ++j) {
    const Index begin = j * n / d_y.rows, end = (j + 1) * n / d_y.rows;
    for (Index i = begin; i < end; ++i)
      for (Index d = 0; d < d_y.cols; ++d) d_x(i, d) = d_y(j, d) / static_cast<C>(end - begin);
  }
  return d_x;
}

/// |a|_1, and which column has it.
template <class C>
std::pair<C, Index> one_norm(const Matrix<C>& a) {
  std::pair<C, Index> best{C(0), Index{0}};
  for (Index j = 0; j < a.cols; ++j) {
    C sum = 0;
    for (Index i = 0; i < a.rows; ++i) sum += a(i, j);
    if (sum > best.first) best = {sum, j};
  }
  return best;
}

template <class C>
Matrix<C> pseudo_inverse(const Matrix<C>& a, C scale, int iterations) {
  Matrix<C> z = (C(1) / scale) * transposed(a);
  for (int step = 0; step < iterations; ++step) {
    const Matrix<C> az = a * z;
    const Matrix<C> t2 = identity_minus(C(15), az * identity_minus(C(7), az));
    z = C(0.25) * (z * identity_minus(C(13), az * t2));
  }
  return z;
}

/// d_a without the part through `scale`, and d_scale.
template <class C>
std::pair<Matrix<C>, C> pseudo_inverse_backward(const Matrix<C>& a, C scale, int iterations, Matrix<C> d_z) {
  std::vector<Matrix<C>> zs{(C(1) / scale) * transposed(a)};
  for (int step = 1; step < iterations; ++step) zs.push_back(pseudo_inverse(a, scale, step));
  Matrix<C> d_a(a.rows, a.cols);
  for (int step = iterations - 1; step >= 0; --step) {
    const Matrix<C>& z = zs[static_cast<std::size_t>(step)];
    const Matrix<C> az = a * z, t1 = identity_minus(C(7), az), t2 = identity_minus(C(15), az * t1),
                    t3 = identity_minus(C(13), az * t2);
    const Matrix<C> d_t3 = C(0.25) * (transposed(z) * d_z);
    d_z = C(0.25) * (d_z * transposed(t3));
    const Matrix<C> d_t2 = C(-1) * (transposed(az) * d_t3), d_t1 = C(-1) * (transposed(az) * d_t2);
    Matrix<C> d_az = C(-1) * (d_t3 * transposed(t2));
    d_az += C(-1) * (d_t2 * transposed(t1));
    d_az += C(-1) * d_t1;
    d_a += d_az * transposed(z);
    d_z += transposed(a) * d_az;
  }
  C d_scale = 0;
  for (std::size_t i = 0; i < d_z.values.size(); ++i) d_scale -= d_z.values[i] * zs[0].values[i] / scale;
  d_a += (C(1) / scale) * transposed(d_z);
  return {d_a, d_scale};
}

/// y[i, d] = sum_k w[k] x[i + k - K / 2, d].
template <class C>
Matrix<C> depthwise_conv(const Matrix<C>& x, const C* w, Index taps, bool flipped = false) {
  Matrix<C> y(x.rows, x.cols);
  for (Index i = 0; i < x.rows; ++i)
    for (Index k = 0; k < taps; ++k) {
      const Index from = i + k - taps / 2;
      if (from < 0 || from >= x.rows) continue;
      for (Index d = 0; d < x.cols; ++d) y(i, d) += w[flipped ? taps - 1 - k : k] * x(from, d);
    }
  return y;
}

/// 0, or what a kept probability is multiplied by.
template <class C>
Matrix<C> dropout_mask(const Dropout& dropout, std::uint64_t sample, Index head, Index n) {
  Matrix<C> mask(n, n);
  for (Index e = 0; e < n * n; ++e) {
    const auto element = static_cast<std::uint64_t>(head * n * n + e);
    const PhiloxCounter words = draw(dropout.seed, Purpose::kDropout, dropout.site, sample, element / 8);
    const std::uint32_t bits = words[element % 8 / 2] >> (element % 2 * 16) & 0xffffU;
    mask.values[static_cast<std::size_t>(e)] =
        bits >= dropout.threshold() ? static_cast<C>(dropout.scale()) : C(0);
  }
  return mask;
}

template <class C>
Matrix<C> times(Matrix<C> a, const Matrix<C>& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] *= b.values[i];
  return a;
}

}  // namespace nystrom::plain
