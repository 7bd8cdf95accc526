// Kind nystrom: Nystrom approximation of softmax attention with landmarks.

#include "kernels/attention/nystrom.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/attention/conv_skip.h"
#include "model/attention/kinds.h"

namespace nystrom {
namespace {

NystromOptions options_of(const AttentionConfig& config) {
  return {.landmarks = config.landmarks,
          .pinv_iterations = config.pinv_iterations,
          .pinv_init = config.pinv_init};
}

class NystromLayer final : public Attention {
 public:
  NystromLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : options_(options_of(config.attention)),
        activation_(store.activation()),
        conv_(config.attention, store, place) {}

  void plan(Planner& planner, const AttentionLimits& limits) override {
    saved_ = NystromSaved::plan(planner, options_, activation_, limits);
  }
  void forward(Context& context, const AttentionStep& step) override {
    nystrom_attention_forward(context, {options_, conv_.inputs(step), saved_});
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    nystrom_attention_backward(context, {options_, conv_.inputs(step), saved_},
                               conv_.gradients(d_out, d_qkv));
  }
  [[nodiscard]] Tensor residuals(std::int64_t sequences) const override {
    return saved_.residuals.empty() ? Tensor{} : saved_.residuals.first(sequences);
  }

 private:
  NystromOptions options_;
  DType activation_;
  ConvSkip conv_;
  NystromSaved saved_;
};

std::unique_ptr<Attention> make(const ModelConfig& config, ParameterStore& store,
                                const AttentionPlace& place) {
  return std::make_unique<NystromLayer>(config, store, place);
}

Tensor plan_workspace(Planner& planner, const ModelConfig& config, DType activation,
                      const AttentionLimits& limits) {
  return plan_nystrom_attention_workspace(planner, options_of(config.attention), activation, limits);
}

std::string describe(const AttentionConfig& config) {
  return fmt::format("Nystrom attention with {} landmarks", config.landmarks);
}

std::string details(const AttentionConfig& config) {
  return fmt::format("{} pinv iterations, {}", config.pinv_iterations, name_of(config.pinv_init));
}

std::vector<std::string> warnings(const AttentionConfig& config, std::int64_t length) {
  std::vector<std::string> texts;
  if (config.landmarks >= length)
    texts.push_back(fmt::format(
        "`model.attention.landmarks` ({}) is not below `data.sequence_length` ({}): every sequence "
        "gets exact softmax attention, and nothing is approximated.",
        config.landmarks, length));
  if (config.pinv_init == PinvInit::kBatchMax)
    texts.emplace_back(
        "`model.attention.pinv_init` is batch_max: all sequences of a micro-batch share one scale, so "
        "`training.micro_batch` and the number of ranks change the result.");
  return texts;
}

std::int64_t cut_rows(const AttentionConfig& config, std::int64_t rows, int ranks) {
  return nystrom_cut_rows(options_of(config), rows, ranks);
}

/// A multiple of the landmarks.
std::int64_t segment_means_length(const AttentionConfig& config, std::int64_t length) {
  return std::max(length / config.landmarks, std::int64_t{1}) * config.landmarks;
}

}  // namespace

constinit const AttentionEntry kNystromAttention{.name = "nystrom",
                                                 .has_probability_dropout = false,
                                                 .has_huggingface_padding = true,
                                                 .is_of_transformers = true,
                                                 .make = make,
                                                 .plan_workspace = plan_workspace,
                                                 .describe = describe,
                                                 .details = details,
                                                 .cut_rows = cut_rows,
                                                 .reference = "Xiong et al., AAAI 2021, arXiv 2102.03902",
                                                 .warnings = warnings,
                                                 .segment_means_length = segment_means_length};

}  // namespace nystrom
