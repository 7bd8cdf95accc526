#include <algorithm>
#include <cmath>

#include "kernels/cpu/ops.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/optimizer/muon.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements worth a thread

/// x = a x + b y
template <class C>
void add(C* x, C a, C b, const C* y, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) x[i] = a * x[i] + b * y[i];
}

void add_all(Context& context, const Tensor& x, double a, double b, const Tensor& y) {
  const auto run = [&]<class C>(C* to, const C* from) {
    parallel_for(context, x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      add(to, static_cast<C>(a), static_cast<C>(b), from, begin, end);
    });
  };
  if (x.dtype == DType::kF64)
    run(x.data<double>(), y.data<double>());
  else
    run(x.data<float>(), y.data<float>());
}

/// The new B, and U to `to`.
template <class C>
void momentum_rows(const Muon& args, C scale, C* to, std::int64_t begin, std::int64_t end) {
  const C* g = args.gradients.data<C>();
  C* b = args.buffer.data<C>();
  const auto mu = static_cast<C>(args.momentum), rest = static_cast<C>(1 - args.momentum);
  const C kept = args.nesterov ? mu : C{1}, added = args.nesterov ? rest : C{0};
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    const C d = g[i] * scale;
    b[i] = mu * b[i] + rest * d;
    to[i] = added * d + kept * b[i];
  }
}

template <class C>
void move_rows(const Muon& args, const C* o, std::int64_t begin, std::int64_t end) {
  C* w = args.weights.data<C>();
  const auto keep = static_cast<C>(1 - args.learning_rate * args.weight_decay);
  const auto rate = static_cast<C>(args.learning_rate * args.scale);
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) w[i] = w[i] * keep - rate * o[i];
}

template <class C, class T>
void round_to(const C* w, T* copy, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) store(copy[i], w[i]);
}

void momentum_all(Context& context, const Muon& args, double factor, const Tensor& to) {
  const double scale = args.gradient_scale * factor;
  parallel_for(context, to.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (to.dtype == DType::kF64)
      momentum_rows<double>(args, scale, to.data<double>(), begin, end);
    else
      momentum_rows<float>(args, static_cast<float>(scale), to.data<float>(), begin, end);
  });
}

template <class C>
void move_and_round(const Muon& args, const C* o, std::int64_t begin, std::int64_t end) {
  move_rows(args, o, begin, end);
  if (args.copy.empty()) return;
  dispatch_float(args.copy.dtype,
                 [&]<class T>(T) { round_to(args.weights.data<C>(), args.copy.data<T>(), begin, end); });
}

void move_all(Context& context, const Muon& args, const Tensor& o) {
  parallel_for(context, o.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (o.dtype == DType::kF64)
      move_and_round(args, o.data<double>(), begin, end);
    else
      move_and_round(args, o.data<float>(), begin, end);
  });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(add_all);
HWY_EXPORT(momentum_all);
HWY_EXPORT(move_all);

namespace {

constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
constexpr double kMinNorm = 1e-7;  // of the norm that is divided by

/// c = a op(b)
void product(Context& context, const Tensor& a, const Tensor& b, bool transpose_b, const Tensor& c) {
  cpu::matmul(context, {.a = a, .b = b, .transpose_b = transpose_b, .c = c});
}

void add(Context& context, const Tensor& x, double a, double b, const Tensor& y) {
  HWY_DYNAMIC_DISPATCH(add_all)(context, x, a, b, y);
}

void transpose(Context& context, const Tensor& x, const Tensor& y) {
  constexpr std::int64_t kTile = 32;
  const std::int64_t rows = x.dim(0), columns = x.dim(1);
  const auto run = [&]<class C>(const C* from, C* to) {
    parallel_for(context, (columns + kTile - 1) / kTile, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = 0; row < rows; row += kTile)
        for (std::int64_t c = begin * kTile; c < std::min(end * kTile, columns); ++c)
          for (std::int64_t r = row; r < std::min(row + kTile, rows); ++r)
            to[c * rows + r] = from[r * columns + c];
    });
  };
  if (x.dtype == DType::kF64)
    run(x.data<double>(), y.data<double>());
  else
    run(x.data<float>(), y.data<float>());
}

/// Of a matrix that is not higher than wide. `next` [k, l] is scratch, `gram` [k, k] too.
void iterate(Context& context, const Tensor& x, int steps, const Tensor& next, const Tensor& gram) {
  const std::int64_t k = x.dim(0);
  const Tensor square = next.reshaped({next.numel()}).first(k * k).reshaped({k, k});
  for (int step = 0; step < steps; ++step) {
    product(context, x, x, true, gram);
    product(context, gram, gram, false, square);
    add(context, gram, kB, kC, square);
    product(context, gram, x, false, next);
    add(context, x, kA, 1, next);
  }
}

}  // namespace

namespace cpu {

// A tall matrix is transposed: the products' rows are then rows of what they read.
void newton_schulz(Context& context, const Tensor& x, int steps, const Tensor& workspace) {
  const std::int64_t rows = x.dim(0), columns = x.dim(1), smaller = std::min(rows, columns);
  const Tensor flat = workspace.reshaped({workspace.numel()});
  const Tensor other = flat.first(rows * columns);
  const Tensor gram = flat.rows(rows * columns, smaller * smaller).reshaped({smaller, smaller});
  const double norm = std::sqrt(nystrom::squared_norm(context, x));
  add(context, x, 1 / std::max(norm, kMinNorm), 0, x);
  if (rows <= columns) return iterate(context, x, steps, other.reshaped(x.shape), gram);
  const Tensor wide = other.reshaped({columns, rows});
  transpose(context, x, wide);
  iterate(context, wide, steps, x.reshaped({columns, rows}), gram);
  transpose(context, wide, x);
}

void muon_step(Context& context, const Muon& args) {
  const double factor = args.factor.empty() ? 1.0 : args.factor.data<double>()[0];
  if (factor == 0) return;
  const Shape& shape = args.weights.shape;
  const Tensor flat = args.workspace.reshaped({args.workspace.numel()});
  const Tensor update = flat.first(shape.numel()).reshaped(shape);
  HWY_DYNAMIC_DISPATCH(momentum_all)(context, args, factor, update);
  cpu::newton_schulz(context, update, args.steps, flat.rows(shape.numel(), flat.numel() - shape.numel()));
  HWY_DYNAMIC_DISPATCH(move_all)(context, args, update);
}

}  // namespace cpu
}  // namespace nystrom
#endif
