#pragma once
// Reference attention: the definitions in kernels/attention/nystrom.h and softmax.h and their backward,
// without optimization, one head of one sequence at a time.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "attention_case.h"
#include "kernels/core/philox.h"

namespace nystrom::testing::naive {

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

/// One head of one sequence.
template <class T>
struct Item {
  using C = Compute<T>;
  Index b, h, begin, n, keys, heads, width;  // width: D
  bool nystrom;
  C scale;

  Item(const CaseConfig& config, const Sequences& s, const Tensor& qkv, Index index)
      : b(index / config.heads),
        h(index % config.heads),
        heads(config.heads),
        width(qkv.dim(1) / 3 / config.heads) {
    const auto* offsets = s.offsets.data<std::int32_t>();
    begin = offsets[b];
    n = offsets[b + 1] - begin;
    keys = s.lengths.data<std::int32_t>()[b];
    nystrom = config.op == AttentionOp::kNystrom && n > config.landmarks;
    scale = C(1) / std::sqrt(static_cast<C>(width));
  }
  Matrix<C> load(const Tensor& x, Index part) const {
    Matrix<C> y(n, width);
    for (Index i = 0; i < n; ++i)
      for (Index d = 0; d < width; ++d)
        y(i, d) = static_cast<C>(x.data<T>()[(begin + i) * x.dim(1) + (part * heads + h) * width + d]);
    return y;
  }
  void store(const Matrix<C>& y, const Tensor& x, Index part) const {
    for (Index i = 0; i < n; ++i)
      for (Index d = 0; d < width; ++d)
        x.data<T>()[(begin + i) * x.dim(1) + (part * heads + h) * width + d] = static_cast<T>(y(i, d));
  }
};

template <class C>
struct Landmarks {
  Matrix<C> q, k, a;
  Landmarks(const Matrix<C>& qs, const Matrix<C>& ks, Index m, C scale)
      : q(segment_means(qs, m)), k(segment_means(ks, m)), a(softmax_rows(scale * (q * transposed(k)), m)) {}
};

/// The largest |A|_1 of the call: its value, its (sequence, head) and its column.
template <class T>
std::tuple<Compute<T>, Index, Index> batch_max(const CaseConfig& config, const Sequences& s,
                                               const Tensor& qkv) {
  std::tuple<Compute<T>, Index, Index> best{0, -1, -1};
  for (Index i = 0; i < s.count * config.heads; ++i) {
    const Item<T> item(config, s, qkv, i);
    if (!item.nystrom) continue;
    const Landmarks<Compute<T>> landmarks(item.load(qkv, 0), item.load(qkv, 1), config.landmarks, item.scale);
    const auto [norm, column] = one_norm(landmarks.a);
    if (norm > std::get<0>(best)) best = {norm, i, column};
  }
  return best;
}

template <class T>
void forward(const CaseArguments& args) {
  using C = Compute<T>;
  const CaseConfig& config = args.config;
  const Index m = config.landmarks;
  const bool shared = config.pinv_init == PinvInit::kBatchMax && config.op == AttentionOp::kNystrom;
  const auto best =
      shared ? batch_max<T>(config, args.inputs.sequences, args.inputs.qkv) : std::tuple<C, Index, Index>{};
  for (Index index = 0; index < args.inputs.sequences.count * config.heads; ++index) {
    const Item<T> item(config, args.inputs.sequences, args.inputs.qkv, index);
    const Matrix<C> q = item.load(args.inputs.qkv, 0), k = item.load(args.inputs.qkv, 1),
                    v = item.load(args.inputs.qkv, 2);
    Matrix<C> y;
    if (item.nystrom) {
      const Landmarks<C> l(q, k, m, item.scale);
      const Matrix<C> z =
          pseudo_inverse(l.a, shared ? std::get<0>(best) : one_norm(l.a).first, config.pinv_iterations);
      const Matrix<C> k3_v = softmax_rows(item.scale * (l.q * transposed(k)), item.keys) * v;
      y = softmax_rows(item.scale * (q * transposed(l.k)), m) * (z * k3_v);
    } else {
      Matrix<C> p = softmax_rows(item.scale * (q * transposed(k)), item.keys);
      if (config.op == AttentionOp::kSoftmax && args.inputs.dropout.active())
        p = times(p, dropout_mask<C>(args.inputs.dropout,
                                     static_cast<std::uint64_t>(
                                         args.inputs.keys.samples.data<std::int64_t>()[item.begin]),
                                     item.h, item.n));
      y = p * v;
    }
    if (config.taps > 0)
      y += depthwise_conv(v, args.inputs.conv_weight.data<C>() + item.h * config.taps, config.taps);
    item.store(y, args.inputs.out, 0);
  }
}

template <class T>
void backward(const CaseArguments& args) {
  using C = Compute<T>;
  const CaseConfig& config = args.config;
  const Index m = config.landmarks, items = args.inputs.sequences.count * config.heads;
  const bool shared = config.pinv_init == PinvInit::kBatchMax && config.op == AttentionOp::kNystrom;
  const auto best =
      shared ? batch_max<T>(config, args.inputs.sequences, args.inputs.qkv) : std::tuple<C, Index, Index>{};
  std::vector<C> d_scales(static_cast<std::size_t>(items));
  std::vector<Matrix<C>> d_weights(static_cast<std::size_t>(items), Matrix<C>(1, config.taps));
  auto run = [&](bool only_scales, C d_shared) {
    for (Index index = 0; index < items; ++index) {
      const Item<T> item(config, args.inputs.sequences, args.inputs.qkv, index);
      const Matrix<C> q = item.load(args.inputs.qkv, 0), k = item.load(args.inputs.qkv, 1),
                      v = item.load(args.inputs.qkv, 2), d_y = item.load(args.gradients.d_out, 0);
      Matrix<C> d_q, d_k, d_v;
      if (only_scales && !item.nystrom) continue;
      if (item.nystrom) {
        const Landmarks<C> l(q, k, m, item.scale);
        const auto [norm, column] = one_norm(l.a);
        const C scale = shared ? std::get<0>(best) : norm;
        const Matrix<C> z = pseudo_inverse(l.a, scale, config.pinv_iterations);
        const Matrix<C> k1 = softmax_rows(item.scale * (q * transposed(l.k)), m);
        const Matrix<C> k3 = softmax_rows(item.scale * (l.q * transposed(k)), item.keys);
        const Matrix<C> k3_v = k3 * v, w = z * k3_v, d_w = transposed(k1) * d_y;
        const Matrix<C> d_s1 = item.scale * softmax_rows_backward(k1, d_y * transposed(w));
        auto [d_a, d_scale] =
            pseudo_inverse_backward(l.a, scale, config.pinv_iterations, d_w * transposed(k3_v));
        d_scales[static_cast<std::size_t>(index)] = d_scale;
        if (only_scales) continue;
        if (!shared) {
          for (Index i = 0; i < m; ++i) d_a(i, column) += d_scale;
        } else if (index == std::get<1>(best)) {
          for (Index i = 0; i < m; ++i) d_a(i, std::get<2>(best)) += d_shared;
        }
        const Matrix<C> d_k3_v = transposed(z) * d_w;
        const Matrix<C> d_s2 = item.scale * softmax_rows_backward(l.a, d_a);
        const Matrix<C> d_s3 = item.scale * softmax_rows_backward(k3, d_k3_v * transposed(v));
        Matrix<C> d_ql = d_s2 * l.k, d_kl = transposed(d_s2) * l.q;
        d_ql += d_s3 * k;
        d_kl += transposed(d_s1) * q;
        d_q = d_s1 * l.k;
        d_q += segment_means_backward(d_ql, item.n);
        d_k = transposed(d_s3) * l.q;
        d_k += segment_means_backward(d_kl, item.n);
        d_v = transposed(k3) * d_k3_v;
      } else {
        const Matrix<C> p = softmax_rows(item.scale * (q * transposed(k)), item.keys);
        Matrix<C> d_p = d_y * transposed(v), dropped = p;
        if (config.op == AttentionOp::kSoftmax && args.inputs.dropout.active()) {
          const auto mask = dropout_mask<C>(
              args.inputs.dropout,
              static_cast<std::uint64_t>(args.inputs.keys.samples.data<std::int64_t>()[item.begin]), item.h,
              item.n);
          d_p = times(d_p, mask);
          dropped = times(p, mask);
        }
        const Matrix<C> d_s = item.scale * softmax_rows_backward(p, d_p);
        d_q = d_s * k;
        d_k = transposed(d_s) * q;
        d_v = transposed(dropped) * d_y;
      }
      if (config.taps > 0) {
        d_v +=
            depthwise_conv(d_y, args.inputs.conv_weight.data<C>() + item.h * config.taps, config.taps, true);
        auto& d_weight = d_weights[static_cast<std::size_t>(index)];
        for (Index i = 0; i < item.n; ++i)
          for (Index t = 0; t < config.taps; ++t) {
            const Index from = i + t - config.taps / 2;
            if (from < 0 || from >= item.n) continue;
            for (Index d = 0; d < item.width; ++d) d_weight(0, t) += d_y(i, d) * v(from, d);
          }
      }
      item.store(d_q, args.gradients.d_qkv, 0);
      item.store(d_k, args.gradients.d_qkv, 1);
      item.store(d_v, args.gradients.d_qkv, 2);
    }
  };
  C d_shared = 0;
  if (shared) {
    run(true, d_shared);
    for (const C d : d_scales) d_shared += d;
  }
  run(false, d_shared);
  if (config.taps > 0) {
    for (Index i = 0; i < items; ++i)
      for (Index t = 0; t < config.taps; ++t)
        args.gradients.d_conv_weight.data<C>()[i % config.heads * config.taps + t] +=
            d_weights[static_cast<std::size_t>(i)](0, t);
  }
}

}  // namespace nystrom::testing::naive
