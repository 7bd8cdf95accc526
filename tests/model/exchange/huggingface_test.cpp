#include "model/exchange/huggingface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "kernels/core/files.h"
#include "refusal.h"
#include "small_network.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::refusal;
using testing::TemporaryFolder;

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

Network& filled(Network& network) {
  network.initialize(3);
  return network;
}

/// A folder of a small model, of which `change` may change the tensors before they are written.
std::string write_small(const TemporaryFolder& at, HeadKind head,
                        const std::function<void(std::vector<TensorToWrite>&)>& change = {}) {
  Network network(testing::small_model(), head, DType::kF32, false);
  filled(network);
  HuggingFaceFolder folder{
      .model = network.config(), .head = head, .tensors = tensors_of(network.parameters())};
  if (change) change(folder.tensors);
  write_huggingface_folder(at / "model", folder);
  return at / "model";
}

/// What loading a pretraining network from the folder is refused with.
std::string load_refusal(const std::string& folder) {
  return refusal([&] {
    Network network(testing::small_model(), HeadKind::kPretraining, DType::kF32, false);
    (void)load_weights(network.parameters(), WeightFiles(folder), folder);
  });
}

std::string config_refusal(const std::string& text) {
  const TemporaryFolder folder;
  write_text(folder / "config.json", text);
  return refusal([&] { (void)read_huggingface_config(folder.path()); });
}

HuggingFaceConfig config_of(const std::string& text) {
  const TemporaryFolder folder;
  write_text(folder / "config.json", text);
  return read_huggingface_config(folder.path());
}

void drop(std::vector<TensorToWrite>& tensors, const std::string& prefix) {
  std::erase_if(tensors, [&](const TensorToWrite& t) { return t.name.starts_with(prefix); });
}

TensorToWrite& named(std::vector<TensorToWrite>& tensors, const std::string& name) {
  return *std::ranges::find(tensors, name, &TensorToWrite::name);
}

TEST(HuggingFaceFolder, is_read_back_as_it_was_written) {
  const TemporaryFolder at;
  const std::string folder = write_small(at, HeadKind::kPretraining);
  ASSERT_TRUE(is_huggingface_folder(folder));
  const HuggingFaceConfig config = read_huggingface_config(folder);
  const ModelConfig expected = testing::small_model();
  EXPECT_EQ(config.model.hidden_size, expected.hidden_size);
  EXPECT_EQ(config.model.max_positions, expected.max_positions);
  EXPECT_EQ(config.model.dropout, expected.dropout);
  EXPECT_EQ(config.model.attention.landmarks, expected.attention.landmarks);
  EXPECT_EQ(config.model.attention.taps, expected.attention.taps);
  EXPECT_TRUE(config.has_head);

  Network before(expected, HeadKind::kPretraining, DType::kF32, false);
  Network after(expected, HeadKind::kPretraining, DType::kF32, false);
  filled(before);
  const WeightFiles files(folder);
  EXPECT_TRUE(has_sentence_order(files));
  EXPECT_THAT(load_weights(after.parameters(), files, folder), ::testing::IsEmpty());
  const Tensor &a = before.parameters().weights(), &b = after.parameters().weights();
  EXPECT_EQ(std::memcmp(a.address, b.address, a.bytes()), 0);
}

TEST(HuggingFaceFolder, every_tensor_that_is_missing_is_named) {
  const TemporaryFolder at;
  const auto folder = write_small(at, HeadKind::kPretraining, [](auto& t) {
    drop(t, "nystromformer.encoder.layer.1.attention.self.conv");
    drop(t, "cls.predictions.bias");
  });
  EXPECT_THAT(load_refusal(folder),
              AllOf(HasSubstr(folder), HasSubstr("layer.1.attention.self.conv.weight is missing"),
                    HasSubstr("cls.predictions.bias is missing")));
}

TEST(HuggingFaceFolder, a_tensor_of_another_shape_is_named_with_both) {
  const TemporaryFolder at;
  const auto folder = write_small(at, HeadKind::kPretraining, [](auto& t) {
    named(t, "cls.predictions.bias") = {
        "cls.predictions.bias", StoredType::kF32, {22}, [] { return std::vector<std::byte>(88); }};
  });
  EXPECT_THAT(load_refusal(folder),
              AllOf(HasSubstr("cls.predictions.bias"), HasSubstr("[22]"), HasSubstr("[23]")));
}

TEST(HuggingFaceFolder, a_tensor_without_a_counterpart_is_named) {
  const TemporaryFolder at;
  const auto folder = write_small(at, HeadKind::kPretraining, [](auto& t) {
    t.push_back({"nystromformer.encoder.layer.2.output.dense.bias", StoredType::kF32, {8}, [] {
                   return std::vector<std::byte>(32);
                 }});
  });
  EXPECT_THAT(load_refusal(folder), HasSubstr("layer.2.output.dense.bias [8] is unexpected"));
}

TEST(HuggingFaceFolder, without_sentence_order_its_head_keeps_its_initialization_and_that_is_logged) {
  const TemporaryFolder at;
  const auto folder = write_small(at, HeadKind::kMaskedLm);
  Network network(testing::small_model(), HeadKind::kPretraining, DType::kF32, false);
  network.initialize(99);
  const auto* pooler = network.parameters().find("nystromformer.pooler.dense.weight");
  const auto values = network.parameters().weights().span<float>();
  const float before = values[static_cast<std::size_t>(pooler->offset)];
  EXPECT_THAT(load_weights(network.parameters(), WeightFiles(folder), folder),
              ::testing::ElementsAre(AllOf(HasSubstr("pooler"), HasSubstr("initialization"))));
  EXPECT_EQ(values[static_cast<std::size_t>(pooler->offset)], before);
}

TEST(HuggingFaceFolder, sentence_order_that_is_not_requested_is_ignored_and_logged) {
  const TemporaryFolder at;
  const auto folder = write_small(at, HeadKind::kPretraining);
  Network network(testing::small_model(), HeadKind::kMaskedLm, DType::kF32, false);
  EXPECT_THAT(load_weights(network.parameters(), WeightFiles(folder), folder),
              ::testing::ElementsAre(HasSubstr("Unused tensors of")));
}

TEST(HuggingFaceFolder, a_second_copy_of_a_tied_weight_is_taken_if_it_is_the_same) {
  const auto with_copy = [](std::byte change) {
    return [change](std::vector<TensorToWrite>& t) {
      TensorToWrite copy = named(t, "cls.predictions.bias");
      copy.name = "cls.predictions.decoder.bias";
      copy.bytes = [original = copy.bytes, change] {
        auto bytes = original();
        bytes[5] ^= change;
        return bytes;
      };
      t.push_back(std::move(copy));
      t.push_back({"nystromformer.embeddings.position_ids", StoredType::kI64, {1}, [] {
                     return std::vector<std::byte>(8);
                   }});
    };
  };
  const TemporaryFolder at;
  EXPECT_EQ(load_refusal(write_small(at, HeadKind::kPretraining, with_copy(std::byte{0}))), "accepted");
  const TemporaryFolder other;
  EXPECT_THAT(load_refusal(write_small(other, HeadKind::kPretraining, with_copy(std::byte{1}))),
              AllOf(HasSubstr("cls.predictions.decoder.bias"), HasSubstr("tied")));
}

TEST(HuggingFaceFolder, nothing_is_overwritten) {
  const TemporaryFolder at;
  const auto folder = write_small(at, HeadKind::kMaskedLm);
  const std::string before = read_file(folder + "/config.json");
  EXPECT_THAT(refusal([&] { write_huggingface_folder(folder, {}); }), HasSubstr(folder));
  EXPECT_EQ(read_file(folder + "/config.json"), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(at.path()), {}), 1);

  std::filesystem::create_directory(at / "empty");
  write_huggingface_folder(at / "empty", {.files = {{"notes.txt", "x"}}});
  EXPECT_EQ(read_file(at / "empty/notes.txt"), "x");
}

TEST(HuggingFaceConfig, a_folder_runs_as_exact_nystrom_unless_its_own_object_says_otherwise) {
  const std::string plain = R"({"model_type":"nystromformer","num_landmarks":32,"segment_means_seq_len":32,
                                "conv_kernel_size":33,"attention_probs_dropout_prob":0.1})";
  const HuggingFaceConfig config = config_of(plain);
  EXPECT_EQ(config.model.attention.kind, "nystrom");
  EXPECT_EQ(config.model.attention.pinv_init, PinvInit::kPerMatrix);
  EXPECT_EQ(config.model.attention.landmarks, 32);
  EXPECT_EQ(config.model.attention.taps, 33);
  EXPECT_EQ(config.model.attention_dropout, 0);
  EXPECT_EQ(config.model.padding, Padding::kExact);
  EXPECT_EQ(config.model.max_positions, 510);

  const HuggingFaceConfig own = config_of(
      R"({"model_type":"nystromformer","nystrom":{"kind":"softmax","convolution":0,"pinv_init":"batch_max",
          "padding":"huggingface","pinv_iterations":8,"landmarks":16,"attention_dropout":0.25}})");
  EXPECT_EQ(own.model.attention.kind, "softmax");
  EXPECT_EQ(own.model.attention.pinv_init, PinvInit::kBatchMax);
  EXPECT_EQ(own.model.attention.taps, 0);
  EXPECT_EQ(own.model.attention.pinv_iterations, 8);
  EXPECT_EQ(own.model.attention.landmarks, 16);
  EXPECT_EQ(own.model.attention_dropout, 0.25);
  EXPECT_EQ(own.model.padding, Padding::kHuggingFace);
}

TEST(HuggingFaceConfig, the_log_reports_what_transformers_would_run) {
  EXPECT_THAT(config_of(R"({"model_type":"nystromformer"})").notes,
              ::testing::ElementsAre(AllOf(HasSubstr("with exact softmax attention"), HasSubstr("64"))));
  EXPECT_THAT(config_of(R"({"model_type":"nystromformer","segment_means_seq_len":512})").notes,
              ::testing::ElementsAre(AllOf(HasSubstr("exactly 512 tokens"), HasSubstr("whole batch"))));
}

TEST(HuggingFaceConfig, a_null_convolution_is_none_and_is_written_as_one_tap) {
  const HuggingFaceConfig config = config_of(R"({"model_type":"nystromformer","conv_kernel_size":null})");
  EXPECT_EQ(config.model.attention.taps, 0);
  const std::string text = huggingface_config_text({.model = config.model});
  EXPECT_THAT(text, HasSubstr("\"conv_kernel_size\": 1,"));
  EXPECT_EQ(config_of(text).model.attention.taps, 0);
}

TEST(HuggingFaceConfig, heads_and_their_labels_come_from_the_architecture) {
  const auto read = [](const std::string& rest) {
    return config_of(R"({"model_type":"nystromformer","architectures":["Nystromformer)" + rest + "}");
  };
  EXPECT_EQ(read(R"(ForMaskedLM"])").head.kind, HeadKind::kMaskedLm);
  const auto regression = read(R"(ForSequenceClassification"],"id2label":{"0":"a"},"problem_type":null)");
  EXPECT_EQ(regression.head, HeadConfig(HeadKind::kSequenceClassification, 1, Problem::kRegression));
  const auto tokens = read(R"(ForTokenClassification"],"id2label":{"0":"a","1":"b","2":"c"})");
  EXPECT_EQ(tokens.head, HeadConfig(HeadKind::kTokenClassification, 3));
  EXPECT_FALSE(read(R"(ForSomethingElse"])").has_head);
}

TEST(HuggingFaceConfig, the_labels_of_a_head_survive_a_round_trip) {
  for (const HeadConfig& head :
       {HeadConfig(HeadKind::kSequenceClassification, 1, Problem::kRegression),
        HeadConfig(HeadKind::kSequenceClassification, 1),
        HeadConfig(HeadKind::kSequenceClassification, 4, Problem::kMultiLabel),
        HeadConfig(HeadKind::kTokenClassification, 7), HeadConfig(HeadKind::kMultipleChoice)})
    EXPECT_EQ(config_of(huggingface_config_text({.head = head})).head, head);
}

TEST(HuggingFaceConfig, transformers_gets_a_length_that_makes_it_run_nystrom) {
  HuggingFaceFolder folder;
  folder.model.max_positions = 500;
  folder.model.attention.landmarks = 64;
  EXPECT_EQ(segment_means_length(folder), 448);
  folder.sequence_length = 130;
  EXPECT_EQ(segment_means_length(folder), 128);
  folder.sequence_length = 4096;
  EXPECT_EQ(segment_means_length(folder), 448);
  EXPECT_EQ(nystrom_length(R"({"segment_means_seq_len": 256})"), 256);
  EXPECT_EQ(nystrom_length(R"({"segment_means_seq_len": 32, "num_landmarks": 32})"), 0) << "softmax";
  EXPECT_EQ(nystrom_length("{}"), 0);
  folder.model.attention.kind = "softmax";
  EXPECT_EQ(segment_means_length(folder), 64);
}

TEST(HuggingFaceConfig, other_keys_of_a_base_are_kept) {
  const std::string text =
      huggingface_config_text({.base_config = R"({"id2label":{"0":"no"},"hidden_size":1})"});
  EXPECT_THAT(text, AllOf(HasSubstr("\"no\""), HasSubstr("\"hidden_size\": 768")));
}

TEST(HuggingFaceConfig, what_cannot_be_computed_is_refused_by_key) {
  EXPECT_THAT(config_refusal("not json"), HasSubstr("config.json"));
  EXPECT_THAT(config_refusal("[]"), HasSubstr("config.json"));
  EXPECT_THAT(config_refusal(R"({"model_type":"gpt2"})"), HasSubstr("bert"));
  EXPECT_THAT(config_refusal(R"({"model_type":"nystromformer","hidden_act":"swish"})"),
              AllOf(HasSubstr("swish"), HasSubstr("hidden_act")));
  EXPECT_THAT(config_refusal(R"({"model_type":"nystromformer","hidden_size":"big"})"),
              HasSubstr("hidden_size"));
  EXPECT_THAT(config_refusal(R"({"model_type":"nystromformer","hidden_size":100,"num_attention_heads":3})"),
              HasSubstr("heads"));
  EXPECT_THAT(config_refusal(R"({"model_type":"nystromformer","conv_kernel_size":4})"),
              HasSubstr("convolution"));
  EXPECT_THAT(config_refusal(R"({"model_type":"nystromformer","tie_word_embeddings":false})"),
              HasSubstr("tie"));
  EXPECT_THAT(config_refusal(R"({"model_type":"nystromformer","nystrom":{"landmark":3}})"),
              AllOf(HasSubstr("`landmark`"), HasSubstr("landmarks")));
  EXPECT_THAT(config_refusal(R"({"model_type":"nystromformer","nystrom":{"kind":"sparse"}})"),
              HasSubstr("sparse"));
}

}  // namespace
}  // namespace nystrom
