#include "kernels/optimizer/muon.h"

#include <algorithm>

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

double newton_schulz_flops(const Shape& shape, int steps) {
  const auto k = static_cast<double>(std::min(shape[0], shape[1]));
  const auto l = static_cast<double>(std::max(shape[0], shape[1]));
  return steps * (4 * k * k * l + 2 * k * k * k);
}

void check_matrix(const Tensor& x, int steps, std::int64_t needed, const Tensor& workspace) {
  NYSTROM_CHECK(x.shape.rank() == 2, "a matrix {}", x.shape.text());
  NYSTROM_CHECK(steps >= 0, "{} steps", steps);
  NYSTROM_CHECK(workspace.numel() >= needed && workspace.dtype == x.dtype,
                "a workspace of {} {} elements for {}", workspace.numel(), name_of(workspace.dtype),
                x.shape.text());
}

}  // namespace

// x beside its next value, and A.
std::int64_t newton_schulz_workspace(std::int64_t rows, std::int64_t columns) {
  const std::int64_t smaller = std::min(rows, columns);
  return rows * columns + smaller * smaller;
}

std::int64_t muon_workspace(std::int64_t rows, std::int64_t columns) {
  return rows * columns + newton_schulz_workspace(rows, columns);
}

void newton_schulz(Context& context, const Tensor& x, int steps, const Tensor& workspace) {
  check_matrix(x, steps, newton_schulz_workspace(x.dim(0), x.dim(1)), workspace);
  const OpScope scope(context, "newton_schulz", newton_schulz_flops(x.shape, steps),
                      2 * static_cast<double>(x.bytes()));
  if (x.numel() == 0) return;
  NYSTROM_ON_CUDA(newton_schulz, context, x, steps, workspace);
  cpu::newton_schulz(context, x, steps, workspace);
}

void muon_step(Context& context, const Muon& args) {
  const Shape& shape = args.weights.shape;
  NYSTROM_CHECK(args.gradients.shape == shape && args.buffer.shape == shape &&
                    (args.copy.empty() || args.copy.shape == shape),
                "weights {}, gradients {}, a buffer {}", shape.text(), args.gradients.shape.text(),
                args.buffer.shape.text());
  check_matrix(args.weights, args.steps, muon_workspace(shape[0], shape[1]), args.workspace);
  const double copied = args.copy.empty() ? 0.0 : static_cast<double>(args.copy.bytes());
  const OpScope scope(context, "muon_step",
                      newton_schulz_flops(shape, args.steps) + 10 * static_cast<double>(shape.numel()),
                      5 * static_cast<double>(args.weights.bytes()) + copied);
  if (shape.numel() == 0) return;
  NYSTROM_ON_CUDA(muon_step, context, args);
  cpu::muon_step(context, args);
}

}  // namespace nystrom
