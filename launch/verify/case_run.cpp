#include "launch/verify/case_run.h"

#include <cmath>
#include <limits>
#include <numeric>

namespace nystrom {
namespace {

Values values_of(const Context& context, const Tensor& tensor) {
  const HostValues host(tensor, context.memory());
  Values values;
  dispatch_float(tensor.dtype, [&]<class T>(T) {
    for (const T& value : host.view().span<T>()) values.push_back(static_cast<double>(value));
  });
  return values;
}

}  // namespace

double norm_of(const Values& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

double difference(const Values& ours, const Values& reference) {
  double sum = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) sum += (ours[i] - reference[i]) * (ours[i] - reference[i]);
  return std::sqrt(sum);
}

double quotient(double distance, double scale) {
  if (scale > 0) return distance / scale;
  return distance == 0 ? 0 : std::numeric_limits<double>::infinity();
}

CaseRun::CaseRun(const CaseSetup& setup, const ReferenceCase& reference)
    : packed_(reference),
      session_(setup.device, setup.threads > 0 ? setup.threads : Context().host_threads(),
               {.model = setup.model,
                .head = reference.head,
                .precision = setup.precision,
                .training = setup.gradients}),
      notes_(setup.load(session_.network)) {
  session_.plan(limits(reference));
  use_random(reference);
  batch_ = &session_.upload(packed_.arrays(reference));
  hidden_ = session_.network.forward(session_.context, *batch_, {.training = false, .seed = 0}, {});
  const auto sums = session_.network.head().read_sums(session_.context);
  sums_.assign(sums.begin(), sums.end());
}

void CaseRun::use_random(const ReferenceCase& reference) {
  const std::span<const float> features = reference.features;
  const auto& blocks = session_.network.encoder().blocks();
  const std::size_t each = features.size() / blocks.size();
  for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
    const auto buckets = packed_.buckets(reference, static_cast<std::int64_t>(layer));
    if (each > 0 || !buckets.empty())
      blocks[layer].attention().use({.features = features.subspan(layer * each, each), .buckets = buckets});
  }
}

std::string CaseRun::loss_name(std::size_t index) const {
  return std::string(session_.network.head().losses()[index]) + "_loss";
}

Values CaseRun::hidden_state(std::size_t layer) {
  return values_of(session_.context, session_.network.encoder().hidden_state(layer, tokens()));
}

Values CaseRun::hidden_states() {
  Values states;
  for (std::size_t l = 0; l <= session_.network.encoder().blocks().size(); ++l) {
    const Values state = hidden_state(l);
    states.insert(states.end(), state.begin(), state.end());
  }
  return states;
}

Values CaseRun::token_logits() {
  const OwnedTensor rows(DType::kI32, {tokens()}, session_.context.memory());
  std::vector<std::int32_t> all(packed_.input_ids.size());
  std::iota(all.begin(), all.end(), 0);
  session_.context.memory().write(rows.view().address, all.data(), rows.view().bytes());
  const OwnedTensor logits(statistics(), {tokens(), session_.network.config().vocabulary_size},
                           session_.context.memory());
  session_.network.pretraining_head().token_logits(session_.context, hidden_, rows, logits);
  return values_of(session_.context, logits);
}

Values CaseRun::order_logits() {
  const OwnedTensor logits(statistics(), {batch_->sequences.count, 2}, session_.context.memory());
  session_.network.pretraining_head().order_logits(session_.context, *batch_, hidden_, logits);
  return values_of(session_.context, logits);
}

Values CaseRun::head_logits() const {
  return values_of(session_.context, session_.network.head().logits());
}

void CaseRun::backward() {
  const Pass pass{.training = true, .seed = 0};
  LossScales scales{};
  for (std::size_t i = 0; i < loss_count(); ++i) scales[i] = 1 / sums_[i * 3 + 2];
  session_.network.parameters().zero_gradients(session_.context);
  session_.network.forward(session_.context, *batch_, pass, scales);
  session_.network.backward(session_.context, *batch_, pass, scales);
}

Values CaseRun::gradient(ParameterId id) const {
  return values_of(session_.context, session_.network.parameters().gradient(id));
}

BatchLimits CaseRun::limits(const ReferenceCase& reference) const {
  return {.sequences = reference.sequences,
          .tokens = tokens(),
          .longest = reference.length,
          .labels = tokens(),
          .values = reference.head.labels};
}

}  // namespace nystrom
