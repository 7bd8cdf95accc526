#pragma once
// One pretraining example.

#include <cstdint>
#include <vector>

namespace nystrom {

/// One sequence as the model sees it, without padding.
struct Sample {
  std::vector<std::int32_t> ids;            ///< [n] masked
  std::vector<std::int32_t> token_types;    ///< [n]
  std::vector<std::int32_t> mlm_positions;  ///< [p] ascending, in [0, n)
  std::vector<std::int32_t> mlm_labels;     ///< [p]
  std::int32_t sop_label = -1;              ///< 0 in order, 1 swapped, -1 none
};

}  // namespace nystrom
