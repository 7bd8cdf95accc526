// Muon (muon.h): an elementwise pass that makes U, Newton-Schulz, an elementwise pass over the weights. The
// products go to cuBLASLt, in true fp32; the norm is summed where the matrix lies, and what divides by it
// reads it there. Operations bound it: the matrices of a base model (12 layers, 768 and 3072) take 1.6 TFLOP
// for 5 steps, 24 ms at an H200's 67 TFLOP/s in fp32. Checked against the CPU through the emulation; not yet
// run on a GPU.

#include "kernels/optimizer/muon.h"

#include <algorithm>

#include "kernels/cuda/ops.h"
#include "kernels/cuda/sum_of_squares.h"
#include "kernels/cuda/vectorized.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

constexpr float kA = 3.4445F, kB = -4.7750F, kC = 2.0315F;

/// The new B, and U.
struct Momentum {
  const float* g;
  float *b, *u;
  const double* factor;  // null: 1
  double scale;
  float mu, rest, kept, added;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    const double clip = factor == nullptr ? 1.0 : *factor;
    const auto by = static_cast<float>(scale * clip);
    const Vec8 gradient = load8<kRagged>(g + first, count);
    Vec8 buffer = load8<kRagged>(b + first, count), update{};
    if (clip != 0) {  // else the gradients are not finite
#pragma unroll
      for (int i = 0; i < kEight; ++i) {
        const float d = gradient.v[i] * by;
        buffer.v[i] = mu * buffer.v[i] + rest * d;
        update.v[i] = added * d + kept * buffer.v[i];
      }
      store8<kRagged>(b + first, buffer, count);
    }
    store8<kRagged>(u + first, update, count);
  }
};

/// x / max(|x|, 1e-7)
struct Normalize {
  float* x;
  const double* squares;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    const auto by = static_cast<float>(1 / fmax(sqrt(*squares), 1e-7));
    Vec8 v = load8<kRagged>(x + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) v.v[i] *= by;
    store8<kRagged>(x + first, v, count);
  }
};

/// x = a x + b y
struct Add {
  float* x;
  const float* y;
  float a, b;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    Vec8 sum = load8<kRagged>(x + first, count);
    const Vec8 other = load8<kRagged>(y + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) sum.v[i] = a * sum.v[i] + b * other.v[i];
    store8<kRagged>(x + first, sum, count);
  }
};

template <class Copy>
struct Move {
  float* w;
  const float* o;
  Copy* copy;            // null: none
  const double* factor;  // null: 1
  float keep, rate;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    if (factor != nullptr && *factor == 0) return;
    Vec8 weight = load8<kRagged>(w + first, count);
    const Vec8 update = load8<kRagged>(o + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) weight.v[i] = weight.v[i] * keep - rate * update.v[i];
    store8<kRagged>(w + first, weight, count);
    if (copy != nullptr) store8<kRagged>(copy + first, weight, count);
  }
};

void add(CudaContext& context, const Tensor& x, float a, float b, const Tensor& y) {
  const Add body{x.data<float>(), y.data<float>(), a, b};
  const std::int64_t count = x.numel();
  vectorized_for_each(context, "newton_schulz_add", count,
                      whole_eights(body.x, count) && whole_eights(body.y, count), body);
}

void normalize(CudaContext& context, const Tensor& x) {
  auto* squares = static_cast<double*>(context.workspace(sizeof(double)));  // before the partials' place
  sum_of_squares(context, x, squares);
  const Normalize body{x.data<float>(), squares};
  vectorized_for_each(context, "newton_schulz_normalize", x.numel(), whole_eights(body.x, x.numel()), body);
}

const double* factor_of(const Muon& args) {
  return args.factor.empty() ? nullptr : args.factor.data<double>();
}

void momentum(CudaContext& context, const Muon& args, const Tensor& to) {
  const auto mu = static_cast<float>(args.momentum), rest = static_cast<float>(1 - args.momentum);
  const Momentum body{.g = args.gradients.data<float>(),
                      .b = args.buffer.data<float>(),
                      .u = to.data<float>(),
                      .factor = factor_of(args),
                      .scale = args.gradient_scale,
                      .mu = mu,
                      .rest = rest,
                      .kept = args.nesterov ? mu : 1.0F,
                      .added = args.nesterov ? rest : 0.0F};
  const std::int64_t count = to.numel();
  vectorized_for_each(
      context, "muon_momentum", count,
      whole_eights(body.g, count) && whole_eights(body.b, count) && whole_eights(body.u, count), body);
}

template <class Copy>
void move(CudaContext& context, const Muon& args, const Tensor& o) {
  const Move<Copy> body{.w = args.weights.data<float>(),
                        .o = o.data<float>(),
                        .copy = args.copy.empty() ? nullptr : args.copy.data<Copy>(),
                        .factor = factor_of(args),
                        .keep = static_cast<float>(1 - args.learning_rate * args.weight_decay),
                        .rate = static_cast<float>(args.learning_rate * args.scale)};
  const std::int64_t count = o.numel();
  vectorized_for_each(
      context, "muon_update", count,
      whole_eights(body.w, count) && whole_eights(body.o, count) && whole_eights(body.copy, count), body);
}

}  // namespace

void newton_schulz(CudaContext& context, const Tensor& x, int steps, const Tensor& workspace) {
  dispatch_device(x.dtype, [](auto) {});  // refuses fp64
  const std::int64_t rows = x.dim(0), columns = x.dim(1), k = std::min(rows, columns);
  const bool high = rows > columns;
  const Tensor flat = workspace.reshaped({workspace.numel()});
  const Tensor next = flat.first(rows * columns).reshaped(x.shape);
  const Tensor square = flat.first(k * k).reshaped({k, k});
  const Tensor gram = flat.rows(rows * columns, k * k).reshaped({k, k});
  normalize(context, x);
  for (int step = 0; step < steps; ++step) {
    matmul(context, {.a = x, .b = x, .transpose_a = high, .transpose_b = !high, .c = gram});
    matmul(context, {.a = gram, .b = gram, .c = square});
    add(context, gram, kB, kC, square);
    matmul(context, {.a = high ? x : gram, .b = high ? gram : x, .c = next});
    add(context, x, kA, 1.0F, next);
  }
}

void muon_step(CudaContext& context, const Muon& args) {
  dispatch_device(args.weights.dtype, [](auto) {});
  const Shape& shape = args.weights.shape;
  const Tensor flat = args.workspace.reshaped({args.workspace.numel()});
  const Tensor update = flat.first(shape.numel()).reshaped(shape);
  momentum(context, args, update);
  newton_schulz(context, update, args.steps, flat.rows(shape.numel(), flat.numel() - shape.numel()));
  dispatch_device(args.copy.empty() ? DType::kF32 : args.copy.dtype,
                  [&]<class Copy>(Copy) { move<Copy>(context, args, update); });
}

}  // namespace nystrom::cuda
