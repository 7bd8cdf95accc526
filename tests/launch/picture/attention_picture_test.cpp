// Pictures of attention: their numbers against the kernels' and the network's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "data/tokenizer/training.h"
#include "kernels/core/philox.h"
#include "launch/chart/matrix_map.h"
#include "launch/picture/attention_page.h"
#include "model/compute_session.h"
#include "occurrences.h"
#include "small_network.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::occurrences;

TEST(MatrixMap, has_a_path_for_each_shade_and_leaves_out_what_is_near_zero) {
  const std::vector<double> values{1, 0.5, 0, 0.01, -1, std::nan("")};
  const std::string svg =
      svg_of(MatrixMap{.title = "a < b", .rows = 2, .columns = 3, .values = values, .most = 1});
  EXPECT_THAT(svg, HasSubstr("viewBox=\"0 0 3 2\""));
  EXPECT_THAT(svg, HasSubstr("aria-label=\"a &lt; b\""));
  EXPECT_EQ(occurrences(svg, "<path"), 3U);
  EXPECT_THAT(svg, HasSubstr("<path class=\"shade\" fill-opacity=\"1.000\" d=\"M0 0h1v1h-1z\"/>"));
  EXPECT_THAT(svg, HasSubstr("<path class=\"shade\" fill-opacity=\"0.500\" d=\"M1 0h1v1h-1z\"/>"));
  EXPECT_THAT(svg, HasSubstr("<path class=\"shade minus\" fill-opacity=\"1.000\" d=\"M1 1h1v1h-1z\"/>"));
  EXPECT_EQ(max_magnitude(values), 1);
  EXPECT_EQ(max_magnitude(std::vector<double>{0, 0}), 1);
}

HeadInput random_head(std::int64_t tokens, std::int64_t width) {
  HeadInput head{Matrix(tokens, width), Matrix(tokens, width), Matrix(tokens, width)};
  Random random(2, Purpose::kTest, 0);
  for (Matrix* matrix : {&head.q, &head.k, &head.v})
    for (double& x : matrix->values) x = random.normal();
  return head;
}

TEST(AttentionMatrices, of_few_tokens_are_softmax_attention) {
  const AttentionMatrices matrices = attention_matrices(random_head(5, 4), 8, 6);
  EXPECT_TRUE(matrices.is_exact());
  EXPECT_EQ(matrices.nystrom.values, matrices.softmax.values);
  EXPECT_EQ(matrices.error, 0);
  EXPECT_EQ(matrices.cuts, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  for (std::int64_t r = 0; r < 5; ++r) {
    double sum = 0;
    for (std::int64_t c = 0; c < 5; ++c) sum += matrices.softmax.at(r, c);
    EXPECT_NEAR(sum, 1, 1e-12);
  }
}

// What the kernel gives for the same queries, keys and values is nystrom V.
TEST(AttentionMatrices, times_the_values_are_what_the_kernel_gives) {
  constexpr std::int64_t kTokens = 23, kWidth = 8, kLandmarks = 5;
  const HeadInput head = random_head(kTokens, kWidth);
  const AttentionMatrices matrices = attention_matrices(head, kLandmarks, 6);
  EXPECT_EQ(matrices.cuts, (std::vector<std::int64_t>{0, 4, 9, 13, 18, 23}));
  Context context(1);
  std::vector<double> qkv;
  for (std::int64_t t = 0; t < kTokens; ++t)
    for (const Matrix* part : {&head.q, &head.k, &head.v})
      for (std::int64_t d = 0; d < kWidth; ++d) qkv.push_back(part->at(t, d));
  std::vector<std::int32_t> offsets{0, kTokens}, lengths{kTokens};
  const AttentionLimits limits{.batch = 1,
                               .tokens = kTokens,
                               .longest = kTokens,
                               .channels = kWidth,
                               .heads = 1,
                               .taps = 0,
                               .threads = 1};
  const NystromOptions options{.landmarks = kLandmarks, .pinv_iterations = 6};
  NystromSaved saved;
  Tensor workspace, out;
  const Arena arena = Arena::planned([&](Planner& planner) {
    saved = NystromSaved::plan(planner, options, DType::kF64, limits);
    out = planner.saved("out", DType::kF64, {kTokens, kWidth});
    workspace = plan_nystrom_attention_workspace(planner, options, DType::kF64, limits);
  });
  NystromAttention args{.options = options, .inputs = {}, .saved = saved};
  args.inputs.sequences = {Tensor(offsets.data(), DType::kI32, {2}), Tensor(lengths.data(), DType::kI32, {1}),
                           1, kTokens, kTokens};
  args.inputs.heads = 1;
  args.inputs.qkv = Tensor(qkv.data(), DType::kF64, {kTokens, 3 * kWidth});
  args.inputs.workspace = workspace;
  args.inputs.out = out;
  nystrom_attention_forward(context, args);
  for (std::int64_t t = 0; t < kTokens; ++t)
    for (std::int64_t d = 0; d < kWidth; ++d) {
      double expected = 0;
      for (std::int64_t j = 0; j < kTokens; ++j) expected += matrices.nystrom.at(t, j) * head.v.at(j, d);
      EXPECT_NEAR(out.data<double>()[t * kWidth + d], expected, 1e-10) << t << " " << d;
    }
  EXPECT_NEAR(saved.residuals.data<double>()[0], matrices.residual, 1e-10);
  EXPECT_GT(matrices.error, 0.01);
}

class AttentionPictures : public ::testing::TestWithParam<NetworkConfig> {
 protected:
  std::string folder() {
    std::vector<std::string> sentences;
    for (int i = 0; i < 50; ++i)
      for (const char* text : {"the old captain", "a young sailor", "mended the torn sail"})
        sentences.emplace_back(text);
    TokenizerTraining options;
    options.vocabulary_size = 40;
    const Tokenizer tokenizer = train_tokenizer(options, sentences);
    ModelConfig config = testing::small_model();
    config.network = GetParam();
    config.max_positions = 64;
    config.vocabulary_size = tokenizer.vocabulary_size();
    Network network(config, HeadKind::kPretraining, DType::kF32, false);
    network.initialize(5);
    for (float& w : network.parameters().weights().span<float>()) w *= 8;
    write_huggingface_folder(at_ / "m", {.model = config,
                                         .tensors = tensors_of(network.parameters()),
                                         .files = {{"spiece.model", tokenizer.bytes()}}});
    return at_ / "m";
  }
  testing::TemporaryFolder at_;
};

const char* const kText = "the old captain mended the torn sail a young sailor";

TEST_P(AttentionPictures, have_the_residuals_that_the_network_measures) {
  const ModelSource source(folder());
  const AttentionPicture picture = attention_picture(source, kText, 0);
  const auto n = std::ssize(picture.pieces);
  ASSERT_GT(n, 6);
  ComputeSession session(Device(), 1, {.model = source.config(), .head = source.head()});
  (void)source.load(session.network);
  session.plan({.sequences = 1, .tokens = n, .longest = n, .labels = 1});
  const Tokenizer tokenizer = source.tokenizer();
  std::vector<std::int32_t> ids{tokenizer.special().bos};
  for (const std::int32_t id : tokenizer.encode(kText)) ids.push_back(id);
  ids.push_back(tokenizer.special().eos);
  const std::vector<std::int32_t> types(ids.size()), offsets{0, static_cast<std::int32_t>(n)},
      lengths{static_cast<std::int32_t>(n)};
  const std::vector<std::int64_t> samples{0};
  const Batch& batch = session.upload({.input_ids = ids,
                                       .token_type_ids = types,
                                       .offsets = offsets,
                                       .lengths = lengths,
                                       .samples = samples,
                                       .label_rows = {},
                                       .token_labels = {}});
  (void)session.network.encoder().forward(session.context, batch, {});
  // Without backward all blocks share the memory of one: the last block's are still there.
  const Tensor residuals = session.network.encoder().blocks().back().residuals(1);
  for (std::size_t head = 0; head < 2; ++head) {
    const double measured = static_cast<double>(residuals.span<float>()[head]);
    EXPECT_NEAR(picture.heads.back()[head].residual, measured, 1e-4 + 1e-3 * measured) << head;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, AttentionPictures,
                         ::testing::Values(NetworkConfig{}, NetworkConfig{.norm = NormPlacement::kPre},
                                           NetworkConfig{.positions = Positions::kRotary}));

using AttentionPage = AttentionPictures;
INSTANTIATE_TEST_SUITE_P(Networks, AttentionPage, ::testing::Values(NetworkConfig{}));

TEST_P(AttentionPage, shows_tokens_by_segment_every_head_and_the_kernels_of_one) {
  const ModelSource source(folder());
  AttentionPicture picture = attention_picture(source, kText, 0);
  picture.layer = 1;
  picture.head = 0;
  const std::string page = attention_page(picture);
  EXPECT_EQ(occurrences(page, "class=\"token\""), picture.pieces.size());
  EXPECT_EQ(occurrences(page, "class=\"segment "), 3U);  // landmarks
  EXPECT_EQ(occurrences(page, "<figure class=\"small\""), 2U);
  for (const char* id : {"softmax", "nystrom", "difference", "kernel-1", "kernel-2", "kernel-3", "inverse",
                         "errors", "context-errors", "residuals", "head-1-0", "head-1-1"})
    EXPECT_THAT(page, HasSubstr(fmt::format("id=\"{}\"", id)));
  EXPECT_THAT(page, HasSubstr("<h2>Layer 1, head 0</h2>"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));

  const std::string exact = attention_page(attention_picture(source, "the old", 64));
  EXPECT_THAT(exact, HasSubstr("Nyström attention equals softmax attention"));
  EXPECT_THAT(exact, Not(HasSubstr("id=\"kernel-1\"")));
  EXPECT_EQ(occurrences(exact, "<figure class=\"small\""), 4U);
}

}  // namespace
}  // namespace nystrom
