#include "kernels/losses/label_weights.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void weigh_by_label(Context& context, const LabelWeights& args) {
  const OpScope scope(context, "weigh_by_label", 0, static_cast<double>(2 * args.d.bytes()));
  NYSTROM_ON_CUDA(weigh_by_label, context, args);
  cpu::weigh_by_label(context, args);
}

}  // namespace nystrom
