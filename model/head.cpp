#include "model/head.h"

#include <algorithm>

#include "kernels/fill.h"
#include "kernels/label_weights.h"

namespace nystrom {

void Head::reset_sums(Context& context) {
  fill_zero(context, sums_);
}

void Head::set_label_weights(std::span<const float> weights) {
  label_weights_ = OwnedTensor(DType::kF32, {static_cast<std::int64_t>(weights.size())});
  std::ranges::copy(weights, label_weights_.view().span<float>().begin());
}

void Head::weigh(Context& context, const Tensor& labels, const Tensor& d) const {
  if (!label_weights_.view().empty())
    weigh_by_label(context, {.labels = labels, .weights = label_weights_.view(), .d = d});
}

}  // namespace nystrom
