// Muon for the matrices of the encoder's blocks, AdamW for everything else.
//
// ZeRO deals whole matrices: a shard's boundary that would cut one moves to its nearer end. So each rank
// orthogonalizes its own matrices, without a message, and the work of Newton-Schulz is shared as the memory
// is; gathering a matrix instead would cost an exchange and have every rank compute it. A shard can be larger
// than its share by half a matrix at either end.

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/optimizer/muon.h"
#include "trainer/optimizer/adamw_range.h"

namespace nystrom {
namespace {

bool is_matrix(const Parameter& parameter) {
  return is_of_block(parameter) && parameter.shape.rank() == 2;
}
bool is_other(const Parameter& parameter) {
  return !is_matrix(parameter);
}

constexpr std::array kStates{OptimizerKind::State{"exp_avg", &is_other},
                             OptimizerKind::State{"exp_avg_sq", &is_other},
                             OptimizerKind::State{"momentum_buffer", &is_matrix}};
constexpr std::array<std::string_view, 5> kKeys{"adamw_learning_rate", "momentum", "nesterov",
                                                "newton_schulz_steps", "scale"};

std::int64_t workspace_elements(const ParameterStore& store) {
  std::int64_t most = 0;
  for (const Parameter& parameter : store.all())
    if (is_matrix(parameter)) most = std::max(most, muon_workspace(parameter.shape[0], parameter.shape[1]));
  return most;
}

double scale_of(MuonScale scale, const Shape& shape) {
  const auto rows = static_cast<double>(shape[0]), columns = static_cast<double>(shape[1]);
  return scale == MuonScale::kOriginal ? std::sqrt(std::max(1.0, rows / columns))
                                       : 0.2 * std::sqrt(std::max(rows, columns));
}

class MuonOptimizer final : public Optimizer {
 public:
  MuonOptimizer(const OptimizerOptions& options, ParameterStore& store, const ZeroPartition& partition)
      : Optimizer(options, store, partition),
        rates_(tensor_rates(options, store)),
        others_(store, partition, &is_other),
        matrices_(store, partition, &is_matrix),
        m_(store.weights().dtype, {others_.partition().count()}, store.memory()),
        v_(store.weights().dtype, {others_.partition().count()}, store.memory()),
        buffer_(store.weights().dtype, {matrices_.partition().count()}, store.memory()),
        workspace_(store.weights().dtype, {workspace_elements(store)}, store.memory()) {
    find_ranges();
  }

 private:
  [[nodiscard]] std::vector<OptimizerState> moments() const override {
    return {{kStates[0].name, m_, &others_},
            {kStates[1].name, v_, &others_},
            {kStates[2].name, buffer_, &matrices_}};
  }

  /// Runs of neighbours among the other parameters, as far as they are in this rank's shard.
  void find_ranges() {
    std::int64_t begin = -1, end = -1;
    const auto close = [&] {
      const std::int64_t first = std::max(begin, partition().begin()),
                         last = std::min(end, partition().end());
      if (begin >= 0 && first < last) ranges_.emplace_back(store(), rates_, first, last);
    };
    for (const Parameter& parameter : store().all()) {
      if (is_matrix(parameter)) continue;
      if (parameter.offset != end) {
        close();
        begin = parameter.offset;
      }
      end = parameter.offset + parameter.numel();
    }
    close();
  }

  void update(Context& context, const Update& update) override {
    update_others(context, update);
    for (ParameterId id = 0; id < store().count(); ++id) {
      const std::int64_t offset = store()[id].offset;
      if (is_matrix(store()[id]) && offset >= partition().begin() && offset < partition().end())
        update_matrix(context, update, id);
    }
  }

  void update_others(Context& context, const Update& update) const {
    AdamW args;
    args.config = {beta1(update), options().beta2, options().epsilon};
    args.learning_rate = options().adamw_learning_rate * update.rates.share;
    args.gradient_scale = update.gradient_scale;
    args.step = updates();
    args.factor = update.factor;
    for (const AdamWRange& range : ranges_)
      range.step(context, args, m_, v_, others_.position(range.begin()) - others_.partition().begin());
  }

  void update_matrix(Context& context, const Update& update, ParameterId id) const {
    const Parameter& parameter = store()[id];
    const std::int64_t state = matrices_.position(parameter.offset) - matrices_.partition().begin();
    const double rate = options().learning_rate * update.rates.share * rates_[id].rate;
    muon_step(context, {.weights = store().weight(id),
                        .gradients = store().gradient(id),
                        .buffer = buffer_.view().rows(state, parameter.numel()).reshaped(parameter.shape),
                        .copy = store().rounded_copy().empty() ? Tensor{} : store().compute_weight(id),
                        .momentum = options().momentum,
                        .nesterov = options().nesterov,
                        .steps = static_cast<int>(options().newton_schulz_steps),
                        .learning_rate = rate,
                        .scale = scale_of(options().scale, parameter.shape),
                        .weight_decay = rates_[id].weight_decay,
                        .gradient_scale = update.gradient_scale,
                        .factor = update.factor,
                        .workspace = workspace_});
  }

  std::vector<TensorRate> rates_;
  StateLayout others_, matrices_;
  OwnedTensor m_, v_;      // [others]
  OwnedTensor buffer_;     // [matrices]
  OwnedTensor workspace_;  // of the largest matrix
  std::vector<AdamWRange> ranges_;
};

std::unique_ptr<Optimizer> make(const OptimizerOptions& options, ParameterStore& store,
                                const ZeroPartition& partition, SumOverRanks) {
  return std::make_unique<MuonOptimizer>(options, store, partition);
}

ZeroPartition deal_matrices(const ParameterStore& store, int rank, int ranks) {
  const ZeroPartition equal(store.flat_size(), rank, ranks);
  std::vector<std::int64_t> begins(equal.begins().begin(), equal.begins().end());
  for (const Parameter& parameter : store.all()) {
    if (!is_matrix(parameter)) continue;
    const std::int64_t first = parameter.offset, last = first + parameter.numel();
    for (std::int64_t& begin : begins)
      if (begin > first && begin < last) begin = begin - first < last - begin ? first : last;
  }
  return {std::move(begins), rank};
}

std::size_t scratch_bytes(const ParameterStore& store) {
  return static_cast<std::size_t>(workspace_elements(store)) * size_of(store.weights().dtype);
}

}  // namespace

const OptimizerKind kMuon{.name = "muon",
                          .states = kStates,
                          .keys = kKeys,
                          .make = &make,
                          .partition = &deal_matrices,
                          .scratch_bytes = &scratch_bytes};

}  // namespace nystrom
