#pragma once
// Canvas of one Pathfinder example: intensities, and the occupied space.

#include <vector>

#include "data/generators/segments.h"

namespace nystrom {

/// Square values by pixel.
class Canvas {
 public:
  explicit Canvas(int size) : size_(size), values_(static_cast<std::size_t>(size * size)) {}

  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] bool holds(Pixel p) const { return p.y >= 0 && p.y < size_ && p.x >= 0 && p.x < size_; }
  [[nodiscard]] float& operator[](Pixel p) { return values_[static_cast<std::size_t>(p.y * size_ + p.x)]; }
  [[nodiscard]] float operator[](Pixel p) const {
    return values_[static_cast<std::size_t>(p.y * size_ + p.x)];
  }
  [[nodiscard]] const std::vector<float>& values() const { return values_; }

  /// Raises each pixel to `scale` times that of `picture`, which has pixels [-half, half] around `at`.
  void raise(Pixel at, const std::vector<float>& picture, int half, float scale = 1);
  /// The largest sum of a pixel and that of `picture` around `at`.
  [[nodiscard]] float highest_with(Pixel at, const std::vector<float>& picture, int half) const;

 private:
  int size_;
  std::vector<float> values_;
};

}  // namespace nystrom
