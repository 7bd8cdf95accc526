#include "kernels/optimizer/adamw.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

void check_groups(const AdamW& args) {
  const AdamWGroups& groups = args.groups;
  NYSTROM_CHECK(
      groups.rates.numel() == groups.begins.numel() && groups.decays.numel() == groups.begins.numel(),
      "{} groups with {} rates and {} decays", groups.begins.numel(), groups.rates.numel(),
      groups.decays.numel());
}

}  // namespace

void adamw_step(Context& context, const AdamW& args) {
  const std::int64_t count = args.weights.numel();
  NYSTROM_CHECK(args.gradients.numel() == count && args.m.numel() == count && args.v.numel() == count &&
                    (args.copy.empty() || args.copy.numel() == count),
                "{} weights, {} gradients, {} and {} moments", count, args.gradients.numel(), args.m.numel(),
                args.v.numel());
  NYSTROM_CHECK(args.step >= 1, "step {}", args.step);
  const double moved = 7 * static_cast<double>(args.weights.bytes()) +
                       (args.copy.empty() ? 0.0 : static_cast<double>(args.copy.bytes()));
  const OpScope scope(context, "adamw_step", 15 * static_cast<double>(count), moved);
  if (!args.groups.begins.empty()) check_groups(args);
  NYSTROM_ON_CUDA(adamw_step, context, args);
  cpu::adamw_step(context, args);
}

}  // namespace nystrom
