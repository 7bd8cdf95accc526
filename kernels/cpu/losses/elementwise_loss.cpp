#include "kernels/cpu/ops.h"

#include <cmath>

namespace nystrom {
namespace {

struct Value {
  double loss, slope;
  bool right;
};

Value squared(double x, double y) {
  return {(x - y) * (x - y), 2 * (x - y), false};
}

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which neither overflows nor cancels.
Value sigmoid(double x, double y) {
  const double e = std::exp(-std::abs(x));
  const double probability = (x >= 0 ? 1 : e) / (1 + e);
  return {std::fmax(x, 0) + std::log1p(e) - x * y, probability - y, (x > 0) == (y > 0.5)};
}

}  // namespace

// A batch has few numbers (sequences times labels), so they are computed in double on one thread.
namespace cpu {

void value_loss(Context&, const ValueLoss& args) {
  const auto targets = args.targets.span<float>();
  const auto sums = args.sums.span<double>();
  dispatch_float(args.predictions.dtype, [&]<class C>(C) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const auto x = static_cast<double>(args.predictions.span<C>()[i]);
      const bool ignored = std::isnan(targets[i]);
      const double y = ignored ? 0 : targets[i];
      const Value v = args.kind == ValueLossKind::kSquared ? squared(x, y) : sigmoid(x, y);
      if (!ignored) {
        sums[0] += v.loss;
        sums[1] += v.right ? 1 : 0;
        sums[2] += 1;
      }
      if (args.d.empty()) continue;
      dispatch_float(args.d.dtype, [&]<class T>(T) {
        args.d.span<T>()[i] = T(static_cast<Compute<T>>(ignored ? 0 : args.scale * v.slope));
      });
    }
  });
}

}  // namespace cpu
}  // namespace nystrom
