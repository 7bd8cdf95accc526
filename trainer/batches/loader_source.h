#pragma once
// Batch source over shards: Loader behind the BatchSource interface.

#include "data/pretraining/loader.h"
#include "trainer/batches/batch_source.h"

namespace nystrom {

class LoaderSource final : public BatchSource {
 public:
  explicit LoaderSource(const LoaderOptions& options);

  const StepBatch& read(std::int64_t index) override;
  [[nodiscard]] std::int64_t batches() const override;
  [[nodiscard]] BatchLimits limits() const override;
  [[nodiscard]] std::vector<std::pair<std::string, double>> epochs_of(std::int64_t batches) const override {
    return loader_.epochs_of(sizes_.before(batches + 1));
  }
  [[nodiscard]] std::vector<SampledCorpus> corpora() const override { return loader_.corpora(); }
  [[nodiscard]] std::vector<std::string> warnings() const override { return loader_.warnings(); }
  [[nodiscard]] const Loader& loader() const { return loader_; }

 private:
  Loader loader_;
  std::int64_t longest_;
  BatchSizes sizes_;
  StepBatch batch_;
};

}  // namespace nystrom
