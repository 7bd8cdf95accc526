#include "data/generators/pathfinder_rule.h"

#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// The benchmark's constants by size, without what a contour's length says. distractors: segments of all
/// together.
PathfinderRule constants_of(int size) {
  if (size >= 256)
    return {.distractors = 30,
            .segment_length = 5,
            .thickness = 2,
            .margins = {3},
            .seed_distance = 27,
            .border = 22,
            .marker_radius = 5,
            .continuity = 1.8,
            .target_brightness = 1,
            .distractor_brightness = 1};
  if (size >= 128)
    return {.distractors = 35,
            .segment_length = 5,
            .thickness = 1.5,
            .margins = {2, 3},
            .seed_distance = 20,
            .marker_radius = 3,
            .continuity = 1.8,
            .target_brightness = 0.9,
            .distractor_brightness = 0.9};
  if (size >= 64)
    return {.distractors = 22,
            .segment_length = 5,
            .thickness = 1,
            .seed_distance = 12,
            .marker_radius = 2.5,
            .continuity = 1.8,
            .target_brightness = 0.8,
            .distractor_brightness = 0.8};
  return {.distractors = 20};
}

}  // namespace

PathfinderRule pathfinder_rule(std::int64_t size, std::int64_t contour) {
  if (size < 32 || size > 1024)
    refuse("A Pathfinder image of {} pixels: its size must be between 32 and 1024.", size);
  if (contour < 3 || contour > 1000)
    refuse("A Pathfinder contour of {} segments: it must have between 3 and 1000.", contour);
  PathfinderRule rule = constants_of(static_cast<int>(size));
  rule.size = static_cast<int>(size);
  rule.contour = static_cast<int>(contour);
  rule.distractor_length = rule.contour / 3;
  rule.distractors /= rule.distractor_length;
  return rule;
}

std::string pathfinder_folder(std::int64_t contour) {
  return contour == 6 ? "curv_baseline" : fmt::format("curv_contour_length_{}", contour);
}

}  // namespace nystrom
