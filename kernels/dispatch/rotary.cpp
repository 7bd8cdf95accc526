#include "kernels/rotary.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {

void rotate(Context& context, const Rotary& args) {
  const std::int64_t width = args.table.dim(1), turned = args.turned * args.heads * width;
  NYSTROM_CHECK(width % 2 == 0 && turned <= args.qkv.dim(1),
                "{} projections of {} heads of {} channels in {}", args.turned, args.heads, width,
                args.qkv.shape.text());
  NYSTROM_CHECK(args.positions.numel() >= args.qkv.dim(0), "{} positions of {} tokens",
                args.positions.numel(), args.qkv.dim(0));
  const double count = static_cast<double>(args.qkv.dim(0)) * static_cast<double>(turned);
  const OpScope scope(context, "rotate", 3 * count, 2 * count * static_cast<double>(size_of(args.qkv.dtype)));
  NYSTROM_ON_CUDA(rotate, context, args);
  cpu::rotate(context, args);
}

}  // namespace nystrom
