#include "model/network.h"

#include "kernels/core/memory.h"
#include "model/check.h"

namespace nystrom {
namespace {
const ModelConfig& checked(const ModelConfig& config) {
  check(config);
  return config;
}
}  // namespace

Network::Network(const ModelConfig& config, const HeadConfig& head, DType activation, bool training,
                 Memory& memory)
    : config_(checked(config)),
      head_config_(head),
      training_(training),
      store_(activation, memory),
      encoder_(config_, store_),
      head_(make_head(head, {config_, store_, encoder_.embeddings().word()})) {
  if (memory.on_device() && activation == DType::kF64)
    refuse("A GPU computes in fp32 or bf16; fp64 needs the CPU.");
  if (!memory.on_device())
    require_host_memory(
        store_.bytes_needed(training),
        fmt::format("A model of {:.0f} million parameters", static_cast<double>(store_.values()) * 1e-6),
        "Choose a smaller model.");
  store_.allocate(training);
  head_->allocate_sums(memory);
}

void Network::initialize(std::uint64_t seed) {
  store_.initialize(seed, config_.initializer_range, encoder_.embeddings().word(), config_.pad_token_id,
                    config_.initialization);
}

void Network::plan(const BatchLimits& limits, int threads, bool recompute) {
  arena_ = {};  // give the old memory back first
  Memory& memory = store_.memory();
  if (limits.tokens > INT32_MAX)
    refuse(
        "A micro-batch of {} sequences has {} tokens; at most {} are computed at once. Lower `training.micro_batch`.",
        limits.sequences, limits.tokens, INT32_MAX);
  if (!memory.on_device())
    require_host_memory(static_cast<double>(planned_bytes(config_, head_config_, store_.activation(),
                                                          {limits, threads, training_, recompute}, memory)) +
                            store_.bytes_needed(training_),
                        fmt::format("A micro-batch of {} sequences with this model", limits.sequences),
                        "Lower `training.micro_batch`, `data.sequence_length` or `run.threads`.");
  arena_ = Arena::planned(
      [&](Planner& planner) {
        encoder_.plan(planner, {limits, threads, training_, recompute});
        head_->plan(planner, limits, training_);
      },
      memory);
}

std::size_t Network::planned_bytes(const ModelConfig& config, const HeadConfig& head, DType activation,
                                   const EncoderPlan& plan, Memory& memory) {
  ParameterStore store(activation, memory);  // declares, but takes no memory
  Encoder encoder(config, store);
  const std::unique_ptr<Head> losses = make_head(head, {config, store, encoder.embeddings().word()});
  Planner planner;
  encoder.plan(planner, plan);
  losses->plan(planner, plan.limits, plan.training);
  return planner.total_bytes();
}

PretrainingHead& Network::pretraining_head() {
  auto* head = dynamic_cast<PretrainingHead*>(head_.get());
  NYSTROM_CHECK(head != nullptr, "a {} head is asked for masked tokens", entry_of(head_kind()).name);
  return *head;
}

const Tensor& Network::forward(Context& context, const Batch& batch, const Pass& pass,
                               const LossScales& scales) {
  const Tensor& hidden = encoder_.forward(context, batch, pass);
  head_->forward(context, batch, pass, scales, hidden);
  return hidden;
}

void Network::backward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
                       const GradientsReady& ready) {
  const std::int64_t tokens = batch.sequences.tokens;
  head_->backward(context, batch, pass, scales, encoder_.output(tokens), encoder_.d_hidden(tokens));
  if (ready && head_->first_parameter() < store_.count()) ready(store_[head_->first_parameter()].offset);
  encoder_.backward(context, batch, pass, ready);
}

}  // namespace nystrom
