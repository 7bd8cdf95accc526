#pragma once
// The constants of Pathfinder (Linsley et al. 2018, arXiv 1805.08315) as the Long Range Arena (arXiv
// 2011.04006) sets them for its four sizes.

#include <cstdint>
#include <string>
#include <vector>

namespace nystrom {

/// Distances are in pixels, brightness in shares of a marker's.
struct PathfinderRule {
  int size = 32;              ///< of the square picture
  int contour = 14;           ///< segments of each of the two targets
  int distractor_length = 4;  ///< segments of a distractor
  int distractors = 5;        ///< as many as find room
  int segment_length = 2;
  double thickness = 0.5;          ///< of a segment
  std::vector<int> margins = {1};  ///< around a segment, one of them for a picture
  int antialias = 2;               ///< pictures are drawn this much larger
  int seed_distance = 7;           ///< between the targets' origins
  int border = 1;
  double marker_radius = 1.5;
  double continuity = 1;  ///< how much a bend counts; larger: straighter
  double target_brightness = 1.5, distractor_brightness = 2;
};

/// The benchmark's rule for pictures of 32, 64, 128 and 256 pixels; another size has the constants of the
/// next smaller one. A distractor has a third of the contour's segments. Refuses a size below 32 or above
/// 1024 and a contour of fewer than 3 or more than 1000 segments.
[[nodiscard]] PathfinderRule pathfinder_rule(std::int64_t size, std::int64_t contour);

/// The release's folder of a level: curv_baseline (6), curv_contour_length_9, curv_contour_length_14.
[[nodiscard]] std::string pathfinder_folder(std::int64_t contour);

}  // namespace nystrom
