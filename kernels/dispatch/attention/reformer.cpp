#include "kernels/attention/reformer.h"

#include <bit>

#include "kernels/cpu/ops.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/dispatch/attention/attention.h"

namespace nystrom {
namespace {

void check_reformer_attention(const ReformerAttention& args) {
  check_attention(args.inputs, 2);
  check_no_dropout("reformer", args.inputs);
  NYSTROM_CHECK(args.chunk >= 1 && args.buckets.dim(1) == args.inputs.heads &&
                    args.buckets.dim(2) == args.inputs.qkv.dim(0),
                "buckets {} of {} tokens and {} heads, chunks of {}", args.buckets.shape.text(),
                args.inputs.qkv.dim(0), args.inputs.heads, args.chunk);
}

/// Keys of a token: two chunks in each round.
double flops(const Context& context, const ReformerAttention& args, const ExactCost& cost) {
  return attention_flops(context, args.inputs, [&](std::int64_t rows, std::int64_t keys) {
    return cost.of(args.inputs, rows, args.buckets.dim(0) * std::min(keys, 2 * args.chunk));
  });
}

}  // namespace

std::int64_t reformer_buckets(std::int64_t rows, std::int64_t chunk) {
  const auto most = static_cast<std::uint64_t>(2 * (rows / chunk));
  return most < 2 ? 2 : static_cast<std::int64_t>(std::bit_floor(most));
}

Tensor plan_reformer_attention_stats(Planner& planner, DType activation, const AttentionLimits& limits) {
  return plan_row_stats(planner, activation, limits);
}

Tensor plan_reformer_attention_workspace(Planner& planner, std::int64_t hashes, std::int64_t chunk,
                                         DType activation, const AttentionLimits& limits) {
  return plan_attention_workspace(
      planner, activation, limits, [&] { return cuda::reformer_attention_workspace(hashes, limits); },
      [&] {
        return std::max(cpu::reformer_hash_workspace(chunk, limits),
                        cpu::reformer_attention_workspace(chunk, limits));
      });
}

void reformer_hash(Context& context, const ReformerHash& args) {
  const Shape& rotations = args.rotations.shape;
  NYSTROM_CHECK(args.qkv.dim(1) == 2 * args.heads * rotations[3] && rotations[1] == args.heads &&
                    rotations[0] == args.buckets.dim(0) && args.buckets.dim(1) == args.heads &&
                    args.buckets.dim(2) == args.qkv.dim(0),
                "qkv {}, rotations {}, buckets {} of {} heads", args.qkv.shape.text(), rotations.text(),
                args.buckets.shape.text(), args.heads);
  NYSTROM_CHECK(2 * rotations[2] >= reformer_buckets(args.sequences.longest, args.chunk),
                "{} rotations for {} tokens in chunks of {}", rotations[2], args.sequences.longest,
                args.chunk);
  const auto products = static_cast<double>(args.buckets.numel() * rotations[2]);
  const OpScope scope(context, "reformer_hash", 2 * products * static_cast<double>(rotations[3]),
                      static_cast<double>(args.qkv.bytes() / 2 + args.buckets.bytes()));
  NYSTROM_ON_CUDA(reformer_hash, context, args);
  cpu::reformer_hash(context, args);
}

void reformer_attention_forward(Context& context, const ReformerAttention& args) {
  check_reformer_attention(args);
  const OpScope scope(context, "attention_forward", flops(context, args, {2, 1}), forward_bytes(args.inputs));
  NYSTROM_ON_CUDA(reformer_attention_forward, context, args);
  cpu::reformer_attention_forward(context, args);
}

void reformer_attention_backward(Context& context, const ReformerAttention& args,
                                 const AttentionGradients& gradients) {
  check_reformer_attention(args);
  const OpScope scope(context, "attention_backward", flops(context, args, {5, 2}),
                      backward_bytes(args.inputs, gradients));
  NYSTROM_ON_CUDA(reformer_attention_backward, context, args, gradients);
  cpu::reformer_attention_backward(context, args, gradients);
}

}  // namespace nystrom
