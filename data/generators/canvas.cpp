#include "data/generators/canvas.h"

#include <algorithm>

namespace nystrom {
namespace {

/// Calls visit(pixel, value) for the pixels of a picture around `at` that are on the canvas.
template <class Visit>
void for_each_pixel(int size, Pixel at, const std::vector<float>& picture, int half, const Visit& visit) {
  const int width = 2 * half + 1;
  const int left = std::max(-half, -at.x), right = std::min(half, size - 1 - at.x);
  for (int y = std::max(-half, -at.y); y <= std::min(half, size - 1 - at.y); ++y)
    for (int x = left; x <= right; ++x)
      visit(Pixel{at.y + y, at.x + x}, picture[static_cast<std::size_t>((y + half) * width + x + half)]);
}

}  // namespace

void Canvas::raise(Pixel at, const std::vector<float>& picture, int half, float scale) {
  for_each_pixel(size_, at, picture, half, [&](Pixel p, float value) {
    float& pixel = (*this)[p];
    pixel = std::max(pixel, value * scale);
  });
}

float Canvas::highest_with(Pixel at, const std::vector<float>& picture, int half) const {
  float highest = 0;
  for_each_pixel(size_, at, picture, half,
                 [&](Pixel p, float value) { highest = std::max(highest, (*this)[p] + value); });
  return highest;
}

}  // namespace nystrom
