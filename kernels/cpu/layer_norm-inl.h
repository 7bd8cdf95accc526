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
#include "kernels/cpu/lanes-inl.h"
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

/// stats[0] = mean of z, whose sum is given; stats[1] = 1 / sqrt(variance + epsilon).
template <class C>
void row_statistics(const C* z, C sum, std::int64_t columns, double epsilon, C* stats) {
  const C mean = sum / static_cast<C>(columns);
  C squares;
  sum_lanes<1>(columns, &squares, [=](auto d, std::int64_t c, auto* v) HWY_ATTR {
    const auto distance = hn::Sub(hn::LoadU(d, z + c), hn::Set(d, mean));
    v[0] = hn::Mul(distance, distance);
  });
  stats[0] = mean;
  stats[1] = C{1} / std::sqrt(squares / static_cast<C>(columns) + static_cast<C>(epsilon));
}

/// (z - mean) rstd
template <class D>
HWY_INLINE hn::Vec<D> normalized(D d, hn::Vec<D> z, const hn::TFromD<D>* stats) {
  return hn::Mul(hn::Sub(z, hn::Set(d, stats[0])), hn::Set(d, stats[1]));
}

/// y = gamma (z - mean) rstd + beta; y may be z.
template <class T>
void normalize_row(const Compute<T>* z, const Compute<T>* stats, const Compute<T>* gamma,
                   const Compute<T>* beta, T* y, std::int64_t columns) {
  for_lanes<Compute<T>>(0, columns, [=](auto d, std::int64_t c) HWY_ATTR {
    const auto n = normalized(d, hn::LoadU(d, z + c), stats);
    store_lanes(d, hn::MulAdd(hn::LoadU(d, gamma + c), n, hn::LoadU(d, beta + c)), y + c);
  });
}

/// d_z = rstd (g - mean(g) - n mean(g n)) with g = gamma d_y and n = (z - mean) rstd, for one row.
template <class C>
struct NormBackward {
  const C* stats;
  const C* gamma;
  C mean_g, mean_gn;

  /// Of the elements from c on.
  template <class D>
  HWY_INLINE hn::Vec<D> d_z(D d, std::int64_t c, hn::Vec<D> d_y, hn::Vec<D> z) const {
    const auto g = hn::Mul(hn::LoadU(d, gamma + c), d_y);
    const auto n = normalized(d, z, stats);
    const auto inner = hn::NegMulAdd(n, hn::Set(d, mean_gn), hn::Sub(g, hn::Set(d, mean_g)));
    return hn::Mul(hn::Set(d, stats[1]), inner);
  }
};

/// The means over a row; `z(tag, c)` gives z from element c on. Adds d_y n to d_gamma and d_y to d_beta.
template <class T, class C, class Z>
NormBackward<C> norm_backward(const T* d_y, const Z& z, const C* stats, const C* gamma, C* d_gamma, C* d_beta,
                              std::int64_t columns) {
  C sums[2];
  sum_lanes<2>(columns, sums, [=](auto d, std::int64_t c, auto* v) HWY_ATTR {
    const auto d_value = load_lanes(d, d_y + c), g = hn::LoadU(d, gamma + c);
    const auto along = hn::Mul(d_value, normalized(d, z(d, c), stats));
    v[0] = hn::Mul(g, d_value);
    v[1] = hn::Mul(g, along);
    add_lanes(d, along, d_gamma + c);
    add_lanes(d, d_value, d_beta + c);
  });
  return {stats, gamma, sums[0] / static_cast<C>(columns), sums[1] / static_cast<C>(columns)};
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
