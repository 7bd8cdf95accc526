#include "kernels/losses/span_cross_entropy.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void span_cross_entropy(Context& context, const SpanCrossEntropy& args) {
  const std::int64_t count = args.sequences.count;
  NYSTROM_CHECK(args.logits.shape == (Shape{args.sequences.tokens, 2}), "{} tokens with logits {}",
                args.sequences.tokens, args.logits.shape.text());
  NYSTROM_CHECK(args.starts.numel() == count && args.ends.numel() == count,
                "{} sequences, {} starts, {} ends", count, args.starts.numel(), args.ends.numel());
  NYSTROM_CHECK(args.d_logits.empty() || args.d_logits.shape == args.logits.shape,
                "logits are {}, d_logits {}", args.logits.shape.text(), args.d_logits.shape.text());
  const OpScope scope(context, "span_cross_entropy", 10 * static_cast<double>(args.logits.numel()),
                      2 * static_cast<double>(args.logits.bytes()));
  NYSTROM_ON_CUDA(span_cross_entropy, context, args);
  cpu::span_cross_entropy(context, args);
}

}  // namespace nystrom
