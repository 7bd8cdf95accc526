#include "kernels/losses/cross_entropy.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void cross_entropy(Context& context, const CrossEntropy& args) {
  const Tensor& logits = args.logits;
  NYSTROM_CHECK(logits.shape.rank() == 2 && logits.dim(1) > 0, "logits are {}", logits.shape.text());
  NYSTROM_CHECK(args.classes == 0 || args.classes == logits.dim(1) ||
                    (context.cuda() != nullptr && args.classes < logits.dim(1)),
                "{} classes in logits {}", args.classes, logits.shape.text());
  NYSTROM_CHECK(args.labels.numel() == logits.dim(0) && args.row_losses.numel() >= logits.dim(0),
                "{} labels and room for {} losses go with logits {}", args.labels.numel(),
                args.row_losses.numel(), logits.shape.text());
  NYSTROM_CHECK(args.d_logits.empty() || (args.d_logits.shape == logits.shape &&
                                          compute_dtype(args.d_logits.dtype) == logits.dtype),
                "logits are {} {}, d_logits {} {}", name_of(logits.dtype), logits.shape.text(),
                name_of(args.d_logits.dtype), args.d_logits.shape.text());
  const auto count = static_cast<double>(logits.numel());
  const OpScope scope(
      context, "cross_entropy", 30 * count,
      static_cast<double>(logits.bytes() + (args.d_logits.empty() ? 0 : args.d_logits.bytes())));
  NYSTROM_ON_CUDA(cross_entropy, context, args);
  cpu::cross_entropy(context, args);
}

}  // namespace nystrom
