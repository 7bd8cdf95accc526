// Attention kinds through the registry, with one that only the tests register.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "attention/mean_attention.h"
#include "gradient_check.h"
#include "kernels/core/check.h"
#include "model/check.h"
#include "model/exchange/huggingface.h"
#include "model/exchange/safetensors.h"
#include "refusal.h"
#include "small_network.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::refusal;
using testing::SmallNetwork;
using testing::TextBatch;

ModelConfig mean_model() {
  testing::register_mean_attention();
  ModelConfig config = testing::small_model();
  config.attention.kind = "mean";
  config.attention.taps = 0;
  return config;
}

TEST(AttentionRegistry, every_kind_is_found_by_its_name) {
  EXPECT_EQ(attention_registry()[0].name, "nystrom");
  EXPECT_EQ(attention_registry()[1].name, "softmax");
  for (const AttentionEntry& entry : attention_registry()) {
    EXPECT_EQ(find_attention(entry.name), &entry);
    EXPECT_EQ(&attention_entry(entry.name), &entry);
  }
  EXPECT_EQ(find_attention("Nystrom"), nullptr);
  EXPECT_THROW(register_attention(attention_registry()[0]), InternalError);
}

TEST(AttentionRegistry, an_unknown_kind_is_refused_with_all_names) {
  ModelConfig config = testing::small_model();
  config.attention.kind = "nystrm";
  EXPECT_THAT(refusal([&] { check(config); }),
              AllOf(HasSubstr("`model.attention.kind` is `nystrm`"), HasSubstr("nystrom, softmax")));
  config.attention.kind = "";
  EXPECT_THAT(refusal([&] { check(config); }), HasSubstr("`model.attention.kind` is ``"));
}

TEST(AttentionRegistry, options_that_a_kind_cannot_run_with_are_refused_by_key) {
  ModelConfig config = testing::small_model();
  config.attention.kind = "longformer";
  config.attention.window = 7;
  EXPECT_THAT(refusal([&] { check(config); }), HasSubstr("`model.attention.window` is 7; it must be even"));
  config.attention.window = 0;
  EXPECT_THAT(refusal([&] { check(config); }), HasSubstr("`model.attention.window` is 0"));
  config.attention.window = 8;
  config.padding = Padding::kHuggingFace;
  EXPECT_THAT(refusal([&] { check(config); }),
              AllOf(HasSubstr("model.attention.padding"), HasSubstr("longformer")));
  config.padding = Padding::kExact;
  EXPECT_NO_THROW(check(config));
  config.attention.redraw_every = -1;
  EXPECT_THAT(refusal([&] { check(config); }), HasSubstr("`model.attention.redraw_every` is -1"));
}

TEST(AttentionRegistry, dropout_of_probabilities_is_refused_where_a_kind_has_none) {
  ModelConfig config = testing::small_model();
  config.attention_dropout = 0.1;
  EXPECT_THAT(refusal([&] { check(config); }), HasSubstr("model.attention_dropout"));
  config.attention.kind = "softmax";
  EXPECT_NO_THROW(check(config));
}

TEST(AttentionKind, its_own_check_is_asked) {
  ModelConfig config = mean_model();
  EXPECT_NO_THROW(check(config));
  config.attention.taps = 3;
  EXPECT_THAT(refusal([&] { check(config); }), HasSubstr("kind mean has none"));
}

TEST(AttentionKind, gradients_of_the_network_and_of_its_own_parameters_are_those_of_central_differences) {
  SmallNetwork small(mean_model());
  const TextBatch text(std::vector<std::int32_t>{11, 3, 2, 7}, 0);
  small.upload(text);
  ParameterStore& store = small.network.parameters();
  ASSERT_NE(store.find("nystromformer.encoder.layer.1.attention.self.scale.weight"), nullptr);
  store.zero_gradients(small.context);
  (void)small.step();
  const OwnedTensor all(DType::kF64, {store.flat_size()});
  std::memcpy(all.view().address, store.gradients().address, all.view().bytes());
  for (ParameterId id = 0; id < store.count(); ++id)
    testing::expect_gradient(
        store[id].name, store.weight(id), all.view().rows(store[id].offset, store[id].numel()),
        [&] { return small.loss(); }, 5e-6, 8);
}

TEST(AttentionKind, a_step_against_the_gradient_lowers_the_loss) {
  SmallNetwork small(mean_model());
  small.upload(TextBatch(std::vector<std::int32_t>{9, 4}, 0));
  ParameterStore& store = small.network.parameters();
  store.zero_gradients(small.context);
  const double before = small.step();
  const auto weights = store.weights().span<double>(), gradients = store.gradients().span<double>();
  double squares = 0;
  for (const double g : gradients) squares += g * g;
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] -= 1e-3 / std::sqrt(squares) * gradients[i];
  EXPECT_LT(small.loss(), before);
}

TEST(AttentionKind, comes_back_from_config_json) {
  const testing::TemporaryFolder folder;
  const ModelConfig config = mean_model();
  const auto write = [&](const std::string& text) {
    write_huggingface_folder(folder / "model", {.files = {{"config.json", text}}});
  };
  const std::string text = huggingface_config_text({.model = config});
  EXPECT_THAT(text, HasSubstr("\"kind\": \"mean\""));
  write(text);
  const HuggingFaceConfig read = read_huggingface_config(folder / "model");
  EXPECT_EQ(read.model.attention.kind, "mean");
  EXPECT_THAT(read.notes.at(0), HasSubstr("Here it runs the mean of the values"));
}

TEST(AttentionKind, has_its_own_options_in_config_json_and_those_of_no_other) {
  const testing::TemporaryFolder folder;
  ModelConfig config = testing::small_model();
  config.attention.kind = "linformer";
  config.attention.projection = 5;
  config.attention.projection_sharing = ProjectionSharing::kKv;
  const std::string text = huggingface_config_text({.model = config});
  EXPECT_THAT(text, AllOf(HasSubstr("\"projection\": 5"), HasSubstr("\"projection_sharing\": \"kv\""),
                          Not(HasSubstr("features"))));
  write_huggingface_folder(folder / "model", {.files = {{"config.json", text}}});
  const AttentionConfig read = read_huggingface_config(folder / "model").model.attention;
  EXPECT_EQ(read.projection, 5);
  EXPECT_EQ(read.projection_sharing, ProjectionSharing::kKv);
}

TEST(AttentionKind, of_config_json_is_refused_with_all_names_if_unknown) {
  const testing::TemporaryFolder folder;
  write_huggingface_folder(
      folder / "model",
      {.files = {{"config.json", R"({"model_type":"nystromformer","nystrom":{"kind":"nystrm"}})"}}});
  EXPECT_THAT(refusal([&] { (void)read_huggingface_config(folder / "model"); }),
              AllOf(HasSubstr("config.json"), HasSubstr("kind is `nystrm`"), HasSubstr("nystrom, softmax")));
}

}  // namespace
}  // namespace nystrom
