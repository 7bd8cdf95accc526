// LayerNorm of one row, shared by layer_norm.cpp and embedding.cpp; compiled once for each
// instruction set.

#if defined(NYSTROM_KERNELS_LAYER_NORM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NYSTROM_KERNELS_LAYER_NORM_INL_H_
#undef NYSTROM_KERNELS_LAYER_NORM_INL_H_
#else
#define NYSTROM_KERNELS_LAYER_NORM_INL_H_
#endif

#include <cmath>
#include <type_traits>

#include "kernels/cpu/column_sums-inl.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {

/// A row in compute dtype: the row itself where T is that, else room on the stack.
template <class T>
class ComputeRow {
 public:
  Compute<T>* of(T* row) {
    if constexpr (std::is_same_v<T, Compute<T>>)
      return row;
    else
      return room_;
  }

 private:
  alignas(64) Compute<T> room_[std::is_same_v<T, Compute<T>> ? 1 : kMaxRowColumns];
};

/// stats[0] = mean of z, stats[1] = 1 / sqrt(variance + epsilon); two passes over the row, which is in L1.
template <class C>
void row_statistics(const C* z, std::int64_t columns, double epsilon, C* stats) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < columns; ++c) sum += z[c];
  const C mean = sum / static_cast<C>(columns);
  C squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t c = 0; c < columns; ++c) squares += (z[c] - mean) * (z[c] - mean);
  stats[0] = mean;
  stats[1] = C{1} / std::sqrt(squares / static_cast<C>(columns) + static_cast<C>(epsilon));
}

/// y = gamma (z - mean) rstd + beta; y may be z.
template <class T>
void normalize_row(const Compute<T>* z, const Compute<T>* stats, const Compute<T>* gamma,
                   const Compute<T>* beta, T* y, std::int64_t columns) {
  const Compute<T> mean = stats[0], rstd = stats[1];
#pragma omp simd
  for (std::int64_t c = 0; c < columns; ++c) store(y[c], gamma[c] * ((z[c] - mean) * rstd) + beta[c]);
}

/// d_z = rstd (g - mean(g) - n mean(g n)) with g = gamma d_y and n = (z - mean) rstd, for one row; `z(c)`
/// gives z. d_z may be d_y. Adds d_y n to d_gamma and d_y to d_beta.
template <class T, class D, class Z>
void layer_norm_row_backward(const T* d_y, const Z& z, const Compute<T>* stats, const Compute<T>* gamma,
                             D* d_z, Compute<T>* d_gamma, Compute<T>* d_beta, std::int64_t columns) {
  using C = Compute<T>;
  const C mean = stats[0], rstd = stats[1];
  C sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
  for (std::int64_t c = 0; c < columns; ++c) {
    const C d = load(d_y[c]);
    const C along = d * ((z(c) - mean) * rstd);
    sum += gamma[c] * d;
    product += gamma[c] * along;
    d_gamma[c] += along;
    d_beta[c] += d;
  }
  const C mean_g = sum / static_cast<C>(columns), mean_gn = product / static_cast<C>(columns);
#pragma omp simd
  for (std::int64_t c = 0; c < columns; ++c) {
    const C n = (z(c) - mean) * rstd;
    store(d_z[c], rstd * (gamma[c] * load(d_y[c]) - mean_g - n * mean_gn));
  }
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
