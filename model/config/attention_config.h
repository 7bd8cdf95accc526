#pragma once
// Options of attention: the section `model.attention` of the configuration (docs/configuration.md).

#include <cstdint>
#include <string>

#include "kernels/core/names.h"
#include "kernels/nystrom_attention.h"

namespace nystrom {

template <>
struct EnumNames<PinvInit> {
  static constexpr Named<PinvInit> kAll[] = {{PinvInit::kPerMatrix, "per_matrix"},
                                             {PinvInit::kBatchMax, "batch_max"}};
};

struct AttentionConfig {
  std::string kind = "nystrom";  ///< a name of model/attention/registry.h; the only spelling of a kind
  std::int64_t heads = 12;
  std::int64_t taps = 65;  ///< kernel size of the convolution, odd; 0: no convolution
  // Kind nystrom.
  std::int64_t landmarks = 64;
  int pinv_iterations = 6;
  PinvInit pinv_init = PinvInit::kPerMatrix;
};

}  // namespace nystrom
