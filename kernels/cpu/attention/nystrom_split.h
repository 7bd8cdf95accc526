#pragma once
// Nystrom attention of sequences that are split across ranks: the phases of nystrom_head.h, and between them
// the exchanges of split_sequences.h.

#include "kernels/cpu/attention/nystrom_workspace.h"
#include "kernels/cpu/attention/split_sequences.h"

namespace nystrom {

/// Elements that a call with split sequences needs of the workspace behind those of `memory`.
Index split_workspace(const NystromShape& shape);

/// out, row_stats and what is saved, of the heads of all split sequences.
template <class T>
void split_forward(Context& context, const NystromShape& shape, const NystromAttention& args,
                   const SplitSequences& splits, const ForwardWorkspace<Compute<T>>& memory);

/// d_qkv of the same; their filters' gradients go to memory.d_conv.
template <class T>
void split_backward(Context& context, const NystromShape& shape, const NystromAttention& args,
                    const AttentionGradients& gradients, const SplitSequences& splits,
                    const BackwardWorkspace<Compute<T>>& memory);

}  // namespace nystrom
