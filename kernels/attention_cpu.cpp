#include "kernels/attention.h"
#include "kernels/attention_plain-inl.h"

namespace nystrom {
namespace {

using namespace plain;

/// One head of one sequence.
template <class T>
struct Item {
  using C = Compute<T>;
  Index b, h, begin, n, keys, heads, width;  // width: D
  bool nystrom;
  C scale;

  Item(const AttentionConfig& config, const Sequences& s, const Tensor& qkv, Index index)
      : b(index / config.heads),
        h(index % config.heads),
        heads(config.heads),
        width(qkv.dim(1) / 3 / config.heads) {
    const auto* offsets = s.offsets.data<std::int32_t>();
    begin = offsets[b];
    n = offsets[b + 1] - begin;
    keys = s.lengths.data<std::int32_t>()[b];
    nystrom = config.kind == AttentionKind::kNystrom && n > config.landmarks;
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
      : q(plain::segment_means(qs, m)),
        k(plain::segment_means(ks, m)),
        a(softmax_rows(scale * (q * transposed(k)), m)) {}
};

/// The largest |A|_1 of the call: its value, its (sequence, head) and its column.
template <class T>
std::tuple<Compute<T>, Index, Index> batch_max(const AttentionConfig& config, const Sequences& s,
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
void forward(Context& context, const AttentionForward& args) {
  using C = Compute<T>;
  const AttentionConfig& config = args.config;
  const Index m = config.landmarks;
  const bool shared = config.pinv_init == PinvInit::kBatchMax && config.kind == AttentionKind::kNystrom;
  const auto best = shared ? batch_max<T>(config, args.sequences, args.qkv) : std::tuple<C, Index, Index>{};
  parallel_items(context, args.sequences.count * config.heads, [&](Index index, int) {
    const Item<T> item(config, args.sequences, args.qkv, index);
    const Matrix<C> q = item.load(args.qkv, 0), k = item.load(args.qkv, 1), v = item.load(args.qkv, 2);
    Matrix<C> y;
    if (!args.saved.residuals.empty()) args.saved.residuals.data<C>()[index] = C(0);
    if (item.nystrom) {
      const Landmarks<C> l(q, k, m, item.scale);
      const Matrix<C> z =
          pseudo_inverse(l.a, shared ? std::get<0>(best) : one_norm(l.a).first, config.pinv_iterations);
      const Matrix<C> k3_v = softmax_rows(item.scale * (l.q * transposed(k)), item.keys) * v;
      y = softmax_rows(item.scale * (q * transposed(l.k)), m) * (z * k3_v);
      if (!args.saved.residuals.empty()) {
        C sum = 0;
        for (const C r : identity_minus(C(1), l.a * z).values) sum += r * r;
        args.saved.residuals.data<C>()[index] = std::sqrt(sum / static_cast<C>(m));
      }
    } else {
      Matrix<C> p = softmax_rows(item.scale * (q * transposed(k)), item.keys);
      if (config.kind == AttentionKind::kSoftmax && args.dropout.active())
        p = times(
            p, dropout_mask<C>(args.dropout,
                               static_cast<std::uint64_t>(args.keys.samples.data<std::int64_t>()[item.begin]),
                               item.h, item.n));
      y = p * v;
    }
    if (config.taps > 0)
      y += depthwise_conv(v, args.conv_weight.data<C>() + item.h * config.taps, config.taps);
    item.store(y, args.out, 0);
  });
}

template <class T>
void backward(Context& context, const AttentionBackward& args) {
  using C = Compute<T>;
  const AttentionConfig& config = args.config;
  const Index m = config.landmarks, items = args.sequences.count * config.heads;
  const bool shared = config.pinv_init == PinvInit::kBatchMax && config.kind == AttentionKind::kNystrom;
  const auto best = shared ? batch_max<T>(config, args.sequences, args.qkv) : std::tuple<C, Index, Index>{};
  std::vector<C> d_scales(static_cast<std::size_t>(items));
  std::vector<Matrix<C>> d_weights(static_cast<std::size_t>(items), Matrix<C>(1, config.taps));
  auto run = [&](bool only_scales, C d_shared) {
    parallel_items(context, items, [&](Index index, int) {
      const Item<T> item(config, args.sequences, args.qkv, index);
      const Matrix<C> q = item.load(args.qkv, 0), k = item.load(args.qkv, 1), v = item.load(args.qkv, 2),
                      d_y = item.load(args.d_out, 0);
      Matrix<C> d_q, d_k, d_v;
      if (only_scales && !item.nystrom) return;
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
        if (only_scales) return;
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
        if (config.kind == AttentionKind::kSoftmax && args.dropout.active()) {
          const auto mask = dropout_mask<C>(
              args.dropout, static_cast<std::uint64_t>(args.keys.samples.data<std::int64_t>()[item.begin]),
              item.h, item.n);
          d_p = times(d_p, mask);
          dropped = times(p, mask);
        }
        const Matrix<C> d_s = item.scale * softmax_rows_backward(p, d_p);
        d_q = d_s * k;
        d_k = transposed(d_s) * q;
        d_v = transposed(dropped) * d_y;
      }
      if (config.taps > 0) {
        d_v += depthwise_conv(d_y, args.conv_weight.data<C>() + item.h * config.taps, config.taps, true);
        auto& d_weight = d_weights[static_cast<std::size_t>(index)];
        for (Index i = 0; i < item.n; ++i)
          for (Index t = 0; t < config.taps; ++t) {
            const Index from = i + t - config.taps / 2;
            if (from < 0 || from >= item.n) continue;
            for (Index d = 0; d < item.width; ++d) d_weight(0, t) += d_y(i, d) * v(from, d);
          }
      }
      item.store(d_q, args.d_qkv, 0);
      item.store(d_k, args.d_qkv, 1);
      item.store(d_v, args.d_qkv, 2);
    });
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
        args.d_conv_weight.data<C>()[i % config.heads * config.taps + t] +=
            d_weights[static_cast<std::size_t>(i)](0, t);
  }
}

}  // namespace

AttentionSaved AttentionSaved::plan(Planner& planner, const AttentionConfig& config, DType activation,
                                    std::int64_t batch, std::int64_t tokens, std::int64_t channels) {
  const DType type = compute_dtype(activation);
  const std::int64_t heads = config.heads, m = config.landmarks, width = channels / heads;
  AttentionSaved saved;
  saved.row_stats = planner.saved("attention.row_stats", type, {tokens, heads, 2});
  if (config.kind == AttentionKind::kSoftmax) return saved;
  saved.q_landmarks = planner.saved("attention.q_landmarks", type, {batch, heads, m, width});
  saved.k_landmarks = planner.saved("attention.k_landmarks", type, {batch, heads, m, width});
  saved.pinv = planner.saved("attention.pinv", type, {batch, heads, m, m});
  saved.k3_v = planner.saved("attention.k3_v", type, {batch, heads, m, width});
  saved.k3_stats = planner.saved("attention.k3_stats", type, {batch, heads, m, 2});
  saved.residuals = planner.saved("attention.residuals", type, {batch, heads});
  return saved;
}

Tensor plan_attention_workspace(Planner& planner, const AttentionConfig&, DType activation,
                                const AttentionLimits&) {
  return planner.scratch("attention.workspace", compute_dtype(activation), {1});
}

void attention_forward(Context& context, const AttentionForward& args) {
  dispatch_float(args.qkv.dtype, [&](auto type) { forward<decltype(type)>(context, args); });
}

void attention_backward(Context& context, const AttentionBackward& args) {
  dispatch_float(args.qkv.dtype, [&](auto type) { backward<decltype(type)>(context, args); });
}

}  // namespace nystrom
