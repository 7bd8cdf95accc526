#include "kernels/cpu/attention/pseudo_inverse.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace nystrom {
namespace {

using Index = std::int64_t;

/// Square tiles, allocated one after another from scratch memory.
template <class C>
class Squares {
 public:
  Squares(C* scratch, Index m) : next_(scratch), m_(m), stride_(padded(m)) {}
  Tile<C> take() { return {std::exchange(next_, next_ + m_ * stride_), stride_}; }

 private:
  C* next_;
  Index m_, stride_;
};

/// c (+)= alpha a b of square tiles
template <class C>
void multiply(Index m, C alpha, const Tile<C>& a, const Tile<C>& b, const Tile<C>& c,
              bool accumulate = false) {
  small_gemm(
      SmallGemm<C>{m, m, m, a.data, a.stride, 1, b.data, b.stride, c.data, c.stride, alpha, accumulate});
}

template <class C>
void add_diagonal(Index m, C value, const Tile<C>& a) {
  for (Index i = 0; i < m; ++i) a.row(i)[i] += value;
}

/// y (+)= factor x, padding and all
template <class C>
void scale(Index m, C factor, const Tile<C>& x, const Tile<C>& y, bool accumulate = false) {
  const Index count = m * x.stride;
  for (Index i = 0; i < count; ++i) y.data[i] = factor * x.data[i] + (accumulate ? y.data[i] : C(0));
}

/// One step: X = A Z, T2 = 15 I - X (7 I - X), T3 = 13 I - X T2; then Z <- Z T3 / 4.
template <class C>
struct Step {
  Tile<C> z, x, t2, t3;

  explicit Step(Squares<C>& squares)
      : z(squares.take()), x(squares.take()), t2(squares.take()), t3(squares.take()) {}

  void run(Index m, const Tile<C>& a) const {
    multiply(m, C(1), a, z, x);
    const Tile<C>& t1 = t3;  // free until T3 is made
    scale(m, C(-1), x, t1);
    add_diagonal(m, C(7), t1);
    multiply(m, C(-1), x, t1, t2);
    add_diagonal(m, C(15), t2);
    multiply(m, C(-1), x, t2, t3);
    add_diagonal(m, C(13), t3);
  }
};

}  // namespace

template <class C>
OneNorm<C> one_norm(const Tile<C>& a, Index m) {
  OneNorm<C> norm;
  for (Index j0 = 0; j0 < m; j0 += kTilePad) {
    C sums[kTilePad] = {};
    for (Index i = 0; i < m; ++i)
      for (Index j = 0; j < kTilePad; ++j) sums[j] += a.row(i)[j0 + j];
    for (Index j = 0; j < std::min(kTilePad, m - j0); ++j)
      if (sums[j] > norm.value) norm = {sums[j], j0 + j};
  }
  return norm;
}

std::int64_t pseudo_inverse_scratch(Index m) {
  return 4 * m * padded(m);
}
std::int64_t pseudo_inverse_backward_scratch(Index m, int iterations) {
  return (4 * iterations + 5) * m * padded(m);
}

template <class C>
void pseudo_inverse(const Tile<C>& a, Index m, C scale, int iterations, C* scratch, const Tile<C>& z) {
  Squares<C> squares(scratch, m);
  Step<C> step(squares);
  tile_ops<C>().transpose(a, m, m, C(1) / scale, step.z);
  for (int i = 0; i < iterations; ++i) {
    step.run(m, a);
    multiply(m, C(0.25), step.z, step.t3, step.t2);
    std::swap(step.z, step.t2);
  }
  std::copy_n(step.z.data, m * padded(m), z.data);
}

template <class C>
C pseudo_inverse_residual(const Tile<C>& a, const Tile<C>& z, Index m, C* scratch) {
  const Tile<C> x{scratch, padded(m)};
  multiply(m, C(1), a, z, x);
  add_diagonal(m, C(-1), x);
  C sum = 0;
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < m; ++j) sum += x.row(i)[j] * x.row(i)[j];
  return std::sqrt(sum / static_cast<C>(m));
}

template <class C>
C pseudo_inverse_backward(const Tile<C>& a, Index m, C scale, int iterations, const Tile<C>& d_z_transposed,
                          C* scratch, const Tile<C>& d_a) {
  const Index size = 4 * m * padded(m);  // of a step
  const auto step = [&](int i) {
    Squares<C> squares(scratch + i * size, m);
    return Step<C>(squares);
  };
  Squares<C> rest(scratch + iterations * size, m);
  tile_ops<C>().transpose(a, m, m, C(1) / scale, iterations > 0 ? step(0).z : rest.take());
  for (int i = 0; i < iterations; ++i) {
    step(i).run(m, a);
    if (i + 1 < iterations) multiply(m, C(0.25), step(i).z, step(i).t3, step(i + 1).z);
  }
  // All gradients are transposed, so that every product takes its right factor as it is stored.
  Tile<C> d_z = d_z_transposed, next_d_z = rest.take();
  const Tile<C> d_a_t = rest.take(), d_x = rest.take(), d_t3 = rest.take(), d_t2 = rest.take();
  std::fill_n(d_a_t.data, m * padded(m), C(0));
  for (int i = iterations - 1; i >= 0; --i) {
    const Step<C> s = step(i);
    multiply(m, C(0.25), d_z, s.z, d_t3);
    multiply(m, C(0.25), s.t3, d_z, next_d_z);
    multiply(m, C(-1), d_t3, s.x, d_t2);
    multiply(m, C(-1), s.t2, d_t3, d_x);
    multiply(m, C(1), s.x, d_t2, d_x, true);  // - T1 d_t2 = X d_t2 - 7 d_t2
    nystrom::scale(m, C(-7), d_t2, d_x, true);
    multiply(m, C(1), d_t2, s.x, d_x, true);  // - d_t1, where d_t1 = - d_t2 X
    multiply(m, C(1), s.z, d_x, d_a_t, true);
    multiply(m, C(1), d_x, a, next_d_z, true);
    std::swap(d_z, next_d_z);
  }
  tile_ops<C>().transpose(d_a_t, m, m, C(1), d_a);
  nystrom::scale(m, C(1) / scale, d_z, d_a, true);
  C dot = 0;
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < m; ++j) dot += d_z.row(i)[j] * a.row(i)[j];
  return -dot / (scale * scale);
}

#define NYSTROM_INSTANTIATE(C)                                                     \
  template OneNorm<C> one_norm(const Tile<C>&, Index);                             \
  template void pseudo_inverse(const Tile<C>&, Index, C, int, C*, const Tile<C>&); \
  template C pseudo_inverse_residual(const Tile<C>&, const Tile<C>&, Index, C*);   \
  template C pseudo_inverse_backward(const Tile<C>&, Index, C, int, const Tile<C>&, C*, const Tile<C>&)
NYSTROM_INSTANTIATE(float);
NYSTROM_INSTANTIATE(double);
#undef NYSTROM_INSTANTIATE

}  // namespace nystrom
