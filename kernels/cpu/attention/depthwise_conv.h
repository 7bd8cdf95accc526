#pragma once
// Depthwise convolution of attention's skip, on tiles of one head: y[i, d] = sum_k w[k] x[i + k - K / 2,
// d], K odd, one filter for all D channels. A banded Toeplitz matrix times x, so it runs on small_gemm; its
// gradient by x is the same with the filter reversed. A halo tile of `count` rows from row `begin` holds the
// rows [begin - K / 2, begin + count + K / 2), zero outside the sequence. C is float or double. One thread,
// no allocation.

#include <cstdint>

#include "kernels/cpu/attention/tile_ops.h"

namespace nystrom {

/// Elements of a prepared filter: zeros on both sides stand for the corners of the Toeplitz matrix.
constexpr std::int64_t conv_filter_elements(std::int64_t taps) {
  return taps + 2 * (kGemmRows - 1);
}

/// to = factor * w [taps], reversed or not, with its zeros.
template <class C>
void conv_prepare_filter(const C* w, std::int64_t taps, bool reversed, C factor, C* to);

/// y [i, :] (+)= sum_k filter[k] halo [i + k, :] for i < count, halo as described above.
template <class C>
void conv_rows(const C* filter, std::int64_t taps, const Tile<C>& halo, std::int64_t count,
               std::int64_t width, const Tile<C>& y, bool accumulate);

/// The filter's gradient is gathered in [kGemmRows, conv_band(taps)] partial sums, which begin as zeros.
constexpr std::int64_t conv_band(std::int64_t taps) {
  return padded(taps + kGemmRows - 1);
}
constexpr std::int64_t conv_band_elements(std::int64_t taps) {
  return kGemmRows * conv_band(taps);
}
/// Columns that the transposed halo tile [D, columns] of `count` rows must have room for.
constexpr std::int64_t conv_halo_columns(std::int64_t count, std::int64_t taps) {
  return padded(count) + conv_band(taps);
}
/// band += the products of x [count, width] and the gradient of y, whose halo tile is given transposed.
template <class C>
void conv_filter_gradient(const Tile<C>& x, const Tile<C>& d_y_halo_transposed, std::int64_t count,
                          std::int64_t width, std::int64_t taps, C* band);
/// d_w [taps] += what the band has gathered.
template <class C>
void conv_finish_filter_gradient(const C* band, std::int64_t taps, C* d_w);

}  // namespace nystrom
