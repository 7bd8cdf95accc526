// `nystrom convert` beyond copying: number types, shards, longer position tables, BERT as a start, model
// cards.

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "conversion_case.h"
#include "kernels/core/json.h"
#include "model/exchange/half.h"
#include "model/exchange/tensor_edits.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using testing::bert;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::read_bytes;
using testing::refusal;
using testing::tokenizer;
using Conversion = testing::ConversionCase;

constexpr const char* kWord = "nystromformer.embeddings.word_embeddings.weight";

TEST(Half, every_value_survives_a_round_trip_and_others_go_to_the_nearest) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    ASSERT_EQ(float_to_half(half_to_float(half)), half) << bits;
  }
  for (std::uint32_t bits = 1; bits < 0x7c00; ++bits) {
    const float below = half_to_float(static_cast<std::uint16_t>(bits - 1));
    const float above = half_to_float(static_cast<std::uint16_t>(bits));
    if (!std::isfinite(above)) break;
    const float middle = (below + above) / 2;  // a tie: to the even one
    const auto even = static_cast<std::uint16_t>(bits % 2 == 0 ? bits : bits - 1);
    ASSERT_EQ(float_to_half(middle), even) << bits;
    ASSERT_EQ(float_to_half(std::nextafter(middle, above)), bits);
    ASSERT_EQ(float_to_half(std::nextafter(middle, below)), bits - 1);
  }
  EXPECT_EQ(float_to_half(65519.F), 0x7bff);
  EXPECT_EQ(float_to_half(65520.F), 0x7c00);
}

TEST_F(Conversion, every_type_comes_back_bit_for_bit_by_way_of_a_checkpoint) {
  const std::string from = folder();
  for (const char* type : {"fp32", "fp16", "bf16"}) {
    const std::string first = at_ / (std::string("first-") + type), h5 = at_ / (std::string(type) + ".h5"),
                      second = at_ / (std::string("second-") + type);
    (void)convert({.from = from, .to = first, .dtype = type});
    (void)convert({.from = first, .to = h5});
    (void)convert({.from = h5, .to = second, .dtype = type});
    EXPECT_EQ(read_bytes(first + "/model.safetensors"), read_bytes(second + "/model.safetensors")) << type;
  }
  EXPECT_EQ(parse_json<Json>(read_bytes(at_ / "first-bf16/config.json"))["dtype"], "bfloat16");
  EXPECT_LT(std::filesystem::file_size(at_ / "first-fp16/model.safetensors"),
            std::filesystem::file_size(at_ / "first-fp32/model.safetensors"));
  EXPECT_THAT(refusal({.from = from, .to = at_ / "x", .dtype = "fp8"}), HasSubstr("fp32, fp16 or bf16"));
}

TEST_F(Conversion, shards_have_an_index_and_are_read_as_one_file_is) {
  const std::string from = folder(), sharded = at_ / "sharded";
  (void)convert({.from = from, .to = sharded, .shard_size = "2KB"});
  const Json index = parse_json<Json>(read_bytes(sharded + "/model.safetensors.index.json"));
  std::uint64_t total = 0;
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(sharded))
    if (file.path().extension() == ".safetensors") ++files;
  EXPECT_GT(files, 2U);
  const WeightFiles one(from), many(sharded);
  EXPECT_EQ(one.tensors().size(), index["weight_map"].size());
  for (const auto& [name, entry] : one.tensors()) {
    EXPECT_EQ(values_of(one, name), values_of(many, name)) << name;
    total += entry.tensor->bytes;
  }
  EXPECT_EQ(index["metadata"]["total_size"], total);
  EXPECT_THAT(refusal({.from = from, .to = at_ / "x", .shard_size = "two"}), HasSubstr("500MB"));
}

TEST_F(Conversion, positions_are_lengthened_by_repeating_the_table) {
  const std::string from = folder(), longer = at_ / "long.h5";
  (void)convert({.from = from, .to = longer, .positions = 40});
  const ModelSource source(longer);
  EXPECT_EQ(source.config().max_positions, 40);
  (void)convert({.from = longer, .to = at_ / "long"});
  const auto before = values_of(WeightFiles(from), std::string(kPositionTable));
  const auto after = values_of(WeightFiles(at_ / "long"), std::string(kPositionTable));
  ASSERT_EQ(after.size(), 42U * 8U);
  const auto row = [](const std::vector<float>& table, std::size_t r) {
    return std::vector<float>(table.begin() + static_cast<std::ptrdiff_t>(8 * r),
                              table.begin() + static_cast<std::ptrdiff_t>(8 * r + 8));
  };
  for (std::size_t position = 0; position < 40; ++position)
    EXPECT_EQ(row(after, position + 2), row(before, position % 16 + 2)) << position;
  EXPECT_THAT(refusal({.from = from, .to = at_ / "x", .positions = 8}), HasSubstr("`--positions` is 8"));
}

TEST_F(Conversion, a_folder_has_what_people_and_transformers_read) {
  (void)convert({.from = folder({HeadKind::kSequenceClassification, 3}), .to = at_ / "out"});
  EXPECT_THAT(read_bytes(at_ / "out/README.md"), HasSubstr("AutoModelForSequenceClassification"));
  EXPECT_THAT(read_bytes(at_ / "out/README.md"), HasSubstr("unpadded text of exactly"));
  const Json made = parse_json<Json>(read_bytes(at_ / "out/tokenizer.json"));
  EXPECT_EQ(made["model"]["type"], "Unigram");
  EXPECT_EQ(made["model"]["vocab"].size(), static_cast<std::size_t>(tokenizer().vocabulary_size()));
  EXPECT_EQ(parse_json<Json>(read_bytes(at_ / "out/tokenizer_config.json"))["pad_token"], "<pad>");
}

TEST_F(Conversion, keys_of_attention_may_be_changed_on_the_way_but_no_others) {
  const std::string from = folder();
  (void)convert({.from = from, .to = at_ / "other", .overrides = {"model.attention.landmarks=5"}});
  EXPECT_EQ(ModelSource(at_ / "other").config().attention.landmarks, 5);
  EXPECT_THAT(refusal({.from = from, .to = at_ / "x", .overrides = {"model.layers=5"}}),
              HasSubstr("only change keys of `model.attention`"));
  EXPECT_THAT(refusal({.from = from, .to = at_ / "x", .overrides = {"model.attention.convolution=5"}}),
              HasSubstr("other weights"));
}

TEST_F(Conversion, a_model_without_convolution_is_written_with_one_zero_tap_and_read_without_it) {
  const std::string from = folder(HeadKind::kPretraining, 0);
  const Json config = parse_json<Json>(read_bytes(from + "/config.json"));
  EXPECT_EQ(config["conv_kernel_size"], 1);
  EXPECT_EQ(config["nystrom"]["convolution"], 0);
  const std::string tap = "nystromformer.encoder.layer.1.attention.self.conv.weight";
  EXPECT_EQ(values_of(WeightFiles(from), tap), std::vector<float>(2, 0.F));
  EXPECT_EQ(ModelSource(from).config().attention.taps, 0);
  for (const auto& tensor : ModelSource(from).stored_tensors()) EXPECT_NE(tensor.name, tap);
  (void)convert({.from = from, .to = at_ / "m.h5"});
  (void)convert({.from = at_ / "m.h5", .to = at_ / "back"});
  (void)convert({.from = from, .to = at_ / "half", .dtype = "fp16"});
  EXPECT_EQ(read_bytes(at_ / "back/model.safetensors"), read_bytes(from + "/model.safetensors"));
  EXPECT_EQ(WeightFiles(at_ / "half").find(tap)->tensor->type, StoredType::kF16);

  change_weights(from, [&](auto& tensors) {
    auto& taps = *std::ranges::find(tensors, tap, &TensorToWrite::name);
    taps.bytes = [] { return std::vector<std::byte>(8, std::byte{1}); };
  });
  EXPECT_THAT(refusal({.from = from, .to = at_ / "x"}), HasSubstr(tap + " is not zero"));
}

/// A checkpoint that was trained at its own length, or with other settings.
std::string trained_checkpoint(const std::string& folder, const std::string& path, const Settings& settings,
                               std::int64_t step = 0) {
  const ModelSource source(folder);
  Network network(source.config(), source.head(), DType::kF32, true);
  network.initialize(1);
  const auto optimizer = make_optimizer({}, network.parameters());
  RunIdentity identity;
  identity.settings = settings;
  RunState state;
  state.step = step;
  write_checkpoint(path, network, *optimizer, state, identity);
  return path;
}

std::int64_t length_of(const std::string& folder) {
  return parse_json<Json>(read_bytes(folder + "/config.json"))["segment_means_seq_len"];
}

TEST_F(Conversion, a_folder_has_the_length_of_training_also_by_way_of_a_checkpoint) {
  const std::string from = folder();
  const std::string h5 = trained_checkpoint(from, at_ / "t.h5", {{"data.sequence_length", "10"}});
  (void)convert({.from = h5, .to = at_ / "a"});
  EXPECT_EQ(length_of(at_ / "a"), 9) << "the landmarks are three";
  (void)convert({.from = h5, .to = at_ / "again.h5"});
  (void)convert({.from = at_ / "again.h5", .to = at_ / "b"});
  EXPECT_EQ(length_of(at_ / "b"), 9);
  (void)convert({.from = at_ / "a", .to = at_ / "c", .sequence_length = 7});
  EXPECT_EQ(length_of(at_ / "c"), 6);
  (void)convert({.from = at_ / "c", .to = at_ / "c.h5"});
  (void)convert({.from = at_ / "c.h5", .to = at_ / "d"});
  EXPECT_EQ(length_of(at_ / "d"), 6);
  for (const auto& [trained, expected] : {std::pair("5", 6), std::pair("3", 3)}) {
    const std::string name = std::string("trained-") + trained;
    (void)convert(
        {.from = trained_checkpoint(from, at_ / (name + ".h5"), {{"data.sequence_length", trained}}),
         .to = at_ / name});
    EXPECT_EQ(length_of(at_ / name), expected) << "softmax only where training ran it";
  }
  // A longer table is for longer texts, and the tokenizer says so too.
  (void)convert({.from = from, .to = at_ / "e"});
  (void)convert({.from = at_ / "e", .to = at_ / "long", .positions = 40});
  EXPECT_EQ(length_of(at_ / "long"), 39);
  EXPECT_EQ(parse_json<Json>(read_bytes(at_ / "e/tokenizer_config.json"))["model_max_length"], 16);
  EXPECT_EQ(parse_json<Json>(read_bytes(at_ / "long/tokenizer_config.json"))["model_max_length"], 40);
  (void)convert({.from = h5, .to = at_ / "long.h5", .positions = 40});
  (void)convert({.from = at_ / "long.h5", .to = at_ / "long2"});
  EXPECT_EQ(length_of(at_ / "long2"), 39);
}

TEST_F(Conversion, names_of_untrusted_code_are_not_passed_on) {
  (void)convert({.from = folder(), .to = at_ / "a"});
  const std::string from = at_ / "a", path = from + "/tokenizer_config.json";
  change_config(from, {{"auto_map", {{"AutoModel", "evil/repo--m.M"}}},
                       {"custom_pipelines", {{"x", {{"impl", "m.P"}}}}}});
  const std::string settings = read_bytes(path);
  const auto converted = [&](const std::string& text, const char* to) {
    std::ofstream(path) << text;
    (void)convert({.from = from, .to = at_ / to});
    return read_bytes(at_ / to + "/tokenizer_config.json");
  };
  EXPECT_EQ(converted(settings, "same"), settings);
  const Json config = parse_json<Json>(read_bytes(at_ / "same/config.json"));
  EXPECT_FALSE(config.contains("custom_pipelines"));
  EXPECT_FALSE(config["auto_map"].contains("AutoModel") &&
               config["auto_map"]["AutoModel"] == "evil/repo--m.M");
  const std::string rest = settings.substr(settings.find('{') + 1);
  const Json clean = parse_json<Json>(settings);
  EXPECT_EQ(
      parse_json<Json>(converted(R"({"auto_map": {"AutoTokenizer": ["evil/repo--t.T", null]},)" + rest, "b")),
      clean);
  EXPECT_EQ(parse_json<Json>(converted(R"({"auto\u005fmap": {"AutoTokenizer": "t.T"},)" + rest, "c")), clean);
  // Python reads this, and JSON has no such number.
  const Json python =
      parse_json<Json>(converted(R"({"x": NaN, "auto_map": {"AutoTokenizer": "t.T"},)" + rest, "d"));
  EXPECT_FALSE(python.contains("auto_map"));
  std::ofstream(path) << "{\"auto_map\": ";
  EXPECT_THAT(refusal({.from = from, .to = at_ / "e"}),
              HasSubstr("tokenizer_config.json is not a JSON object"));
}

TEST_F(Conversion, a_length_beyond_the_positions_is_truncated) {
  const std::string from = folder();
  Json config = parse_json<Json>(read_bytes(from + "/config.json"));
  config["segment_means_seq_len"] = 4096;
  std::ofstream(from + "/config.json") << config;
  (void)convert({.from = from, .to = at_ / "a"});
  EXPECT_EQ(length_of(at_ / "a"), 15);
}

TEST_F(Conversion, a_card_has_the_scores_of_its_own_step_alone) {
  std::filesystem::create_directories(at_ / "run/checkpoints");
  std::ofstream(at_ / "run/results.json") << R"({"best_step": 8, "steps": 12, "validation": {"f1": 0.875}})";
  std::ofstream(at_ / "run/evaluations.json") << R"([{"step": 4, "scores": {"validation": {"f1": 0.25}}},
                                                     {"step": 8, "scores": {"validation": {"f1": 0.5}}}])";
  const std::string from = folder({HeadKind::kSequenceClassification, 3});
  const auto card = [&](std::int64_t step) {
    const std::string name = std::to_string(step);
    (void)convert({.from = trained_checkpoint(from, at_ / ("run/checkpoints/" + name + ".h5"),
                                              {{"task.kind", "classification"}}, step),
                   .to = at_ / name});
    return read_bytes(at_ / (name + "/README.md"));
  };
  EXPECT_THAT(card(8), AllOf(HasSubstr("| validation f1 | 0.875 |"), Not(HasSubstr("0.25"))));
  EXPECT_THAT(card(4), AllOf(HasSubstr("| validation f1 | 0.25 |"), Not(HasSubstr("0.875"))));
  EXPECT_THAT(card(12), Not(HasSubstr("validation f1")));
}

TEST_F(Conversion, a_card_of_softmax_with_a_convolution_asks_for_unpadded_text) {
  (void)convert({.from = folder(), .to = at_ / "out", .overrides = {"model.attention.kind=softmax"}});
  EXPECT_THAT(read_bytes(at_ / "out/README.md"), HasSubstr("unpadded text"));
}

TEST_F(Conversion, bert_and_roberta_start_our_encoder_with_a_convolution_of_zeros) {
  for (const bool roberta : {false, true}) {
    const std::string from = bert(at_, roberta), to = from + "-here";
    const auto notes = convert({.from = from, .to = to, .overrides = {"model.attention.landmarks=4"}});
    EXPECT_THAT(notes.front(), HasSubstr("softmax attention"));
    EXPECT_THAT(notes.front(), HasSubstr("with 4 landmarks and a convolution of zeros with kernel size 65."));
    const ModelSource source(to);
    EXPECT_EQ(source.config().max_positions, 16);
    EXPECT_EQ(source.config().attention.landmarks, 4);
    EXPECT_EQ(source.config().activation, Activation::kGelu);
    EXPECT_EQ(source.head().kind, HeadKind::kMaskedLm);
    source.check();
    const WeightFiles theirs(from), ours(to);
    const std::string stem = roberta ? "roberta." : "bert.";
    EXPECT_EQ(values_of(theirs, stem + "embeddings.word_embeddings.weight"), values_of(ours, kWord));
    const auto positions = values_of(theirs, stem + "embeddings.position_embeddings.weight");
    const auto table = values_of(ours, std::string(kPositionTable));
    ASSERT_EQ(table.size(), 18U * 8U);
    const std::size_t skipped = roberta ? 2 * 8 : 0;
    EXPECT_TRUE(std::equal(positions.begin() + static_cast<std::ptrdiff_t>(skipped), positions.end(),
                           table.begin() + 16));
    for (const float w : values_of(ours, "nystromformer.encoder.layer.1.attention.self.conv.weight"))
      EXPECT_EQ(w, 0);
    EXPECT_EQ(values_of(theirs, roberta ? "lm_head.bias" : "cls.predictions.bias"),
              values_of(ours, "cls.predictions.bias"));
    (void)convert({.from = from, .to = from + ".h5"});
    EXPECT_EQ(ModelSource(from + ".h5").config().layers, 2);
  }
}

/// What loading `path` into the network says; a refusal's sentence where it is refused.
std::string loading(const std::string& path, Network& network) {
  network.initialize(1);
  try {
    return fmt::format("{}", fmt::join(ModelSource(path).load(network), " "));
  } catch (const InputError& error) {
    return std::string("refused: ") + error.what();
  }
}

TEST_F(Conversion, a_checkpoint_with_or_without_sentence_order_starts_pretraining_with_or_without_it) {
  for (const bool with : {false, true}) {
    const std::string h5 = at_ / (with ? "with.h5" : "without.h5");
    const HeadKind head = with ? HeadKind::kPretraining : HeadKind::kMaskedLm;
    const HeadKind other = with ? HeadKind::kMaskedLm : HeadKind::kPretraining;
    (void)convert({.from = folder(head), .to = h5});
    ModelConfig config = ModelSource(h5).config();
    Network network(config, other, DType::kF32, false);
    const std::string said = loading(h5, network);
    for (const char* name : {"cls.seq_relationship.bias", "nystromformer.pooler.dense.weight"})
      EXPECT_THAT(said, HasSubstr(name));
    EXPECT_THAT(said, HasSubstr(with ? "Unused tensors of" : "are initialized randomly"));
    const ParameterStore& store = network.parameters();
    const auto word = store.weight(static_cast<ParameterId>(store.find(kWord) - store.all().data()));
    const auto values = word.span<const float>();
    EXPECT_EQ(std::vector<float>(values.begin(), values.end()), values_of(WeightFiles(at_ / "m"), kWord));
    config.intermediate_size = 16;
    Network wider(config, other, DType::kF32, false);
    EXPECT_THAT(loading(h5, wider), AllOf(HasSubstr("refused"), HasSubstr("intermediate.dense.weight")));
    std::filesystem::remove_all(at_ / "m");
  }
  (void)convert({.from = folder({HeadKind::kSequenceClassification, 3}), .to = at_ / "task.h5"});
  Network network(ModelSource(at_ / "task.h5").config(), HeadKind::kMaskedLm, DType::kF32, false);
  EXPECT_THAT(loading(at_ / "task.h5", network),
              AllOf(HasSubstr("refused"), HasSubstr("cls.predictions.bias is missing")));
}

TEST_F(Conversion, bert_starts_a_network_whose_convolution_has_other_taps) {
  const std::string from = bert(at_, false);
  ModelConfig config = ModelSource(from).config();
  for (const std::int64_t taps : {5, 0}) {
    config.attention.taps = taps;
    Network network(config, HeadKind::kMaskedLm, DType::kF32, false);
    EXPECT_THAT(loading(from, network), Not(HasSubstr("refused"))) << taps;
  }
}

TEST_F(Conversion, a_pickle_is_refused_with_the_lines_that_turn_it_into_safetensors) {
  const std::string from = folder();
  std::filesystem::rename(from + "/model.safetensors", from + "/pytorch_model.bin");
  const std::string sentence = refusal({.from = from, .to = at_ / "x"});
  EXPECT_THAT(sentence, HasSubstr("can run code"));
  EXPECT_EQ(std::ranges::count(sentence, '\n'), 2);
  EXPECT_THAT(sentence, HasSubstr("\nimport pathlib, safetensors.torch, torch"));
  EXPECT_THAT(sentence, HasSubstr("pathlib.Path('" + from + "')"));
  EXPECT_TRUE(sentence.ends_with("folder / 'model.safetensors', {'format': 'pt'})")) << sentence;
}

}  // namespace
}  // namespace nystrom
