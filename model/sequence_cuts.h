#pragma once
// How a group of ranks shares a batch (sequence parallelism): in contiguous spans of about as many tokens,
// split between sequences and, within long ones, between the chunks of attention's sums.

#include <cstdint>
#include <span>
#include <vector>

#include "model/config/model_config.h"
#include "model/layers/batch.h"

namespace nystrom {

/// Refuses, naming the key, a model whose sequences cannot be split across ranks. `ranks` above 1.
void check_sequence_ranks(const ModelConfig& config, int ranks);

/// [ranks + 1] ascending, from 0 to the batch's tokens: each is the place nearest to its share of the tokens
/// at which the batch with these offsets [B + 1] can be cut. A rank may have none.
[[nodiscard]] std::vector<std::int64_t> sequence_cuts(const ModelConfig& config,
                                                      std::span<const std::int32_t> offsets, int ranks);

/// Bounds of every span of batches within `whole`.
[[nodiscard]] BatchLimits span_limits(const ModelConfig& config, const BatchLimits& whole, int ranks);

}  // namespace nystrom
