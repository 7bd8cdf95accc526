#include "trainer/optimizer/tensorwise.h"

#include <algorithm>

#include "kernels/fill.h"
#include "trainer/optimizer/tensor_rates.h"

namespace nystrom {
namespace {

/// Calls body(begin, end) for each part of a parameter, in elements of the flat weights.
template <class Body>
void for_parts(const Parameter& parameter, std::int64_t grain, const Body& body) {
  const std::int64_t end = parameter.offset + parameter.numel();
  for (std::int64_t begin = parameter.offset; begin < end;) {
    const std::int64_t next = std::min(end, (begin / grain + 1) * grain);
    body(begin, next);
    begin = next;
  }
}

std::int64_t count_parts(const ParameterStore& store) {
  std::int64_t parts = 0;
  for (const Parameter& parameter : store.all())
    for_parts(parameter, ZeroPartition::grain(store.flat_size()), [&](auto, auto) { ++parts; });
  return parts;
}

}  // namespace

TensorwiseOptimizer::TensorwiseOptimizer(TensorScale scale, const OptimizerOptions& options,
                                         ParameterStore& store, const ZeroPartition& partition,
                                         SumOverRanks sum)
    : Optimizer(options, store, partition),
      scale_(scale),
      sum_(std::move(sum)),
      layout_(store, partition, nullptr),
      m_(store.weights().dtype, {partition.count()}, store.memory()),
      v_(store.weights().dtype, {partition.count()}, store.memory()),
      sums_(DType::kF64, {count_parts(store), 2}, store.memory()),
      scales_(DType::kF64, {static_cast<std::int64_t>(store.count())}, store.memory()) {
  cut_into_parts();
  treat_tensors();
}

std::size_t TensorwiseOptimizer::scratch_bytes(const ParameterStore& store) {
  return static_cast<std::size_t>(count_parts(store)) * 2 * sizeof(double);
}

void TensorwiseOptimizer::cut_into_parts() {
  std::vector<std::int64_t> begins, ends, firsts;
  std::vector<std::int32_t> owners;
  std::int64_t part = 0;
  for (ParameterId id = 0; id < store().count(); ++id) {
    firsts.push_back(part);
    for_parts(store()[id], ZeroPartition::grain(store().flat_size()),
              [&](std::int64_t begin, std::int64_t end) {
                if (begin >= partition().begin() && begin < partition().end()) {
                  if (begins.empty()) first_ = part;
                  begins.push_back(begin - partition().begin());
                  ends.push_back(end - partition().begin());
                  owners.push_back(static_cast<std::int32_t>(id));
                }
                ++part;
              });
  }
  firsts.push_back(part);
  count_ = static_cast<std::int64_t>(begins.size());
  begins_ = on_memory(begins, store().memory());
  ends_ = on_memory(ends, store().memory());
  owners_ = on_memory(owners, store().memory());
  firsts_ = on_memory(firsts, store().memory());
}

// LAMB leaves the rates of tensors of one dimension alone, unless the configuration says otherwise.
void TensorwiseOptimizer::treat_tensors() {
  std::vector<double> rates, decays;
  std::vector<std::int32_t> adapted;
  for (const TensorRate& each : tensor_rates(options(), store())) {
    const bool is_matrix = store()[rates.size()].decayed();
    adapted.push_back(scale_ == TensorScale::kUpdateRms || is_matrix || options().all_tensors ? 1 : 0);
    rates.push_back(each.rate);
    decays.push_back(each.weight_decay);
  }
  rates_ = on_memory(rates, store().memory());
  decays_ = on_memory(decays, store().memory());
  adapted_ = on_memory(adapted, store().memory());
}

void TensorwiseOptimizer::update(Context& context, const Update& update) {
  const TensorwiseAdam args{.scale = scale_,
                            .weights = partition().shard_of(store().weights()),
                            .gradients = partition().shard_of(store().gradients()),
                            .m = m_,
                            .v = v_,
                            .copy = partition().shard_of(store().rounded_copy()),
                            .config = {beta1(update), options().beta2, options().epsilon},
                            .learning_rate = options().learning_rate * update.rates.share,
                            .gradient_scale = update.gradient_scale,
                            .step = updates(),
                            .factor = update.factor,
                            .begins = begins_,
                            .ends = ends_,
                            .tensors = owners_,
                            .rates = rates_,
                            .decays = decays_};
  if (partition().sharded()) fill_zero(context, sums_);
  tensorwise_moments(context, args, sums_.view().rows(first_, count_));
  if (partition().sharded()) sum_(sums_);
  tensorwise_scales(context, {scale_, sums_, firsts_, adapted_, scales_});
  tensorwise_update(context, args, scales_);
}

}  // namespace nystrom
