#pragma once
// Segments of Pathfinder's contours: their pixels in each direction, how much space
// it takes, and where the next one may end.

#include <map>
#include <vector>

#include "data/generators/pathfinder_rule.h"

namespace nystrom {

struct Pixel {
  int y = 0, x = 0;
  auto operator<=>(const Pixel&) const = default;
  Pixel operator+(Pixel other) const { return {y + other.y, x + other.x}; }
};

/// `from`, moved `distance` in the direction `angle` (radians; 0: along x), rounded up.
[[nodiscard]] Pixel moved(Pixel from, double angle, double distance);
/// The opposite direction, within [-pi, pi].
[[nodiscard]] double opposite(double angle);

/// A segment around its beginning, on pixels [-half, half] in both directions, row by row.
struct SegmentPicture {
  std::vector<float> light;  ///< 0 to 1
  std::vector<float> room;   ///< 0 to 1: the segment and its margin
};

/// All segments of one margin.
class Segments {
 public:
  /// A first segment in a direction of whole degrees.
  struct Seed {
    double angle = 0;
    const SegmentPicture* picture = nullptr;
    std::vector<Pixel> room;  ///< pixels, seen from the segment's beginning, that must be free
  };
  /// An end that a segment can have.
  struct End {
    Pixel from_pivot;
    double angle = 0;                         ///< of the segment, from the pivot to here
    const SegmentPicture* picture = nullptr;  ///< drawn from here back to the pivot
  };

  Segments(const PathfinderRule& rule, int margin);
  Segments(Segments&&) noexcept = default;  // pointers to pictures stay valid
  Segments& operator=(Segments&&) noexcept = default;

  [[nodiscard]] int margin() const { return margin_; }
  [[nodiscard]] int half() const { return half_; }
  [[nodiscard]] const std::vector<Seed>& seeds() const { return seeds_; }  ///< [360], from -180 degrees
  [[nodiscard]] const std::vector<End>& ends() const { return ends_; }     ///< ascending in y, then x
  [[nodiscard]] const std::vector<Pixel>& margin_disc() const { return margin_disc_; }

 private:
  [[nodiscard]] const SegmentPicture* picture(double angle);
  [[nodiscard]] SegmentPicture draw(Pixel fine_end) const;
  [[nodiscard]] std::vector<Pixel> room_of_seed(const SegmentPicture& picture) const;
  void find_ends();

  int length_, margin_, half_, antialias_, fine_thickness_;
  std::map<Pixel, SegmentPicture> pictures_;  // by the end on the enlarged canvas
  std::vector<Seed> seeds_;
  std::vector<End> ends_;
  std::vector<Pixel> margin_disc_;
};

}  // namespace nystrom
