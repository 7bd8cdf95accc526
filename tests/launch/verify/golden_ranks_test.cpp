// PyTorch's numbers on ranks that share every sequence, which are cut in places where no run would cut such
// short ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "launch/models/model_source.h"
#include "launch/verify/case_run.h"
#include "launch/verify/reference_case.h"
#include "model/attention/registry.h"
#include "model/network.h"
#include "ranks.h"
#include "shared_folder.h"
#include "trainer/batches/span_source.h"
#include "trainer/comm/rank_group.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using testing::ranks;

using Cuts = std::vector<std::int64_t> (*)(std::int64_t tokens, int ranks);

std::vector<std::int64_t> even_cuts(std::int64_t tokens, int count) {
  std::vector<std::int64_t> cuts;
  for (int r = 0; r <= count; ++r) cuts.push_back(tokens * r / count);
  return cuts;
}

/// Three rows for each rank but the last, which has the rest.
std::vector<std::int64_t> uneven_cuts(std::int64_t tokens, int count) {
  std::vector<std::int64_t> cuts;
  for (int r = 0; r < count; ++r) cuts.push_back(3 * r);
  cuts.push_back(tokens);
  return cuts;
}

/// A cut within a sequence that has exact attention, which one rank computes, moves to its begin.
std::vector<std::int64_t> allowed(std::vector<std::int64_t> cuts, const std::vector<std::int32_t>& offsets,
                                  const AttentionConfig& attention) {
  const std::int64_t exact = attention.kind == "nystrom" ? attention.landmarks : 0;
  for (std::int64_t& cut : cuts)
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b)
      if (cut > offsets[b] && cut < offsets[b + 1] && offsets[b + 1] - offsets[b] <= exact) cut = offsets[b];
  return cuts;
}

HostBatch batch_of(const PackedCase& packed, const ReferenceCase& reference) {
  HostBatch batch{.input_ids = packed.input_ids,
                  .token_type_ids = packed.token_type_ids,
                  .offsets = packed.offsets,
                  .lengths = packed.lengths,
                  .samples = packed.samples,
                  .label_rows = packed.label_rows,
                  .token_labels = packed.labels,
                  .sequence_labels = reference.labels.sequence_labels};
  batch.positions = packed.positions;
  return batch;
}

Values values_of(const Tensor& tensor) {
  Values values;
  for (const float value : tensor.span<float>()) values.push_back(value);
  return values;
}

/// A case on all ranks, in fp32: forward and backward of this rank's span.
class SharedCase {
 public:
  SharedCase(const std::string& folder, const ModelSource& source, const ReferenceCase& reference, Cuts cuts)
      : folder_(folder),
        reference_(reference),
        packed_(reference),
        group_(ranks(), ranks().ranks()),
        network_(reference.applied_to(source.config()), reference.head, DType::kF32, true),
        cuts_(allowed(cuts(std::ssize(packed_.input_ids), ranks().ranks()), packed_.offsets,
                      reference.attention)),
        span_(span_of(batch_of(packed_, reference), cuts_, ranks().rank())) {
    (void)source.load(network_);
    const auto tokens = std::ssize(packed_.input_ids);
    const BatchLimits limits{.sequences = reference.sequences,
                             .tokens = tokens,
                             .longest = reference.length,
                             .labels = tokens,
                             .split = true};
    network_.plan(limits, context_.threads());
    BatchBuffer buffer(limits, context_, &group_);
    run(span_.tokens() > 0 ? &buffer.upload(arrays_of(span_)) : nullptr);
  }

  void expect_outputs() {
    const auto layers = static_cast<std::size_t>(network_.config().layers);
    const auto width = static_cast<std::size_t>(network_.config().hidden_size);
    const ReferenceTensors outputs(folder_ + "/case.h5", "outputs");
    const auto grid = static_cast<std::size_t>(reference_.sequences * reference_.length);
    const Values all = outputs.read("hidden_states", static_cast<std::int64_t>((layers + 1) * grid * width));
    std::array sums{0.0, 0.0};  // |ours - reference|^2, |reference|^2
    for (std::size_t layer = 0; layer <= layers; ++layer) {
      const Values ours = values_of(network_.encoder().hidden_state(layer, span_.tokens()));
      for (std::size_t i = 0; i < ours.size(); ++i) {
        const std::int64_t row = packed_.source[static_cast<std::size_t>(first_row()) + i / width];
        const double theirs = all[(layer * grid + static_cast<std::size_t>(row)) * width + i % width];
        sums[0] += (ours[i] - theirs) * (ours[i] - theirs);
        sums[1] += theirs * theirs;
      }
    }
    ranks().all_reduce(sums, "a test");
    EXPECT_LE(std::sqrt(sums[0] / sums[1]), 1e-5) << folder_;
    double loss = 0;
    for (std::size_t i = 0; i < network_.head().losses().size(); ++i)
      loss += losses_[3 * i] / losses_[3 * i + 2];
    const double expected = outputs.read("loss", 1).front();
    EXPECT_NEAR(loss, expected, 1e-5 * std::abs(expected)) << folder_;
  }

  void expect_gradients() {
    ParameterStore& store = network_.parameters();
    ranks().all_reduce(store.gradients(), "a test");
    const ReferenceTensors stored(folder_ + "/case.h5", "gradients");
    std::vector<Values> theirs;
    double all = 0;
    for (ParameterId id = 0; id < store.count(); ++id) {
      theirs.push_back(stored.read(store[id].name, store[id].numel()));
      all += norm_of(theirs.back()) * norm_of(theirs.back());
    }
    for (ParameterId id = 0; id < store.count(); ++id) {
      const double scale = std::max(norm_of(theirs[id]), 1e-3 * std::sqrt(all));
      EXPECT_LE(difference(values_of(store.gradient(id)), theirs[id]) / scale, 1e-4)
          << folder_ << ": " << store[id].name;
    }
  }

  [[nodiscard]] std::int64_t bytes_sent() const { return group_.bytes_sent(); }

 private:
  [[nodiscard]] std::int64_t first_row() const { return cuts_[static_cast<std::size_t>(ranks().rank())]; }

  /// Null: this rank has no token.
  void run(const Batch* batch) {
    const Pass pass{.training = true, .seed = 0};
    LossScales scales{};
    network_.head().reset_sums(context_);
    if (batch != nullptr) (void)network_.forward(context_, *batch, pass, scales);
    const auto sums = network_.head().read_sums(context_);
    losses_.assign(sums.begin(), sums.end());
    ranks().all_reduce(losses_, "a test");
    for (std::size_t i = 0; i < network_.head().losses().size(); ++i) scales[i] = 1 / losses_[3 * i + 2];
    network_.parameters().zero_gradients(context_);
    if (batch == nullptr) return;
    (void)network_.forward(context_, *batch, pass, scales);
    network_.backward(context_, *batch, pass, scales);
  }

  std::string folder_;
  const ReferenceCase& reference_;
  PackedCase packed_;
  Context context_{1};
  RankGroup group_;
  Network network_;
  std::vector<std::int64_t> cuts_;
  HostBatch span_;
  Values losses_;  // of all ranks
};

/// What ranks can share: the pretraining head over kinds that may be cut.
bool can_be_shared(const ReferenceCase& reference) {
  return reference.head.kind == HeadKind::kPretraining && reference.padding == Padding::kExact &&
         reference.attention.pinv_init == PinvInit::kPerMatrix &&
         attention_entry(reference.attention.kind).cut_rows != nullptr;
}

class GoldenOnRanks : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenOnRanks, outputs_and_gradients_are_those_of_pytorch) {
  const fs::path root = testing::shared_folder(GetParam());
  if (root.empty()) GTEST_SKIP() << "there are no reference numbers next to this checkout (NYSTROM_SHARED)";
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(root))
    if (fs::exists(entry.path() / "case.h5")) folders.push_back(entry.path().string());
  std::ranges::sort(folders);
  std::size_t shared = 0;
  for (const std::string& folder : folders) {
    ModelSource source(folder);
    source.use_as_it_is();
    const ReferenceCase reference = read_reference_case(folder + "/case.h5", source.config(), source.head());
    if (!can_be_shared(reference)) continue;
    ++shared;
    std::array sent{0.0};  // by all ranks, over all cuts: some go through sequences
    for (const Cuts cuts : {even_cuts, uneven_cuts}) {
      SharedCase on_ranks(folder, source, reference, cuts);
      on_ranks.expect_outputs();
      on_ranks.expect_gradients();
      sent[0] += static_cast<double>(on_ranks.bytes_sent());
    }
    ranks().all_reduce(sent, "a test");
    EXPECT_EQ(sent[0] > 0, ranks().ranks() > 1) << folder;
  }
  EXPECT_GE(shared, 1U);
}

INSTANTIATE_TEST_SUITE_P(Folders, GoldenOnRanks, ::testing::Values("golden", "golden/kinds"));

}  // namespace
}  // namespace nystrom
