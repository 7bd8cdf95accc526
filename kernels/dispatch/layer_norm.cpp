#include "kernels/layer_norm.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

void check_row(const Tensor& activation) {
  NYSTROM_CHECK(activation.shape.rank() == 2, "a tensor of rows is {}", activation.shape.text());
  NYSTROM_CHECK(activation.dim(1) <= kMaxRowColumns, "a row of {} columns is longer than {}",
                activation.dim(1), kMaxRowColumns);
}

void check_dropout(const Dropout& dropout, const RowKeys& keys, std::int64_t rows) {
  if (!dropout.active()) return;
  NYSTROM_CHECK(keys.samples.numel() >= rows && keys.positions.numel() >= rows,
                "dropout of {} rows has the keys of {} and {}", rows, keys.samples.numel(),
                keys.positions.numel());
}

}  // namespace

void layer_norm_forward(Context& context, const LayerNormForward& args) {
  check_row(args.branch);
  check_dropout(args.dropout, args.keys, args.branch.dim(0));
  NYSTROM_CHECK(args.z.shape == args.branch.shape && args.y.shape == args.branch.shape &&
                    (args.residual.empty() || args.residual.shape == args.branch.shape),
                "branch is {}, z {}, y {}", args.branch.shape.text(), args.z.shape.text(),
                args.y.shape.text());
  NYSTROM_CHECK(args.y.address != args.z.address || args.z.numel() == 0, "y may not be z");
  const double moved = static_cast<double>(args.branch.bytes()) * (args.residual.empty() ? 3 : 4);
  const OpScope scope(context, "layer_norm_forward", 10 * static_cast<double>(args.branch.numel()), moved);
  NYSTROM_ON_CUDA(layer_norm_forward, context, args);
  cpu::layer_norm_forward(context, args);
}

void layer_norm_backward(Context& context, const LayerNormBackward& args) {
  check_row(args.z);
  check_dropout(args.dropout, args.keys, args.z.dim(0));
  NYSTROM_CHECK(
      args.d_y.shape == args.z.shape && args.d_z.shape == args.z.shape && args.d_branch.shape == args.z.shape,
      "z is {}, d_y {}, d_z {}, d_branch {}", args.z.shape.text(), args.d_y.shape.text(),
      args.d_z.shape.text(), args.d_branch.shape.text());
  NYSTROM_CHECK(args.d_skip.empty() || args.d_skip.shape == args.z.shape, "z is {}, d_skip {}",
                args.z.shape.text(), args.d_skip.shape.text());
  NYSTROM_CHECK(!args.dropout.active() || args.d_branch.address != args.d_z.address || args.z.numel() == 0,
                "with dropout d_branch may not be d_z");
  const double moved =
      static_cast<double>(args.z.bytes()) * (args.d_branch.address == args.d_z.address ? 3 : 4);
  const OpScope scope(context, "layer_norm_backward", 16 * static_cast<double>(args.z.numel()), moved);
  NYSTROM_ON_CUDA(layer_norm_backward, context, args);
  cpu::layer_norm_backward(context, args);
}

}  // namespace nystrom
