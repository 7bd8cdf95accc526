#pragma once
// Pathfinder in the Long Range Arena's form: imgs/<batch>/sample_<i>.png, and metadata/<batch>.npy, which is
// text.

#include <cstdint>
#include <string>

#include "data/generators/pathfinder.h"
#include "data/generators/workers.h"

namespace nystrom {

/// Writes the generator's pictures 0 to `count` - 1, a thousand in a batch, to `folder`, which must not exist
/// and appears when all are there. A collective of all ranks, which share the file system; batches
/// are distributed over them.
void write_pathfinder(const PathfinderGenerator& generator, std::int64_t count, const std::string& folder,
                      const Workers& workers);

/// A line of metadata: folder, file, number, label, continuity, lengths of contour, distractor and segment,
/// thickness, margin, number of contrasts.
[[nodiscard]] std::string pathfinder_metadata(const PathfinderRule& rule, const PathfinderPicture& picture,
                                              std::int64_t batch, std::int64_t number);

}  // namespace nystrom
