#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rotary.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kRowGrain = 16;  // rows worth a thread

/// One head: a and b are its halves.
template <class T>
void turn(T* a, T* b, const Compute<T>* cosines, const Compute<T>* sines, Compute<T> direction,
          std::int64_t half) {
#pragma omp simd
  for (std::int64_t i = 0; i < half; ++i) {
    const Compute<T> x = load(a[i]), y = load(b[i]), sine = direction * sines[i];
    store(a[i], x * cosines[i] - y * sine);
    store(b[i], y * cosines[i] + x * sine);
  }
}

void rotate_all(Context& context, const Rotary& args) {
  const std::int64_t width = args.table.dim(1), half = width / 2, stride = args.qkv.dim(1);
  const auto* const positions = args.positions.data<std::int32_t>();
  dispatch_float(args.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    parallel_for(context, args.qkv.dim(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const C* const table = args.table.data<C>() + positions[row] * width;
        T* x = args.qkv.data<T>() + row * stride;
        for (std::int64_t head = 0; head < args.turned * args.heads; ++head, x += width)
          turn(x, x + half, table, table + half, args.back ? C(-1) : C(1), half);
      }
    });
  });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(rotate_all);

namespace cpu {

void rotate(Context& context, const Rotary& args) {
  HWY_DYNAMIC_DISPATCH(rotate_all)(context, args);
}

}  // namespace cpu
}  // namespace nystrom
#endif
