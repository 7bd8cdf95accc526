#pragma once
// Shrinking of grey pictures by Lanczos' kernel of three lobes, as Pillow does it on 8-bit pictures: across,
// then down, rounded to bytes after each.

#include <cstdint>
#include <vector>

namespace nystrom {

/// Pixels [top, bottom) x [left, right).
struct PixelWindow {
  int top = 0, left = 0, bottom = 0, right = 0;
  [[nodiscard]] int height() const { return bottom - top; }
  [[nodiscard]] int width() const { return right - left; }
};

class LanczosShrink {
 public:
  /// From pictures of from x from pixels to to x to, to <= from.
  LanczosShrink(int from, int to);

  /// The pixels of `window` of the small picture, row by row, 0 to 255. `pixel(y, x)` gives the large one's,
  /// 0 to 255.
  template <class Pixel>
  [[nodiscard]] std::vector<double> shrink(const PixelWindow& window, const Pixel& pixel) const {
    const Taps& above = taps_[static_cast<std::size_t>(window.top)];
    const Taps& below = taps_[static_cast<std::size_t>(window.bottom) - 1];
    const int first_row = above.first,
              rows = below.first + static_cast<int>(below.weights.size()) - first_row;
    std::vector<double> across;  // [rows][width]
    for (int y = 0; y < rows; ++y)
      for (int x = window.left; x < window.right; ++x)
        across.push_back(weighed(x, [&](int from) { return pixel(first_row + y, from); }));
    std::vector<double> small;
    for (int y = window.top; y < window.bottom; ++y)
      for (int x = 0; x < window.width(); ++x)
        small.push_back(weighed(y, [&](int from) {
          return across[static_cast<std::size_t>((from - first_row) * window.width() + x)];
        }));
    return small;
  }

 private:
  struct Taps {
    int first = 0;
    std::vector<double> weights;
  };

  template <class Value>
  [[nodiscard]] double weighed(int to, const Value& value) const {
    const Taps& taps = taps_[static_cast<std::size_t>(to)];
    double sum = 0;
    for (std::size_t i = 0; i < taps.weights.size(); ++i)
      sum += taps.weights[i] * value(taps.first + static_cast<int>(i));
    return as_byte(sum);
  }
  static double as_byte(double value);

  std::vector<Taps> taps_;  // of each small pixel
};

}  // namespace nystrom
