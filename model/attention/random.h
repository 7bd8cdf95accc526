#pragma once
// Random numbers of attention: features and hashes. Functions of (seed, draw, layer, head, round), by Philox
// with Purpose::kAttention and the sample 2^32 draw + (layer H + head) rounds + round; exact in fp32.

#include <cstdint>
#include <span>

#include "kernels/tensor/context.h"
#include "model/parameters/pass.h"

namespace nystrom {

/// Which numbers a pass uses. Draw 0 is the same for every run: what is not training uses it, so that a model
/// computes the same everywhere.
struct AttentionDraw {
  std::uint64_t seed = 0;
  std::int64_t number = 0;
  bool operator==(const AttentionDraw&) const = default;
};

/// In training a new draw each `every` steps; 0: always draw 0.
[[nodiscard]] AttentionDraw draw_of(const Pass& pass, std::int64_t every);

/// Directions of attention's features in one layer: [H, m, D], filled.
struct FeatureShape {
  std::int64_t layer = 0, heads = 0, features = 0, width = 0;
};
/// Blocks of D orthogonal directions, uniform over all, each row as long as an independent Gaussian row
/// (Choromanski et al., arXiv 2009.14794, with orthogonal random features).
void draw_features(const AttentionDraw& draw, const FeatureShape& shape, std::span<float> values);

/// Rotations of hashing in one layer: [r, H, R, D], filled with normal(0, 1). The first rows are the same for
/// any R.
struct RotationShape {
  std::int64_t layer = 0, rounds = 0, heads = 0, rotations = 0, width = 0;
};
void draw_rotations(const AttentionDraw& draw, const RotationShape& shape, std::span<float> values);

/// Values into a tensor of compute dtype, in the memory of the context's tensors. Not while ops are recorded.
void write_values(const Context& context, std::span<const float> values, const Tensor& to);

}  // namespace nystrom
