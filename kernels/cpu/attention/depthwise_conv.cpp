#include "kernels/cpu/attention/depthwise_conv.h"

#include <algorithm>

namespace nystrom {

using Index = std::int64_t;

template <class C>
void conv_prepare_filter(const C* w, Index taps, bool reversed, C factor, C* to) {
  std::fill_n(to, conv_filter_elements(taps), C(0));
  for (Index k = 0; k < taps; ++k) to[kGemmRows - 1 + k] = factor * w[reversed ? taps - 1 - k : k];
}

template <class C>
void conv_rows(const C* filter, Index taps, const Tile<C>& halo, Index count, Index width, const Tile<C>& y,
               bool accumulate) {
  for (Index i = 0; i < count; i += kGemmRows) {
    const Index rows = std::min(kGemmRows, count - i);
    // Row r of the Toeplitz matrix is the filter moved r to the right.
    small_gemm(SmallGemm<C>{rows, width, taps + rows - 1, filter + kGemmRows - 1, -1, 1, halo.row(i),
                            halo.stride, y.row(i), y.stride, C(1), accumulate});
  }
}

template <class C>
void conv_filter_gradient(const Tile<C>& x, const Tile<C>& d_y_halo_transposed, Index count, Index width,
                          Index taps, C* band) {
  // Row r of a block meets the columns [r, r + taps) of the halo that begins at the block's first row.
  for (Index i = 0; i < count; i += kGemmRows) {
    const Index rows = std::min(kGemmRows, count - i);
    small_gemm(SmallGemm<C>{rows, taps + rows - 1, width, x.row(i), x.stride, 1, d_y_halo_transposed.data + i,
                            d_y_halo_transposed.stride, band, conv_band(taps), C(1), true});
  }
}

template <class C>
void conv_finish_filter_gradient(const C* band, Index taps, C* d_w) {
  for (Index r = 0; r < kGemmRows; ++r)
    for (Index t = 0; t < taps; ++t) d_w[taps - 1 - t] += band[r * conv_band(taps) + r + t];
}

#define NYSTROM_INSTANTIATE(C)                                                                  \
  template void conv_prepare_filter(const C*, Index, bool, C, C*);                              \
  template void conv_rows(const C*, Index, const Tile<C>&, Index, Index, const Tile<C>&, bool); \
  template void conv_filter_gradient(const Tile<C>&, const Tile<C>&, Index, Index, Index, C*);  \
  template void conv_finish_filter_gradient(const C*, Index, C*)
NYSTROM_INSTANTIATE(float);
NYSTROM_INSTANTIATE(double);
#undef NYSTROM_INSTANTIATE

}  // namespace nystrom
