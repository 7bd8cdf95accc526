// Attention of the base model alone: 12 heads of 64 channels, 64 landmarks, 65 taps.

#include "benchmarks/gpu/kernel_benchmark.h"
#include "kernels/attention/nystrom.h"
#include "kernels/attention/softmax.h"
#include "kernels/tensor/arena.h"

namespace nystrom {
namespace {

constexpr std::int64_t kWidth = 64, kTaps = 65;

/// `tokens` in sequences of `length` rows each.
AttentionInputs inputs_of(Benchmark& b, const Sizes& s, std::int64_t length) {
  const std::int64_t count = std::max<std::int64_t>(1, s.tokens / length), tokens = count * length;
  const std::int64_t heads = s.channels / kWidth;
  std::vector<std::int32_t> offsets,
      lengths(static_cast<std::size_t>(count), static_cast<std::int32_t>(length));
  for (std::int64_t i = 0; i <= count; ++i) offsets.push_back(static_cast<std::int32_t>(i * length));
  return {.heads = heads,
          .sequences = {b.values(offsets), b.values(lengths), count, tokens, length, length},
          .qkv = b.random(DType::kBF16, {tokens, 3 * s.channels}),
          .conv_weight = b.random(DType::kF32, {heads, kTaps}),
          .dropout = {},
          .keys = {b.numbers(DType::kI64, tokens, 32), b.numbers(DType::kI32, tokens, length)},
          .workspace = {},
          .out = b.random(DType::kBF16, {tokens, s.channels})};
}

AttentionGradients gradients_of(Benchmark& b, const AttentionInputs& inputs) {
  return {.d_out = b.random(DType::kBF16, inputs.out.shape),
          .d_qkv = b.tensor(DType::kBF16, inputs.qkv.shape),
          .d_conv_weight = b.tensor(DType::kF32, inputs.conv_weight.shape)};
}

AttentionLimits limits_of(const AttentionInputs& inputs) {
  return {.batch = inputs.sequences.count,
          .tokens = inputs.sequences.tokens,
          .longest = inputs.sequences.longest,
          .channels = inputs.out.dim(1),
          .heads = inputs.heads,
          .taps = inputs.taps(),
          .cuda = true};
}

void measure_passes(Benchmark& b, const std::string& kind, const AttentionInputs& inputs,
                    const std::function<void()>& forward, const std::function<void()>& backward) {
  const std::string shape = fmt::format("{} {} x {}", kind, inputs.sequences.count, inputs.sequences.longest);
  b.measure("attention_forward", shape, forward);
  b.measure_kernels(shape, forward);
  b.measure("attention_backward", shape, backward);
  b.measure_kernels(shape, backward);
}

void measure_nystrom(Benchmark& b, const Sizes& s, std::int64_t length) {
  NystromAttention args{.options = {}, .inputs = inputs_of(b, s, length), .saved = {}};
  const AttentionGradients gradients = gradients_of(b, args.inputs);
  const Arena arena = Arena::planned(
      [&](Planner& planner) {
        args.saved = NystromSaved::plan(planner, args.options, DType::kBF16, limits_of(args.inputs));
        args.inputs.workspace =
            plan_nystrom_attention_workspace(planner, args.options, DType::kBF16, limits_of(args.inputs));
      },
      b.cuda().memory());
  args.saved.residuals = {};  // training looks at them now and then only
  measure_passes(
      b, "nystrom", args.inputs, [&] { nystrom_attention_forward(b.context(), args); },
      [&] { nystrom_attention_backward(b.context(), args, gradients); });
}

void measure_softmax(Benchmark& b, const Sizes& s, std::int64_t length) {
  SoftmaxAttention args{.inputs = inputs_of(b, s, length), .row_stats = {}};
  args.inputs.conv_weight = {};
  AttentionGradients gradients = gradients_of(b, args.inputs);
  gradients.d_conv_weight = {};
  const Arena arena = Arena::planned(
      [&](Planner& planner) {
        args.row_stats = plan_softmax_attention_stats(planner, DType::kBF16, limits_of(args.inputs));
        args.inputs.workspace =
            plan_softmax_attention_workspace(planner, DType::kBF16, limits_of(args.inputs));
      },
      b.cuda().memory());
  measure_passes(
      b, "softmax", args.inputs, [&] { softmax_attention_forward(b.context(), args); },
      [&] { softmax_attention_backward(b.context(), args, gradients); });
}

}  // namespace

void measure_attention(Benchmark& b, const Sizes& s) {
  for (const std::int64_t length : s.lengths) {
    measure_nystrom(b, s, length);
    measure_softmax(b, s, length);
  }
}

}  // namespace nystrom
