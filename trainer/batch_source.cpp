#include "trainer/batch_source.h"

namespace nystrom {

BatchArrays arrays_of(const HostBatch& batch) {
  return {.input_ids = batch.input_ids,
          .token_type_ids = batch.token_type_ids,
          .offsets = batch.offsets,
          .lengths = batch.lengths,
          .samples = batch.samples,
          .label_rows = batch.mlm_rows,
          .labels = batch.mlm_labels,
          .sequence_labels = batch.sop_labels,
          .sequence_values = {}};
}

}  // namespace nystrom
