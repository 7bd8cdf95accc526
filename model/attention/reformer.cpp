// Kind reformer: softmax attention within chunks of tokens that hash alike.

#include "kernels/attention/reformer.h"

#include <fmt/format.h>

#include <optional>

#include "model/attention/conv_skip.h"
#include "model/attention/kinds.h"
#include "model/attention/random.h"

namespace nystrom {
namespace {

class ReformerLayer final : public Attention {
 public:
  ReformerLayer(const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
      : chunk_(config.attention.chunk),
        activation_(store.activation()),
        shape_{place.layer, config.attention.hashes, config.attention.heads, 0, config.head_size()},
        conv_(config.attention, store, place) {}

  void plan_kept(Planner& planner, const AttentionLimits& limits) override {
    shape_.rotations = reformer_buckets(limits.longest, chunk_) / 2;
    rotations_ = planner.saved("attention.rotations", compute_dtype(activation_),
                               {shape_.rounds, shape_.heads, shape_.rotations, shape_.width});
    values_.resize(static_cast<std::size_t>(rotations_.numel()));
    there_.reset();
  }
  /// New hashes for each step.
  void prepare(Context& context, const Pass& pass) override {
    const AttentionDraw wanted = draw_of(pass, 1);
    if (there_ == wanted || !given_.empty()) return;
    draw_rotations(wanted, shape_, values_);
    write_values(context, values_, rotations_);
    there_ = wanted;
  }
  void use(const GivenRandom& given) override {
    given_.assign(given.buckets.begin(), given.buckets.end());
    NYSTROM_CHECK(!given_.empty(), "no buckets are given for {} heads", shape_.heads);
  }
  void plan(Planner& planner, const AttentionLimits& limits) override {
    buckets_ =
        planner.saved("attention.buckets", DType::kI32, {shape_.rounds * shape_.heads * limits.tokens});
    row_stats_ = plan_reformer_attention_stats(planner, activation_, limits);
  }
  void forward(Context& context, const AttentionStep& step) override {
    const Tensor buckets = buckets_of(step);
    if (given_.empty()) {
      reformer_hash(context, {.heads = shape_.heads,
                              .chunk = chunk_,
                              .sequences = step.sequences,
                              .qkv = step.qkv,
                              .rotations = rotations_,
                              .workspace = step.workspace,
                              .buckets = buckets});
    } else {
      NYSTROM_CHECK(std::ssize(given_) == buckets.numel(), "{} buckets are given where there are {}",
                    given_.size(), buckets.numel());
      context.memory().write(buckets.address, given_.data(), buckets.bytes());
    }
    reformer_attention_forward(context, arguments(step));
  }
  void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                const Tensor& d_qkv) override {
    reformer_attention_backward(context, arguments(step), conv_.gradients(d_out, d_qkv));
  }

 private:
  [[nodiscard]] Tensor buckets_of(const AttentionStep& step) const {
    const std::int64_t tokens = step.sequences.tokens;
    return buckets_.first(shape_.rounds * shape_.heads * tokens)
        .reshaped({shape_.rounds, shape_.heads, tokens});
  }
  [[nodiscard]] ReformerAttention arguments(const AttentionStep& step) const {
    return {
        .chunk = chunk_, .inputs = conv_.inputs(step), .buckets = buckets_of(step), .row_stats = row_stats_};
  }

  std::int64_t chunk_;
  DType activation_;
  RotationShape shape_;
  ConvSkip conv_;
  Tensor rotations_;                    // [r, H, R, D] compute dtype
  std::vector<float> values_;           // drawn, before they are written
  std::optional<AttentionDraw> there_;  // what rotations_ holds
  std::vector<std::int32_t> given_;     // [r, H, T]; empty: hashed
  Tensor buckets_;                      // [r H T] int32
  Tensor row_stats_;                    // [T, H, 2]
};

std::string describe(const AttentionConfig& config) {
  return fmt::format("reformer attention with chunks of {} tokens", config.chunk);
}

std::string details(const AttentionConfig& config) {
  return fmt::format("{} rounds of hashing", config.hashes);
}

std::vector<std::string> warnings(const AttentionConfig& config, std::int64_t length) {
  if (config.chunk < length) return {};
  return {fmt::format(
      "`model.attention.chunk` ({}) is not below `data.sequence_length` ({}): every token attends to all "
      "others, and nothing is hashed.",
      config.chunk, length)};
}

/// Enough for the longest sequence; a shorter one takes the first rows.
DrawnTensor draw(const ModelConfig& config, std::int64_t layer) {
  const AttentionConfig& a = config.attention;
  const RotationShape shape{layer, a.hashes, a.heads, reformer_buckets(config.max_positions, a.chunk) / 2,
                            config.head_size()};
  DrawnTensor rotations{{shape.rounds, shape.heads, shape.rotations, shape.width}, {}};
  rotations.values.resize(static_cast<std::size_t>(rotations.shape.numel()));
  draw_rotations({}, shape, rotations.values);
  return rotations;
}

constexpr std::string_view kOptions[] = {"hashes", "chunk"};
constexpr std::string_view kProjections[] = {"query", "value"};

}  // namespace

constinit const AttentionEntry kReformerAttention{
    .name = "reformer",
    .has_probability_dropout = false,
    .projections = kProjections,
    .options = kOptions,
    .make = [](const ModelConfig& config, ParameterStore& store, const AttentionPlace& place)
        -> std::unique_ptr<Attention> { return std::make_unique<ReformerLayer>(config, store, place); },
    .plan_workspace =
        [](Planner& planner, const ModelConfig& config, DType activation, const AttentionLimits& limits) {
          return plan_reformer_attention_workspace(planner, config.attention.hashes, config.attention.chunk,
                                                   activation, limits);
        },
    .describe = describe,
    .details = details,
    .drawn_name = "rotations",
    .draw = draw,
    .reference = "Kitaev et al., ICLR 2020, arXiv 2001.04451",
    .warnings = warnings};

}  // namespace nystrom
