#include "kernels/cpu/attention/depthwise_conv.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/core/philox.h"

namespace nystrom::testing {
namespace {

using Index = std::int64_t;

struct Rows {
  Index count, width;
  std::vector<double> values;

  Rows(Index n, Index d, std::uint64_t seed) : count(n), width(d), values(static_cast<std::size_t>(n * d)) {
    Random draws(seed, Purpose::kTest, 0);
    for (double& x : values) x = draws.normal();
  }
  [[nodiscard]] double at(Index i, Index d) const {
    return i < 0 || i >= count ? 0.0 : values[static_cast<std::size_t>(i * width + d)];
  }
};

/// Rows [begin - taps / 2, begin + count + taps / 2) in a tile.
std::vector<double> halo(const Rows& x, Index begin, Index count, Index taps) {
  std::vector<double> tile(static_cast<std::size_t>((count + taps - 1) * padded(x.width)));
  const HeadRows<const double> rows{x.values.data(), x.width, x.width};
  tile_ops<double>().load_rows(rows, x.count, begin - taps / 2, count + taps - 1,
                               {tile.data(), padded(x.width)});
  return tile;
}

void check_rows(Index n, Index taps, bool reversed) {
  const Rows x(n, 3, 1), w(taps, 1, 2);
  std::vector<double> filter(static_cast<std::size_t>(conv_filter_elements(taps)));
  conv_prepare_filter(w.values.data(), taps, reversed, 2.0, filter.data());
  std::vector<double> in = halo(x, 0, n, taps), y(static_cast<std::size_t>(n * padded(3)), 1.0);
  conv_rows(filter.data(), taps, Tile<double>{in.data(), padded(3)}, n, 3, Tile<double>{y.data(), padded(3)},
            true);
  for (Index i = 0; i < n; ++i)
    for (Index d = 0; d < 3; ++d) {
      double sum = 1;
      for (Index k = 0; k < taps; ++k)
        sum += 2 * w.at(reversed ? taps - 1 - k : k, 0) * x.at(i + k - taps / 2, d);
      EXPECT_NEAR(y[static_cast<std::size_t>(i * padded(3) + d)], sum, 1e-12) << i << " " << taps;
    }
}

TEST(DepthwiseConv, is_cross_correlation_with_zeros_beyond_the_sequence) {
  for (const Index taps : {1, 3, 9, 65})
    for (const Index n : {1, 5, 6, 7, 40}) check_rows(n, taps, false);
  check_rows(13, 5, true);
}

TEST(DepthwiseConv, filter_gradient_is_the_correlation_of_input_and_gradient) {
  for (const Index taps : {1, 3, 17}) {
    const Index n = 23, width = 5;
    const Rows x(n, width, 3), d_y(n, width, 4);
    std::vector<double> in = halo(d_y, 0, n, taps), tile = halo(x, 0, n, 1);
    const Index columns = conv_halo_columns(n, taps);
    std::vector<double> turned(static_cast<std::size_t>(width * columns));
    tile_ops<double>().transpose({in.data(), padded(width)}, n + taps - 1, width, 1.0,
                                 {turned.data(), columns});
    std::vector<double> band(static_cast<std::size_t>(conv_band_elements(taps))),
        d_w(static_cast<std::size_t>(taps));
    conv_filter_gradient(Tile<double>{tile.data(), padded(width)}, Tile<double>{turned.data(), columns}, n,
                         width, taps, band.data());
    conv_finish_filter_gradient(band.data(), taps, d_w.data());
    for (Index k = 0; k < taps; ++k) {
      double sum = 0;
      for (Index i = 0; i < n; ++i)
        for (Index d = 0; d < width; ++d) sum += d_y.at(i, d) * x.at(i + k - taps / 2, d);
      EXPECT_NEAR(d_w[static_cast<std::size_t>(k)], sum, 1e-12) << k << " of " << taps;
    }
  }
}

}  // namespace
}  // namespace nystrom::testing
