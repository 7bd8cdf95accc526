#include "kernels/cpu/ops.h"

namespace nystrom::cpu {

void weigh_by_label(Context&, const LabelWeights& args) {
  const std::int64_t rows = args.d.dim(0), columns = args.d.dim(1);
  const auto labels = args.labels.span<std::int32_t>();
  const auto weights = args.weights.span<float>();
  dispatch_float(args.d.dtype, [&]<class T>(T) {
    const auto d = args.d.span<T>();
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int32_t label = labels[static_cast<std::size_t>(r)];
      if (label < 0) continue;
      const auto weight = static_cast<Compute<T>>(weights[static_cast<std::size_t>(label)]);
      for (std::int64_t c = 0; c < columns; ++c) {
        T& value = d[static_cast<std::size_t>(r * columns + c)];
        value = T(static_cast<Compute<T>>(value) * weight);
      }
    }
  });
}

}  // namespace nystrom::cpu
