// What `nystrom convert` takes of other people's folders, and what it refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "conversion_case.h"
#include "kernels/core/json.h"
#include "model/exchange/half.h"
#include "model/exchange/tensor_edits.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using testing::bert;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::read_bytes;
using testing::refusal;

class Import : public testing::ConversionCase {
 protected:
  /// The refusal of a conversion of `from`, after which nothing may be left of what was begun.
  std::string refused(const std::string& from, const ConvertOptions& options = {}) {
    ConvertOptions all = options;
    all.from = from;
    all.to = at_ / "refused";
    const auto entries = [&] { return std::distance(std::filesystem::directory_iterator(at_.path()), {}); };
    const auto before = entries();
    const std::string sentence = refusal(all);
    EXPECT_EQ(entries(), before);
    return sentence;
  }
  static TensorToWrite& named(std::vector<TensorToWrite>& tensors, const std::string& name) {
    return *std::ranges::find(tensors, name, &TensorToWrite::name);
  }
  static void add_copy(std::vector<TensorToWrite>& tensors, const std::string& of, const std::string& name) {
    TensorToWrite copy = named(tensors, of);
    copy.name = name;
    tensors.push_back(std::move(copy));
  }
  template <class T>
  static TensorToWrite filled(const std::string& name, StoredType type, std::vector<std::int64_t> shape,
                              T value) {
    TensorToWrite tensor = zeros(name, type, std::move(shape));
    tensor.bytes = [count = tensor.bytes().size() / sizeof(T), value] {
      const std::vector<T> values(count, value);
      const auto bytes = std::as_bytes(std::span(values));
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    return tensor;
  }
};

constexpr const char* kBias = "cls.predictions.bias";

TEST_F(Import, roberta_counts_positions_from_after_its_padding_token) {
  const std::string from = bert(at_, true);
  const auto theirs = values_of(WeightFiles(from), "roberta.embeddings.position_embeddings.weight");
  for (const std::int64_t pad : {0, 1, 4}) {
    const std::string to = at_ / ("padding-" + std::to_string(pad));
    change_config(from, {{"pad_token_id", pad}});
    (void)convert({.from = from, .to = to});
    EXPECT_EQ(ModelSource(to).config().max_positions, 18 - (pad + 1));
    const auto ours = values_of(WeightFiles(to), std::string(kPositionTable));
    EXPECT_EQ(std::vector<float>(ours.begin() + 16, ours.end()),
              std::vector<float>(theirs.begin() + 8 * (pad + 1), theirs.end()))
        << pad;
  }
  change_config(from, {{"pad_token_id", nullptr}});
  EXPECT_THAT(refused(from), AllOf(HasSubstr("config.json"), HasSubstr("`pad_token_id` is null")));
}

TEST_F(Import, a_decoder_is_taken_where_it_is_the_word_embeddings_and_refused_where_it_is_another) {
  for (const bool roberta : {false, true}) {
    const std::string from = bert(at_, roberta), stem = roberta ? "lm_head." : "cls.predictions.",
                      decoder = stem + "decoder.weight";
    change_weights(from, [&](auto& tensors) {
      add_copy(tensors, (roberta ? "roberta." : "bert.") + std::string("embeddings.word_embeddings.weight"),
               decoder);
      add_copy(tensors, stem + "bias", stem + "decoder.bias");
    });
    const auto bias = values_of(WeightFiles(from), stem + "bias");
    (void)convert({.from = from, .to = from + "-tied"});
    change_weights(from, [&](auto& tensors) {
      std::erase_if(tensors, [&](const auto& tensor) { return tensor.name == stem + "bias"; });
    });
    (void)convert({.from = from, .to = from + "-named-otherwise"});
    EXPECT_EQ(values_of(WeightFiles(from + "-named-otherwise"), kBias), bias);
    change_weights(from, [&](auto& tensors) {
      named(tensors, decoder) = filled(decoder, StoredType::kF32, {23, 8}, 0.5F);
    });
    EXPECT_THAT(refused(from), AllOf(HasSubstr(from), HasSubstr(decoder + " differs from")));
  }
}

TEST_F(Import, only_a_single_token_type_is_repeated) {
  const std::string from = bert(at_, false), table = "bert.embeddings.token_type_embeddings.weight";
  change_config(from, {{"type_vocab_size", 5}});
  EXPECT_THAT(refused(from), HasSubstr("token_type_embeddings.weight ([2, 8] stored"));
  change_config(from, {{"type_vocab_size", 2}});
  for (const std::string& name : {table, std::string("bert.embeddings.position_embeddings.weight")}) {
    change_weights(from, [&](auto& tensors) {
      named(tensors, name) = zeros(name, StoredType::kF32, {0, 8});
    });
    EXPECT_THAT(refused(from), HasSubstr("[0, 8] stored")) << name;
  }
}

TEST_F(Import, no_tensor_of_an_encoder_is_dropped) {
  const std::string from = bert(at_, false), word = "embeddings.word_embeddings.weight";
  change_config(from, {{"num_hidden_layers", 1}});
  EXPECT_THAT(refused(from), AllOf(HasSubstr("bert.encoder.layer.1."), HasSubstr("1 layers")));
  change_config(from, {{"num_hidden_layers", 2}});
  const std::string other = "bert.encoder.layer.0.attention.self.conv.weight";  // not a tensor of the network
  change_weights(from, [&](auto& tensors) {
    tensors.push_back(filled(other, StoredType::kF32, {2, 1, 65, 1}, 0.5F));
  });
  EXPECT_THAT(refused(from), HasSubstr(other + " is not part of"));
  change_weights(from, [&](auto& tensors) {
    std::erase_if(tensors, [&](const auto& tensor) { return tensor.name == other; });
    add_copy(tensors, "bert." + word, word);
  });
  EXPECT_THAT(refused(from), AllOf(HasSubstr(word + " are the same tensor"), HasSubstr("bert." + word)));
}

TEST_F(Import, bert_may_have_no_padding_token_and_say_gelu_in_every_way) {
  const std::string from = bert(at_, false);
  change_config(from, {{"pad_token_id", nullptr}, {"hidden_act", "gelu_pytorch_tanh"}});
  (void)convert({.from = from, .to = at_ / "here"});
  const ModelSource source(at_ / "here");
  EXPECT_EQ(source.config().pad_token_id, -1);
  EXPECT_EQ(source.config().activation, Activation::kGeluNew);
  EXPECT_THAT(ModelSource(from).notes().front(), Not(HasSubstr("okenizer")));
}

TEST_F(Import, bert_starts_a_convolution_of_any_size) {
  const ModelSource source(bert(at_, false));
  for (const std::int64_t taps : {0, 5}) {
    ModelConfig config = source.config();
    config.attention.taps = taps;
    Network network(config, HeadKind::kPretraining, DType::kF32, false);
    network.initialize(1);
    (void)source.load(network);
    EXPECT_THAT(source.notes(config).front(),
                HasSubstr(taps == 0 ? "and no convolution." : "a convolution of zeros with kernel size 5."));
  }
}

TEST_F(Import, bert_runs_without_training_as_exact_softmax_attention) {
  for (const bool roberta : {false, true}) {
    const std::string from = bert(at_, roberta);
    ModelSource source(from);
    EXPECT_EQ(source.config().attention.kind, "nystrom") << "a warm start's";
    source.use_as_it_is();
    EXPECT_EQ(source.config().attention.kind, "softmax");
    EXPECT_EQ(source.config().attention.taps, 0);
    EXPECT_THAT(source.notes(), ::testing::ElementsAre(HasSubstr("runs with exact softmax attention")));
    Network network(source.config(), HeadKind::kMaskedLm, DType::kF32, false);
    (void)source.load(network);
    EXPECT_EQ(network.parameters().find("nystromformer.encoder.layer.0.attention.self.conv.weight"), nullptr);

    const Config given = read_config("", {"model.attention.kind=nystrom", "model.attention.landmarks=8"});
    source.set_config(with_attention(source, given));
    EXPECT_EQ(source.config().attention.kind, "nystrom");
    EXPECT_EQ(source.config().attention.landmarks, 8);
    EXPECT_THAT(source.notes().at(0), HasSubstr("Here it runs with Nystrom attention with 8 landmarks"));
    std::filesystem::remove_all(from);
  }
}

TEST_F(Import, a_number_that_a_narrower_type_cannot_hold_is_refused_by_tensor) {
  const std::string from = folder();
  const std::string name = "nystromformer.encoder.layer.1.output.dense.bias";
  change_weights(from, [&](auto& t) { named(t, name) = filled(name, StoredType::kF32, {8}, 70000.F); });
  EXPECT_THAT(refused(from, {.dtype = "fp16"}), AllOf(HasSubstr(name), HasSubstr("70000")));
  (void)convert({.from = from, .to = at_ / "wide", .dtype = "bf16"});
  change_weights(from, [&](auto& t) { named(t, name) = filled(name, StoredType::kF64, {8}, 1e300); });
  EXPECT_THAT(refused(from, {.dtype = "fp32"}), HasSubstr(name));
  EXPECT_THAT(refusal({.from = from, .to = at_ / "x.h5"}), AllOf(HasSubstr(name), HasSubstr("fp32")));
  change_weights(from, [&](auto& t) {  // what is infinite already stays so
    named(t, name) = filled(name, StoredType::kF32, {8}, std::numeric_limits<float>::infinity());
  });
  (void)convert({.from = from, .to = at_ / "infinite", .dtype = "fp16"});
}

TEST_F(Import, the_dtype_of_a_folder_is_its_widest) {
  const std::string from = folder();
  int folders = 0;
  const auto written = [&] {
    const std::string to = at_ / ("dtype-" + std::to_string(folders++));
    (void)convert({.from = from, .to = to});
    return parse_json<Json>(read_bytes(to + "/config.json"))["dtype"].get<std::string>();
  };
  change_weights(from, [](auto& tensors) {
    named(tensors, kBias) = zeros(kBias, StoredType::kF16, {named(tensors, kBias).shape});
  });
  EXPECT_EQ(written(), "float32");
  change_weights(from, [](auto& tensors) {
    const std::string last = "nystromformer.pooler.dense.bias";
    named(tensors, last) = zeros(last, StoredType::kF64, {8});
  });
  EXPECT_EQ(written(), "float64");
}

TEST_F(Import, buffers_and_tied_copies_are_not_written_again_and_integers_are_not_weights) {
  const std::string from = folder(), buffer = "nystromformer.embeddings.position_ids";
  change_weights(from, [&](auto& tensors) {
    tensors.push_back(zeros(buffer, StoredType::kI64, {1, 18}));
    add_copy(tensors, kBias, "cls.predictions.decoder.bias");
  });
  (void)convert({.from = from, .to = at_ / "half", .dtype = "fp16"});
  (void)convert({.from = from, .to = at_ / "same"});
  for (const char* to : {"half", "same"}) {
    const WeightFiles written(at_ / to);
    EXPECT_EQ(written.find(buffer), nullptr) << to;
    EXPECT_EQ(written.find("cls.predictions.decoder.bias"), nullptr) << to;
  }
  change_weights(from, [&](auto& tensors) {
    std::erase_if(tensors,
                  [](const auto& tensor) { return tensor.name.find("decoder") != std::string::npos; });
    named(tensors, kBias) = zeros(kBias, StoredType::kI32, {named(tensors, kBias).shape});
  });
  const auto names_it = AllOf(HasSubstr(from + "/model.safetensors"), HasSubstr(kBias), HasSubstr("I32"));
  EXPECT_THAT(refused(from), names_it);
  EXPECT_THAT(refused(from, {.dtype = "fp16"}), names_it);
  EXPECT_THAT(refusal({.from = from, .to = at_ / "x.h5"}), names_it);
}

TEST_F(Import, json_that_is_nested_without_end_is_refused) {
  for (const std::string& from : {folder(), bert(at_, false)}) {
    std::string text = read_bytes(from + "/config.json");
    text.erase(text.rfind('}'));
    text += R"(,"x":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
    std::ofstream(from + "/config.json") << text;
    EXPECT_THAT(refused(from), HasSubstr(from + "/config.json is nested more than 100 levels deep"));
  }
}

TEST_F(Import, lengths_and_targets_that_cannot_be_meant_are_refused) {
  const std::string from = folder();
  for (const std::int64_t positions :
       {INT64_MIN, std::int64_t{-5}, std::int64_t{0}, std::int64_t{1} << 40U, INT64_MAX})
    EXPECT_THAT(refused(from, {.positions = positions}),
                HasSubstr("`--positions` is " + std::to_string(positions)));
  for (const std::int64_t length : {std::int64_t{-3}, std::int64_t{0}, std::int64_t{17}, INT64_MAX})
    EXPECT_THAT(refused(from, {.sequence_length = length}),
                HasSubstr("`--sequence-length` is " + std::to_string(length)));
  const auto notes = convert({.from = from, .to = at_ / "as-long", .positions = 16});
  EXPECT_THAT(notes, ::testing::Contains(HasSubstr("already has 16 positions")));
  EXPECT_THAT(notes, Not(::testing::Contains(HasSubstr("extended"))));
  EXPECT_THAT(refusal({.from = from, .to = ""}), HasSubstr("`--to` is empty"));
}

/// Makes of a folder what NystromformerModel.save_pretrained writes: no head, and names without prefix.
void make_headless(const std::string& folder) {
  const std::string path = folder + "/model.safetensors", prefix = "nystromformer.";
  std::vector<TensorToWrite> kept;
  const SafetensorsFile file(path);
  for (const auto& [name, tensor] : file.tensors())
    if (name.starts_with(prefix) && name.find("pooler") == std::string::npos)
      kept.push_back({name.substr(prefix.size()), tensor.type, tensor.shape,
                      [bytes = file.read_bytes(tensor)] { return bytes; }});
  write_safetensors(path, std::move(kept));
}

TEST_F(Import, a_nystromformer_without_a_head_is_a_start) {
  for (const std::int64_t taps : {3, 0}) {
    const std::string from = folder(HeadKind::kPretraining, taps);
    const std::string to = at_ / ("with-head-" + std::to_string(taps)),
                      conv = "encoder.layer.1.attention.self.conv.weight";
    make_headless(from);
    change_config(from, {{"architectures", {"NystromformerModel"}},
                         {"tie_word_embeddings", false},
                         {"segment_means_seq_len", 9}});
    EXPECT_THAT(convert({.from = from, .to = to}),
                ::testing::Contains(HasSubstr("are initialized randomly")));
    const Json config = parse_json<Json>(read_bytes(to + "/config.json"));
    EXPECT_EQ(config["architectures"], Json::array({"NystromformerForMaskedLM"}));
    EXPECT_EQ(config["tie_word_embeddings"], true);
    EXPECT_EQ(config["segment_means_seq_len"], 9);
    const WeightFiles theirs(from), ours(to);
    EXPECT_EQ(values_of(theirs, "embeddings.position_embeddings.weight"),
              values_of(ours, std::string(kPositionTable)));
    EXPECT_EQ(values_of(theirs, conv), values_of(ours, "nystromformer." + conv));
    ModelSource(to).check();
    EXPECT_EQ(ModelSource(to).config().attention.taps, taps);
    Network network(ModelSource(from).config(), HeadKind::kPretraining, DType::kF32, false);
    network.initialize(1);
    EXPECT_THAT(ModelSource(from).load(network),
                ::testing::ElementsAre(HasSubstr("are initialized randomly")));
    EXPECT_THAT(refused(from, {.overrides = {"model.attention.convolution=5"}}), HasSubstr("other weights"));
    std::filesystem::remove_all(from);
  }
}

TEST_F(Import, keys_that_a_head_does_not_use_do_not_matter) {
  const std::string plain = folder();
  change_config(plain, {{"id2label", Json::object()}, {"num_labels", -3}});
  (void)convert({.from = plain, .to = at_ / "plain"});
  std::filesystem::remove_all(plain);
  const std::string from = folder({HeadKind::kSequenceClassification, 3});
  change_config(from, {{"tie_word_embeddings", false}});
  (void)convert({.from = from, .to = at_ / "untied"});
  change_config(from, {{"id2label", Json::object()}});
  EXPECT_THAT(refused(from), AllOf(HasSubstr("config.json"), HasSubstr("`id2label` gives 0 labels")));
  change_config(from, {{"id2label", nullptr}, {"num_labels", -3}});
  EXPECT_THAT(refused(from), AllOf(HasSubstr("config.json"), HasSubstr("`num_labels` gives -3 labels")));
}

}  // namespace
}  // namespace nystrom
