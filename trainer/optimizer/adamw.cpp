// AdamW (kernels/optimizer/adamw.h).

#include <array>

#include "trainer/optimizer/adamw_range.h"

namespace nystrom {
namespace {

constexpr std::array kStates{OptimizerKind::State{"exp_avg"}, OptimizerKind::State{"exp_avg_sq"}};

class AdamWOptimizer final : public Optimizer {
 public:
  AdamWOptimizer(const OptimizerOptions& options, ParameterStore& store, const ZeroPartition& partition)
      : Optimizer(options, store, partition),
        layout_(store, partition, nullptr),
        m_(store.weights().dtype, {partition.count()}, store.memory()),
        v_(store.weights().dtype, {partition.count()}, store.memory()),
        range_(store, tensor_rates(options, store), partition.begin(), partition.end()) {}

 private:
  [[nodiscard]] std::vector<OptimizerState> moments() const override {
    return {{kStates[0].name, m_, &layout_}, {kStates[1].name, v_, &layout_}};
  }

  void update(Context& context, const Update& update) override {
    AdamW args;
    args.config = {beta1(update), options().beta2, options().epsilon};
    args.learning_rate = options().learning_rate * update.rates.share;
    args.gradient_scale = update.gradient_scale;
    args.step = updates();
    args.factor = update.factor;
    range_.step(context, args, m_, v_, 0);
  }

  StateLayout layout_;
  OwnedTensor m_, v_;  // [partition().count()]
  AdamWRange range_;
};

std::unique_ptr<Optimizer> make(const OptimizerOptions& options, ParameterStore& store,
                                const ZeroPartition& partition, SumOverRanks) {
  return std::make_unique<AdamWOptimizer>(options, store, partition);
}

}  // namespace

const OptimizerKind kAdamW{.name = "adamw", .states = kStates, .keys = {}, .make = &make};

}  // namespace nystrom
