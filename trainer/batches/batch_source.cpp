#include "trainer/batches/batch_source.h"

#include <algorithm>

namespace nystrom {

BatchLimits joined(const BatchLimits& a, const BatchLimits& b) {
  return {.sequences = std::max(a.sequences, b.sequences),
          .tokens = std::max(a.tokens, b.tokens),
          .longest = std::max(a.longest, b.longest),
          .labels = std::max(a.labels, b.labels),
          .values = std::max(a.values, b.values),
          .split = a.split || b.split};
}

BatchArrays arrays_of(const HostBatch& batch) {
  return {.input_ids = batch.input_ids,
          .token_type_ids = batch.token_type_ids,
          .offsets = batch.offsets,
          .lengths = batch.lengths,
          .samples = batch.samples,
          .label_rows = batch.label_rows,
          .token_labels = batch.token_labels,
          .sequence_labels = batch.sequence_labels,
          .sequence_ends = batch.sequence_ends,
          .sequence_values = batch.sequence_values,
          .positions = batch.positions,
          .cuts = batch.cuts,
          .firsts = batch.firsts,
          .wholes = batch.wholes};
}

}  // namespace nystrom
