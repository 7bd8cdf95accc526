#include <cmath>

#include "kernels/cpu/ops.h"

namespace nystrom {
namespace {

struct Span {
  std::int64_t begin, rows, length;  // packed first row; rows; real tokens
};

/// Log of the sum of e^logit over the real tokens of one side (0 start, 1 end), and the first largest.
template <class C>
std::pair<double, std::int64_t> log_sum(const C* logits, const Span& span, std::int64_t side) {
  const C* first = logits + 2 * span.begin + side;
  std::int64_t best = 0;
  for (std::int64_t t = 1; t < span.length; ++t)
    if (first[2 * t] > first[2 * best]) best = t;
  const auto largest = static_cast<double>(first[2 * best]);
  double sum = 0;
  for (std::int64_t t = 0; t < span.length; ++t) sum += std::exp(static_cast<double>(first[2 * t]) - largest);
  return {largest + std::log(sum), best};
}

/// Loss of one side; its gradient where `d` is given. Sets `right` to false if another token has the largest.
template <class C, class T>
double side_loss(const SpanCrossEntropy& args, const Span& span, std::int64_t side, std::int32_t label, T* d,
                 bool& right) {
  const C* logits = args.logits.data<C>();
  const auto [log_total, best] = log_sum(logits, span, side);
  right = right && best == label;
  const C* first = logits + 2 * span.begin + side;
  const double loss = log_total - static_cast<double>(first[2 * label]);  // before d may overwrite the logit
  if (d != nullptr)
    for (std::int64_t t = 0; t < span.length; ++t) {
      const double p = std::exp(static_cast<double>(first[2 * t]) - log_total);
      d[2 * (span.begin + t) + side] =
          T(static_cast<Compute<T>>(0.5 * args.scale * (p - (t == label ? 1 : 0))));
    }
  return loss;
}

template <class C, class T>
void run(const SpanCrossEntropy& args) {
  T* d = args.d_logits.empty() ? nullptr : args.d_logits.data<T>();
  const auto offsets = args.sequences.offsets.span<std::int32_t>();
  const auto lengths = args.sequences.lengths.span<std::int32_t>();
  const auto starts = args.starts.span<std::int32_t>(), ends = args.ends.span<std::int32_t>();
  const auto sums = args.sums.span<double>();
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    const Span span{offsets[b], offsets[b + 1] - offsets[b], lengths[b]};
    NYSTROM_CHECK(starts[b] < span.length && ends[b] < span.length, "an answer at {} to {} in {} tokens",
                  starts[b], ends[b], span.length);
    const bool counted = starts[b] >= 0 && ends[b] >= 0;
    if (d != nullptr)
      for (std::int64_t t = counted ? span.length : 0; t < span.rows; ++t)
        d[2 * (span.begin + t)] = d[2 * (span.begin + t) + 1] = T(Compute<T>(0));
    if (!counted) continue;
    bool right = true;
    const double start = side_loss<C, T>(args, span, 0, starts[b], d, right);
    const double end = side_loss<C, T>(args, span, 1, ends[b], d, right);
    sums[0] += 0.5 * (start + end);
    sums[1] += right ? 1 : 0;
    sums[2] += 1;
  }
}

}  // namespace

// Two logits a token are negligible compared with the encoder: computed in double on one thread.
namespace cpu {

void span_cross_entropy(Context&, const SpanCrossEntropy& args) {
  const DType gradient = args.d_logits.empty() ? args.logits.dtype : args.d_logits.dtype;
  dispatch_float(args.logits.dtype, [&]<class C>(C) {
    if constexpr (!std::is_same_v<C, BF16>) dispatch_float(gradient, [&]<class T>(T) { run<C, T>(args); });
  });
}

}  // namespace cpu
}  // namespace nystrom
