#include "trainer/optimizer/adamw_range.h"

#include <algorithm>

namespace nystrom {

// Neighbours that are treated alike are one group; gaps between parameters are zero and stay so.
AdamWRange::AdamWRange(ParameterStore& store, std::span<const TensorRate> rates, std::int64_t begin,
                       std::int64_t end)
    : store_(store), begin_(begin), count_(end - begin) {
  std::vector<std::int64_t> begins;
  std::vector<TensorRate> groups;
  for (ParameterId id = 0; id < store.count() && store[id].offset < end; ++id) {
    if (store[id].offset <= begin) {  // so far the one that the range begins with
      begins.clear();
      groups.clear();
    }
    if (!groups.empty() && groups.back() == rates[id]) continue;
    begins.push_back(std::max<std::int64_t>(0, store[id].offset - begin));
    groups.push_back(rates[id]);
  }
  std::vector<double> shares, decays;
  for (const TensorRate& group : groups) {
    shares.push_back(group.rate);
    decays.push_back(group.weight_decay);
  }
  begins_ = on_memory(begins, store.memory());
  rates_ = on_memory(shares, store.memory());
  decays_ = on_memory(decays, store.memory());
}

void AdamWRange::step(Context& context, const AdamW& args, const Tensor& m, const Tensor& v,
                      std::int64_t state) const {
  if (count_ == 0) return;
  AdamW step = args;
  step.weights = store_.weights().rows(begin_, count_);
  step.gradients = store_.gradients().rows(begin_, count_);
  step.m = m.rows(state, count_);
  step.v = v.rows(state, count_);
  if (!store_.rounded_copy().empty()) step.copy = store_.rounded_copy().rows(begin_, count_);
  step.groups = {begins_, rates_, decays_};
  adamw_step(context, step);
}

}  // namespace nystrom
