#pragma once
// The kinds' rows of the registry, each defined in the file of its name.

#include "model/attention/registry.h"

namespace nystrom {

extern const AttentionEntry kNystromAttention, kSoftmaxAttention, kLongformerAttention, kLinformerAttention,
    kPerformerAttention, kLinearAttention, kReformerAttention, kNoAttention;

}  // namespace nystrom
