#pragma once
// Attention test case: a packed batch of random q, k, v with all arguments of an attention call.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/attention/nystrom.h"
#include "kernels/attention/softmax.h"
#include "kernels/core/philox.h"
#include "kernels/tensor/buffer.h"

namespace nystrom::testing {

enum class AttentionOp { kNystrom, kSoftmax };

/// The op that a case calls, and its options.
struct CaseConfig {
  AttentionOp op = AttentionOp::kNystrom;
  std::int64_t heads = 12;
  std::int64_t landmarks = 64;
  std::int64_t taps = 65;
  int pinv_iterations = 6;
  PinvInit pinv_init = PinvInit::kPerMatrix;

  [[nodiscard]] NystromOptions nystrom() const { return {landmarks, pinv_iterations, pinv_init}; }
};

/// All that an op of attention is given, for both ops.
struct CaseArguments {
  CaseConfig config;
  AttentionInputs inputs;
  NystromSaved saved;  ///< of softmax attention only row_stats
  AttentionGradients gradients;

  void forward(Context& context) const {
    if (config.op == AttentionOp::kNystrom)
      nystrom_attention_forward(context, {config.nystrom(), inputs, saved});
    else
      softmax_attention_forward(context, {inputs, saved.row_stats});
  }
  void backward(Context& context) const {
    if (config.op == AttentionOp::kNystrom)
      nystrom_attention_backward(context, {config.nystrom(), inputs, saved}, gradients);
    else
      softmax_attention_backward(context, {inputs, saved.row_stats}, gradients);
  }
};

inline void plan_case(Planner& planner, const CaseConfig& config, DType activation,
                      const AttentionLimits& limits, NystromSaved& saved, Tensor& workspace) {
  if (config.op == AttentionOp::kNystrom) {
    saved = NystromSaved::plan(planner, config.nystrom(), activation, limits);
    workspace = plan_nystrom_attention_workspace(planner, config.nystrom(), activation, limits);
  } else {
    saved.row_stats = plan_softmax_attention_stats(planner, activation, limits);
    workspace = plan_softmax_attention_workspace(planner, activation, limits);
  }
}

struct CaseOptions {
  CaseConfig config{.heads = 2, .landmarks = 5, .taps = 5};
  std::vector<std::int32_t> rows{23};
  std::vector<std::int32_t> lengths{};  ///< empty: the rows
  std::int64_t head_width = 4;
  double dropout = 0;
  int threads = 1;
  std::uint64_t seed = 1;
  SequenceSpans spans = {};  ///< the rows are parts of longer sequences
};

/// T: activation dtype.
template <class T>
class AttentionCase {
 public:
  using C = Compute<T>;

  explicit AttentionCase(const CaseOptions& options) : options_(options), context_(options.threads) {
    const auto batch = static_cast<std::int64_t>(options.rows.size());
    offsets_ = OwnedTensor(DType::kI32, {batch + 1});
    lengths_ = OwnedTensor(DType::kI32, {batch});
    sequences_ = {offsets_, lengths_, batch, 0, 0, 0};
    for (std::size_t b = 0; b < options.rows.size(); ++b) {
      lengths_.view().data<std::int32_t>()[b] =
          options.lengths.empty() ? options.rows[b] : options.lengths[b];
      sequences_.tokens += options.rows[b];
      sequences_.longest = std::max<std::int64_t>(sequences_.longest, options.rows[b]);
      offsets_.view().data<std::int32_t>()[b + 1] = static_cast<std::int32_t>(sequences_.tokens);
    }
    const std::int64_t tokens = sequences_.tokens, channels = options.config.heads * options.head_width;
    samples_ = OwnedTensor(DType::kI64, {tokens});
    positions_ = OwnedTensor(DType::kI32, {tokens});
    for (std::size_t b = 0, t = 0; b < options.rows.size(); ++b)
      for (std::int32_t i = 0; i < options.rows[b]; ++i, ++t) {
        samples_.view().data<std::int64_t>()[t] = static_cast<std::int64_t>(7 + b);
        positions_.view().data<std::int32_t>()[t] =
            i + (options.spans.split() ? static_cast<std::int32_t>(options.spans.firsts[b]) : 0);
      }
    for (const std::int64_t length : options.spans.lengths)
      sequences_.longest = std::max(sequences_.longest, length);
    if (!options.rows.empty())
      sequences_.shortest =
          options.spans.split() ? std::ranges::min(options.spans.lengths) : std::ranges::min(options.rows);
    qkv_ = random<T>({tokens, 3 * channels}, 1.5, 1);
    out_ = OwnedTensor(dtype_of<T>(), {tokens, channels});
    d_out_ = random<T>({tokens, channels}, 1.0, 2);
    d_qkv_ = OwnedTensor(dtype_of<T>(), {tokens, 3 * channels});
    if (options.config.taps > 0) {
      conv_weight_ = random<C>({options.config.heads, options.config.taps}, 0.3, 3);
      d_conv_weight_ = OwnedTensor(dtype_of<C>(), {options.config.heads, options.config.taps});
    }
    arena_ = Arena::planned([&](Planner& planner) {
      plan_case(planner, options.config, dtype_of<T>(), limits(), saved_, workspace_);
    });
  }

  [[nodiscard]] AttentionLimits limits() const {
    return {.batch = sequences_.count,
            .tokens = sequences_.tokens,
            .longest = sequences_.longest,
            .channels = options_.config.heads * options_.head_width,
            .heads = options_.config.heads,
            .taps = options_.config.taps,
            .threads = options_.threads,
            .split = options_.spans.split()};
  }
  [[nodiscard]] CaseArguments arguments() const {
    return {.config = options_.config,
            .inputs = {.heads = options_.config.heads,
                       .sequences = sequences_,
                       .qkv = qkv_,
                       .conv_weight = conv_weight_,
                       .dropout = dropout(),
                       .keys = keys(),
                       .workspace = workspace_,
                       .out = out_,
                       .spans = options_.spans},
            .saved = saved_,
            .gradients = {.d_out = d_out_, .d_qkv = d_qkv_, .d_conv_weight = d_conv_weight_}};
  }
  void forward() { arguments().forward(context_); }
  void backward() {
    if (!d_conv_weight().empty())
      for (C& x : d_conv_weight().template span<C>()) x = C(0);
    arguments().backward(context_);
  }
  /// sum(out * d_out) after a forward.
  double loss() {
    forward();
    double sum = 0;
    const auto y = out().template span<T>(), g = d_out().template span<T>();
    for (std::size_t i = 0; i < y.size(); ++i) sum += static_cast<double>(y[i]) * static_cast<double>(g[i]);
    return sum;
  }

  /// Takes over q, k, v, d_out and the filters of a case of the same shape, rounded to T.
  template <class U>
  void copy_inputs(const AttentionCase<U>& from) {
    copy<U, T>(from.qkv(), qkv());
    copy<U, T>(from.d_out(), d_out());
    if (!conv_weight().empty()) copy<Compute<U>, C>(from.conv_weight(), conv_weight());
  }

  [[nodiscard]] const Tensor& qkv() const { return qkv_.view(); }
  [[nodiscard]] const Tensor& out() const { return out_.view(); }
  [[nodiscard]] const Tensor& d_out() const { return d_out_.view(); }
  [[nodiscard]] const Tensor& d_qkv() const { return d_qkv_.view(); }
  [[nodiscard]] const Tensor& conv_weight() const { return conv_weight_.view(); }
  [[nodiscard]] const Tensor& d_conv_weight() const { return d_conv_weight_.view(); }
  [[nodiscard]] const NystromSaved& saved() const { return saved_; }
  [[nodiscard]] const Sequences& sequences() const { return sequences_; }
  [[nodiscard]] const CaseOptions& options() const { return options_; }
  [[nodiscard]] Dropout dropout() const { return {options_.dropout, options_.seed, 3}; }
  [[nodiscard]] RowKeys keys() const { return {samples_, positions_}; }
  Context& context() { return context_; }

 private:
  template <class E>
  OwnedTensor random(Shape shape, double size, std::uint64_t what) const {
    OwnedTensor x(dtype_of<E>(), shape);
    Random draws(options_.seed, Purpose::kTest, what);
    for (E& value : x.view().template span<E>())
      value = static_cast<E>(static_cast<Compute<E>>(size * draws.normal()));
    return x;
  }
  template <class From, class To>
  static void copy(const Tensor& from, const Tensor& to) {
    const auto x = from.span<From>();
    const auto y = to.span<To>();
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = static_cast<To>(static_cast<Compute<To>>(static_cast<double>(x[i])));
  }

  CaseOptions options_;
  Context context_;
  Sequences sequences_;
  OwnedTensor offsets_, lengths_, samples_, positions_, qkv_, out_, d_out_, d_qkv_, conv_weight_,
      d_conv_weight_;
  Arena arena_;
  NystromSaved saved_;
  Tensor workspace_;
};

}  // namespace nystrom::testing
