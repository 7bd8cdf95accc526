#include "trainer/batches/loader_source.h"

namespace nystrom {

LoaderSource::LoaderSource(const LoaderOptions& options)
    : loader_(options),
      longest_(options.samples.sequence_length),
      sizes_(options.global_batch, options.batch_schedule) {}

const StepBatch& LoaderSource::read(std::int64_t index) {
  loader_.seek(index + 1);
  batch_ = loader_.next();
  return batch_;
}

std::int64_t LoaderSource::batches() const {
  return loader_.steps() == 0 ? INT64_MAX : loader_.steps();
}

BatchLimits LoaderSource::limits() const {
  const LoaderLimits limits = loader_.limits();
  return {.sequences = limits.sequences,
          .tokens = limits.tokens,
          .longest = longest_,
          .labels = limits.masked,
          .values = 1};
}

}  // namespace nystrom
