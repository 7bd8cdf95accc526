// The gradients of a whole network, of every parameter, by central differences in double precision; dropout
// is on, with the same masks each time.

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

#include "gradient_check.h"
#include "small_network.h"

namespace nystrom {
namespace {

using testing::SmallNetwork;
using testing::TextBatch;

struct GradientCase {
  std::string name;
  ModelConfig config = testing::small_model();
  HeadKind head = HeadKind::kPretraining;
  std::int32_t rows_each = 0;
};

GradientCase softmax_with_attention_dropout() {
  GradientCase c{.name = "softmax_with_attention_dropout"};
  c.config.attention.kind = "softmax";
  c.config.attention.taps = 0;
  c.config.attention_dropout = 0.2;
  return c;
}

GradientCase batch_max_with_exact_gelu() {
  GradientCase c{.name = "batch_max_with_exact_gelu"};
  c.config.attention.pinv_init = PinvInit::kBatchMax;
  c.config.activation = Activation::kGelu;
  return c;
}

GradientCase padded_as_huggingface() {
  GradientCase c{.name = "padded_as_huggingface", .head = HeadKind::kMaskedLm, .rows_each = 12};
  c.config.padding = Padding::kHuggingFace;
  c.config.pad_token_id = -1;  // else, as in PyTorch, the padding's embedding has no gradient
  return c;
}

GradientCase of_kind(const std::string& kind) {
  GradientCase c{.name = kind};
  AttentionConfig& attention = c.config.attention;
  attention.kind = kind;
  attention.window = 4;
  attention.global_tokens = GlobalTokens::kFirst;
  attention.projection = 3;
  attention.features = 6;
  attention.redraw_every = 2;
  attention.chunk = 3;
  return c;
}

GradientCase of_network(const std::string& name, const NetworkConfig& network,
                        const std::string& kind = "nystrom") {
  GradientCase c{.name = name};
  c.config.attention.kind = kind;
  c.config.attention.window = 4;
  c.config.network = network;
  return c;
}

class NetworkGradient : public ::testing::TestWithParam<GradientCase> {};

TEST_P(NetworkGradient, is_what_central_differences_give) {
  const GradientCase& c = GetParam();
  SmallNetwork small(c.config, DType::kF64, false, c.head);
  // Far above, at and below the number of landmarks.
  constexpr std::array<std::int32_t, 4> kLengths{11, 3, 2, 7};
  const TextBatch text(kLengths, 0, c.rows_each);
  small.upload(text);
  ParameterStore& store = small.network.parameters();
  store.zero_gradients(small.context);
  (void)small.step();
  // Kept aside: a head's forward already adds its own gradients.
  const OwnedTensor all(DType::kF64, {store.flat_size()});
  std::memcpy(all.view().address, store.gradients().address, all.view().bytes());
  for (ParameterId id = 0; id < store.count(); ++id) {
    if (store[id].name.ends_with("key.bias")) continue;  // softmax cancels it: its gradient is noise
    // A small step: one of these rows has next to no variance before its LayerNorm.
    testing::expect_gradient(
        store[id].name, store.weight(id), all.view().rows(store[id].offset, store[id].numel()),
        [&] { return small.loss(); }, 5e-6, 8, 1e-6);
  }
}

TEST_P(NetworkGradient, is_added_to_what_was_there) {
  SmallNetwork small(GetParam().config, DType::kF64, false, GetParam().head);
  constexpr std::array<std::int32_t, 2> kLengths{9, 2};
  const TextBatch text(kLengths, 0, GetParam().rows_each);
  small.upload(text);
  ParameterStore& store = small.network.parameters();
  store.zero_gradients(small.context);
  (void)small.step();
  const auto gradients = store.gradients().span<double>();
  const std::vector<double> once(gradients.begin(), gradients.end());
  (void)small.step();
  for (std::size_t i = 0; i < once.size(); ++i) ASSERT_NEAR(gradients[i], 2 * once[i], 1e-12) << i;
}

INSTANTIATE_TEST_SUITE_P(
    , NetworkGradient,
    ::testing::Values(
        GradientCase{.name = "nystrom"}, softmax_with_attention_dropout(), batch_max_with_exact_gelu(),
        padded_as_huggingface(), of_kind("longformer"), of_kind("linformer"), of_kind("performer"),
        of_kind("linear"), of_kind("reformer"), of_kind("none"),
        of_network("pre_norm", {.norm = NormPlacement::kPre}),
        of_network("pre_norm_without_embedding_norm", {.norm = NormPlacement::kPre, .embedding_norm = false}),
        of_network("sinusoidal", {.positions = Positions::kSinusoidal}),
        of_network("rotary", {.positions = Positions::kRotary}),
        of_network("rotary_longformer", {.positions = Positions::kRotary}, "longformer"),
        of_network("rows_and_columns", {.positions = Positions::kRowColumn, .picture_width = 3}),
        of_network("without_positions", {.positions = Positions::kNone})),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace nystrom
