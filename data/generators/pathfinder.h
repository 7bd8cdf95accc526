#pragma once
// Pathfinder (Linsley et al. 2018, arXiv 1805.08315): pictures of two long dashed contours and some short
// ones, with a disc at the beginning of a long one and a disc at the end of the same or of the other. Which
// of the two is the label.
//
//   const PathfinderGenerator generator(pathfinder_rule(32, 14), 1);
//   const PathfinderPicture picture = generator.draw(0);  // a pure function of the rule, the seed and 0

#include <cstdint>
#include <vector>

#include "data/generators/segments.h"
#include "kernels/core/philox.h"

namespace nystrom {

struct PathfinderPicture {
  std::vector<std::uint8_t> pixels;  ///< [size * size] grey, row by row
  int label = 0;                     ///< 1: both discs are on one contour
  int margin = 0;                    ///< of the rule's
  Pixel origin, terminal;            ///< the discs' centres
  int restarts = 0;                  ///< pictures discarded before this one
  int distractors = 0;
};

class PathfinderGenerator {
 public:
  PathfinderGenerator(const PathfinderRule& rule, std::uint64_t seed);

  [[nodiscard]] const PathfinderRule& rule() const { return rule_; }
  /// One for each of the rule's margins.
  [[nodiscard]] const std::vector<Segments>& segments() const { return segments_; }

  /// Picture `index`. Refuses a rule whose contours do not find room in 100,000 tries. Any threads may call
  /// it.
  [[nodiscard]] PathfinderPicture draw(std::uint64_t index) const;

 private:
  PathfinderRule rule_;
  std::uint64_t seed_;
  std::vector<Segments> segments_;
};

}  // namespace nystrom
