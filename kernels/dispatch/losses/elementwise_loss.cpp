#include "kernels/losses/elementwise_loss.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void value_loss(Context& context, const ValueLoss& args) {
  const std::int64_t count = args.predictions.numel();
  NYSTROM_CHECK(args.targets.numel() == count, "{} predictions, {} targets", count, args.targets.numel());
  NYSTROM_CHECK(args.d.empty() || args.d.shape == args.predictions.shape, "predictions are {}, d {}",
                args.predictions.shape.text(), args.d.shape.text());
  NYSTROM_CHECK(args.sums.numel() == 3, "sums is {}", args.sums.shape.text());
  const OpScope scope(context, "value_loss", 10 * static_cast<double>(count),
                      2 * static_cast<double>(args.predictions.bytes()));
  NYSTROM_ON_CUDA(value_loss, context, args);
  cpu::value_loss(context, args);
}

}  // namespace nystrom
