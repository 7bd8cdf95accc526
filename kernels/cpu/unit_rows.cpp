#include <cmath>

#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

constexpr std::int64_t kRowGrain = 16;  // rows worth a thread

/// In double: a norm of fp32 rows is that of its components to the last bit or two.
template <class T>
double dot(const T* a, const T* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t c = 0; c < count; ++c) sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
  return sum;
}

template <class T>
void forward(Context& context, const UnitRows& args) {
  const std::int64_t columns = args.x.dim(1), size = args.y.dim(1);
  parallel_for(context, args.y.dim(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* const x = args.x.data<T>() + row * columns;
      T* const y = args.y.data<T>() + row * size;
      const double norm = std::sqrt(dot(x, x, size)), scale = norm > 0 ? args.length / norm : 0;
      args.norms.data<T>()[row] = static_cast<T>(norm);
      for (std::int64_t c = 0; c < size; ++c) y[c] = static_cast<T>(scale * static_cast<double>(x[c]));
    }
  });
}

template <class T>
void backward(Context& context, const UnitRowsGradient& args) {
  const std::int64_t columns = args.d_x.dim(1), size = args.d_y.dim(1);
  parallel_for(context, args.d_y.dim(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T *const y = args.y.data<T>() + row * size, *const d_y = args.d_y.data<T>() + row * size;
      T* const d_x = args.d_x.data<T>() + row * columns;
      const auto norm = static_cast<double>(args.norms.data<T>()[row]);
      if (norm == 0) continue;
      const double scale = args.length / norm,
                   along = dot(y, d_y, size) / (args.length * args.length);  // u d_y / l
      for (std::int64_t c = 0; c < size; ++c)
        d_x[c] += static_cast<T>(scale * (static_cast<double>(d_y[c]) - along * static_cast<double>(y[c])));
    }
  });
}

}  // namespace

void unit_rows_forward(Context& context, const UnitRows& args) {
  args.y.dtype == DType::kF64 ? forward<double>(context, args) : forward<float>(context, args);
}

void unit_rows_backward(Context& context, const UnitRowsGradient& args) {
  args.d_y.dtype == DType::kF64 ? backward<double>(context, args) : backward<float>(context, args);
}

}  // namespace nystrom::cpu
