#include "kernels/pool.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

void check_pool(const Sequences& sequences, PoolKind kind, const Tensor& tokens, const Tensor& pooled,
                const Tensor& rows) {
  NYSTROM_CHECK(
      tokens.dim(0) == sequences.tokens && pooled.dim(0) == sequences.count && tokens.dim(1) == pooled.dim(1),
      "{} of {} tokens of {} sequences to {}", tokens.shape.text(), sequences.tokens, sequences.count,
      pooled.shape.text());
  NYSTROM_CHECK(kind == PoolKind::kMean || rows.shape == pooled.shape, "rows {} for {}", rows.shape.text(),
                pooled.shape.text());
}

}  // namespace

void pool_forward(Context& context, const Pool& args) {
  check_pool(args.sequences, args.kind, args.x, args.y, args.rows);
  const OpScope scope(context, "pool_forward", static_cast<double>(args.x.numel()),
                      static_cast<double>(args.x.bytes() + args.y.bytes()));
  NYSTROM_ON_CUDA(pool_forward, context, args);
  cpu::pool_forward(context, args);
}

void pool_backward(Context& context, const PoolGradient& args) {
  check_pool(args.sequences, args.kind, args.d_x, args.d_y, args.rows);
  const OpScope scope(context, "pool_backward", static_cast<double>(args.d_x.numel()),
                      static_cast<double>(args.d_x.bytes() + args.d_y.bytes()));
  NYSTROM_ON_CUDA(pool_backward, context, args);
  cpu::pool_backward(context, args);
}

}  // namespace nystrom
