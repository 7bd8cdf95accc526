#include "model/heads/head.h"

#include <algorithm>

#include "kernels/fill.h"
#include "kernels/losses/label_weights.h"

namespace nystrom {

void Head::reset_sums(Context& context) {
  fill_zero(context, sums_);
}

std::array<double, 3 * kMaxLosses> Head::read_sums(const Context& context) const {
  std::array<double, 3 * kMaxLosses> sums{};
  context.read(sums_, sums.data());
  return sums;
}

void Head::allocate_sums(Memory& memory) {
  memory_ = &memory;
  sums_ = OwnedTensor(DType::kF64, {static_cast<std::int64_t>(kMaxLosses), 3}, memory);
}

void Head::set_label_weights(std::span<const float> weights) {
  label_weights_ = OwnedTensor(DType::kF32, {static_cast<std::int64_t>(weights.size())}, *memory_);
  memory_->write(label_weights_.view().address, weights.data(), weights.size_bytes());
}

void Head::weigh(Context& context, const Tensor& labels, const Tensor& d) const {
  if (!label_weights_.view().empty())
    weigh_by_label(context, {.labels = labels, .weights = label_weights_.view(), .d = d});
}

}  // namespace nystrom
