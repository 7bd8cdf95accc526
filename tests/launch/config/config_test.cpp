#include "launch/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config_refusals.h"
#include "kernels/core/check.h"
#include "launch/config/command_keys.h"
#include "launch/config/config_table.h"
#include "launch/config/key_guess.h"
#include "launch/config/suggestion.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using config_test::refusal;
using config_test::refused_override;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Config, an_empty_file_gives_the_defaults) {
  EXPECT_EQ(to_yaml(read_config_text("", "run.yaml")), to_yaml(Config{}));
  EXPECT_EQ(to_yaml(read_config_text("# nothing\nmodel:\n", "run.yaml")), to_yaml(Config{}));
}

TEST(Config, home_and_variables_in_paths_are_expanded) {
  ::setenv("HOME", "/home/a", 1);
  ::setenv("NYSTROM_TEST_PLACE", "/data [1]", 1);
  ::unsetenv("NYSTROM_TEST_NOTHING");
  const Config c = read_config_text(
      "run: {directory: ~/runs/x}\ntokenizer: {path: '${NYSTROM_TEST_PLACE}/t'}\n"
      "data:\n  shards: [\"${NYSTROM_TEST_PLACE}/*.h5\", '~/b.h5', './~/c.h5']\n"
      "corpus: [{kind: lines, path: '~/${NYSTROM_TEST_PLACE}.txt'}]\ntask: {path: $x, label_separator: '~'}\n",
      "run.yaml");
  EXPECT_EQ(c.run.directory, "/home/a/runs/x");
  EXPECT_EQ(c.tokenizer.path, "/data [1]/t");
  EXPECT_EQ(c.data.shards, (std::vector<std::string>{"/data [1]/*.h5", "/home/a/b.h5", "./~/c.h5"}));
  EXPECT_EQ(c.corpus.at(0).path, "/home/a//data [1].txt");
  EXPECT_EQ(c.task.path, "$x");
  EXPECT_EQ(c.task.label_separator, "~") << "no path";
  EXPECT_EQ(read_config("", {"run.directory=~/y"}).run.directory, "/home/a/y");
  EXPECT_EQ(
      refusal("run:\n  directory: a/${NYSTROM_TEST_NOTHING}/b\n"),
      "run.yaml, line 2: `run.directory` names ${NYSTROM_TEST_NOTHING}, which is not set in the environment.");
  EXPECT_THAT(refusal("corpus: [{kind: lines, path: '${'}]"), HasSubstr("`corpus` has ${ without }."));
  EXPECT_THAT(refusal("run: {directory: ${HOME}/x}"), HasSubstr("A value with ${...} must be in quotes."));
}

TEST(Config, values_reach_their_members) {
  const Config c = read_config_text(
      "seed: 7\nmodel: {layers: 3, attention: {kind: softmax, landmarks: 16}, dropout: 0}\n"
      "data:\n  shards: [a/*.h5, b.h5]\n  validation: one.h5\n  shuffle: false\n  masking: {unit: span}\n"
      "training: {steps: 10, micro_batch: auto, clip_norm: 1e-3}\n"
      "corpus:\n  - {kind: lines, path: 'x/*.txt'}\n  - {path: y, kind: books}\n",
      "run.yaml");
  EXPECT_EQ(c.seed, 7);
  EXPECT_EQ(c.model.layers, 3);
  EXPECT_EQ(c.model.attention.kind, "softmax");
  EXPECT_EQ(c.model.attention.landmarks, 16);
  EXPECT_EQ(c.model.dropout, 0.0);
  EXPECT_EQ(c.data.shards, (std::vector<std::string>{"a/*.h5", "b.h5"}));
  EXPECT_EQ(c.data.validation, (std::vector<std::string>{"one.h5"}));
  EXPECT_FALSE(c.data.shuffle);
  EXPECT_EQ(c.data.masking.unit, MaskUnit::kSpan);
  EXPECT_EQ(c.training.steps, 10);
  EXPECT_FALSE(c.training.micro_batch.has_value());
  EXPECT_EQ(c.training.clip_norm, 1e-3);
  EXPECT_EQ(c.corpus,
            (std::vector<CorpusSpec>{{.kind = "lines", .path = "x/*.txt"}, {.kind = "books", .path = "y"}}));
  EXPECT_TRUE(c.gives("model.layers"));
  EXPECT_FALSE(c.gives("model.heads"));
}

TEST(Config, an_unknown_key_is_refused_with_file_line_and_the_nearest_known_one) {
  EXPECT_EQ(refusal("seed: 1\nmodel:\n  hiden_size: 8\n"),
            "run.yaml, line 3: unknown key `model.hiden_size`; did you mean `model.hidden_size`?");
  EXPECT_THAT(refusal("modle: {layers: 2}"), HasSubstr("did you mean `model`?"));
  EXPECT_THAT(refusal("steps: 5"), HasSubstr("did you mean `training.steps`?"));
  EXPECT_THAT(refusal("model: {attention: {landmark: 4}}"),
              HasSubstr("did you mean `model.attention.landmarks`?"));
  EXPECT_THAT(refusal("training.steps: 5"), HasSubstr("write sections as maps"));
  EXPECT_THAT(refusal("seed: {x: 1}"), HasSubstr("`seed` is a map; it must be an integer"));
}

TEST(Config, a_key_of_another_program_is_answered_with_ours) {
  EXPECT_EQ(refusal("lr: 1e-3\n"),
            "run.yaml, line 1: unknown key `lr`; here it is `optimizer.learning_rate`.");
  EXPECT_THAT(refusal("training: {fp16: true}"),
              HasSubstr("here it is `training.precision` (fp32, bf16 or auto)."));
  EXPECT_THAT(refusal("training: {batch_size: 8}"),
              HasSubstr("here it is `training.global_batch` (sequences per step"));
  EXPECT_THAT(refusal("per-device-train-batch-size: 8"), HasSubstr("here it is `training.micro_batch`"));
  EXPECT_THAT(refusal("model: {num_layers: 2}"), HasSubstr("here it is `model.layers`."));
  EXPECT_THAT(refused_override("max_seq_length=512"), HasSubstr("here it is `data.sequence_length`."));
  // Ours in the wrong section.
  EXPECT_THAT(refusal("learning_rate: 1e-3"), HasSubstr("did you mean `optimizer.learning_rate`?"));
  EXPECT_THAT(refusal("training: {warmup_steps: 5}"), HasSubstr("did you mean `schedule.warmup_steps`?"));
}

TEST(Config, the_names_of_other_programs_lead_to_keys) {
  Config config;
  const auto keys = config_keys(config);
  std::set<std::string_view> names;
  for (const ForeignKey& foreign : foreign_keys()) {
    EXPECT_NE(std::ranges::find(keys, foreign.key, &ConfigKey::path), keys.end()) << foreign.key;
    EXPECT_TRUE(names.insert(foreign.name).second) << foreign.name << " is listed twice";
    EXPECT_EQ(std::ranges::find(keys, foreign.name, &ConfigKey::path), keys.end()) << foreign.name;
  }
}

TEST(Config, nothing_is_suggested_where_nothing_is_near) {
  EXPECT_EQ(refusal("wandb: true"),
            "run.yaml, line 1: unknown key `wandb`; `nystrom --help-config` lists all keys.");
  EXPECT_THAT(refusal("training: {x: 1}"), HasSubstr("`nystrom --help-config` lists all keys."));
  EXPECT_THAT(refusal("training: {foo: 1}"), HasSubstr("`nystrom --help-config` lists all keys."))
      << "the section is alike, the key is not";
  EXPECT_THAT(refusal("corpus: [{kind: sqlite, path: x}]"), HasSubstr("the kinds are "));
}

TEST(Config, given_keys_that_a_command_does_not_use_are_named) {
  const Config file = read_config_text("training: {steps: 5, epochs: 2}\ndata: {shards: a}\n", "run.yaml");
  EXPECT_EQ(unused_keys_sentence(file, "finetune"),
            "`finetune` does not use `training.steps`. Its length is `training.epochs`.");
  EXPECT_THAT(unused_keys_sentence(file, "pretrain"), HasSubstr("does not use `training.epochs`."));
  Config replaced = read_config_text("training: {steps: 5}\n", "run.yaml");
  set_value(replaced, "training.epochs", "2");
  EXPECT_EQ(unused_keys_sentence(replaced, "finetune"), "");
  const Config set = read_config("", {"data.shards=a", "schedule.warmup_share=0.1", "training.epochs=2"});
  EXPECT_EQ(unused_keys_sentence(set, "finetune"), "`finetune` does not use `data.shards`.");
  EXPECT_THAT(unused_keys_sentence(set, "pretrain"),
              HasSubstr("does not use `schedule.warmup_share`, `training.epochs`."));
  const Config grid = read_config("", {"grid={evaluation.batches: [1, 2]}"});
  EXPECT_THAT(unused_keys_sentence(grid, "finetune"), HasSubstr("`evaluation.batches` (in `grid`)"));
  EXPECT_EQ(unused_keys_sentence(grid, "convert"), "");
}

TEST(Config, a_fine_tuning_has_steps_or_epochs_and_what_is_set_counts_before_the_file) {
  const auto by_steps = [](const std::string& file, const std::vector<std::string>& sets) {
    Config config = read_config_text(file, "run.yaml");
    for (const auto& set : sets)
      set_value(config, set.substr(0, set.find('=')), set.substr(set.find('=') + 1));
    return finetunes_by_steps(config);
  };
  EXPECT_FALSE(by_steps("", {}));
  EXPECT_TRUE(by_steps("training: {steps: 5}", {}));
  EXPECT_TRUE(by_steps("training: {steps: 5, epochs: 0}", {})) << "a resolved configuration";
  EXPECT_FALSE(by_steps("training: {steps: 5, epochs: 2}", {}));
  EXPECT_TRUE(by_steps("training: {epochs: 2}", {"training.steps=5"}));
  EXPECT_FALSE(by_steps("training: {steps: 5}", {"training.epochs=2"}));
  EXPECT_FALSE(by_steps("", {"training.steps=5", "training.epochs=2"}));
  EXPECT_THROW((void)by_steps("training: {epochs: 0}", {}), InputError);
}

TEST(Config, given_keys_that_the_chosen_kind_does_not_use_are_named) {
  const Config linear =
      read_config("", {"schedule.power=2", "schedule.decay_steps=3", "schedule.end_share=0.1"});
  for (const char* command : {"pretrain", "finetune"})
    EXPECT_EQ(unused_keys_sentence(linear, command),
              "`schedule.kind: linear` does not use `schedule.power`, `schedule.end_share`, "
              "`schedule.decay_steps`.");
  const Config wsd =
      read_config("", {"schedule.kind=wsd", "schedule.decay_steps=3", "schedule.end_share=0.1"});
  EXPECT_EQ(unused_keys_sentence(wsd, "pretrain"), "");
  const Config both = read_config("", {"schedule.power=2", "training.epochs=2"});
  EXPECT_EQ(
      unused_keys_sentence(both, "pretrain"),
      "`pretrain` does not use `training.epochs`. `schedule.kind: linear` does not use `schedule.power`.");
  const Config lamb =
      read_config("", {"optimizer.kind=lamb", "optimizer.all_tensors=true", "optimizer.momentum=0.9"});
  EXPECT_EQ(unused_keys_sentence(lamb, "pretrain"),
            "`optimizer.kind: lamb` does not use `optimizer.momentum`.");
}

TEST(Config, an_optional_number_is_a_number_or_its_word) {
  EXPECT_EQ(read_config("", {}).schedule.end_share, std::nullopt);
  EXPECT_EQ(read_config("", {"schedule.end_share=0.25"}).schedule.end_share, 0.25);
  EXPECT_EQ(read_config("", {"schedule.end_share=0.25", "schedule.end_share=auto"}).schedule.end_share,
            std::nullopt);
  EXPECT_EQ(read_config("", {"schedule.beta1_ends=none"}).schedule.beta1_ends, std::nullopt);
  EXPECT_THAT(refusal("schedule: {end_share: 2}"), HasSubstr("it must be from 0 to 1"));
  EXPECT_THAT(refusal("schedule: {beta1_ends: auto}"), HasSubstr("it must be a number"));
}

TEST(Config, keys_that_an_evaluation_or_a_measurement_does_not_use_are_named_where_they_are_set) {
  const std::vector<std::string> sets = {"training.steps=9",    "data.packing=documents",
                                         "optimizer.beta1=0.8", "evaluation.batches=3",
                                         "run.threads=1",       "model.layers=2"};
  const Config set = read_config("", sets);
  EXPECT_EQ(unused_keys_sentence(set, "evaluate"),
            "`evaluate` does not use `optimizer.beta1`, `training.steps`.");
  EXPECT_EQ(unused_keys_sentence(set, "evaluate of a task"),
            "`evaluate` of a task does not use `data.packing`, `evaluation.batches`, `optimizer.beta1`, "
            "`training.steps`.");
  EXPECT_EQ(unused_keys_sentence(set, "bench"), "`bench` does not use `data.packing`, `evaluation.batches`.");
  EXPECT_EQ(unused_keys_sentence(set, "bench --loader"),
            "`bench --loader` does not use `evaluation.batches`, `optimizer.beta1`, `run.threads`, "
            "`training.steps`.");
  const Config file = read_config_text(
      "training: {steps: 5}\noptimizer: {beta1: 0.8}\ngrid: {seed: [1, 2], optimizer.beta2: [0.9]}\n",
      "run.yaml");
  for (const char* command : {"evaluate", "evaluate of a task", "bench", "bench --loader"})
    EXPECT_EQ(unused_keys_sentence(file, command), "") << "one file serves several commands";
}

TEST(Config, keys_of_another_optimizer_are_named_to_those_who_train_or_measure) {
  const Config set = read_config("", {"optimizer.kind=lamb", "optimizer.momentum=0.8"});
  for (const char* command : {"pretrain", "finetune", "bench"})
    EXPECT_EQ(unused_keys_sentence(set, command),
              "`optimizer.kind: lamb` does not use `optimizer.momentum`.");
}

TEST(Config, the_keys_that_a_command_names_are_keys) {
  Config config;
  for (const std::string_view name : keys_named_by_commands())
    EXPECT_TRUE(std::ranges::any_of(config_keys(config), [name](const ConfigKey& key) {
      return name.ends_with('.') ? key.path.starts_with(name) : key.path == name;
    })) << name;
}

TEST(Config, a_wrong_type_is_refused_with_key_value_file_and_line) {
  EXPECT_EQ(refusal("model:\n  layers: many\n"),
            "run.yaml, line 2: `model.layers` is many; it must be an integer.");
  EXPECT_THAT(refusal("model: {layers: 2.5}"), HasSubstr("`model.layers` is 2.5; it must be an integer"));
  EXPECT_THAT(refusal("model: {layers: '2'}"), HasSubstr("`model.layers` is \"2\"; it must be an integer"));
  EXPECT_THAT(refusal("model: {layers: 99999999999999999999}"),
              HasSubstr("`model.layers` is 99999999999999999999; it must be at most"));
  EXPECT_THAT(refusal("model: {layers: }"), HasSubstr("`model.layers` is nothing; it must be an integer"));
  EXPECT_THAT(refusal("model: {layers: [1]}"), HasSubstr("`model.layers` is a list"));
  EXPECT_THAT(refusal("model: 5"), HasSubstr("`model` is 5; it must be a map"));
  EXPECT_THAT(refusal("optimizer: {learning_rate: fast}"), HasSubstr("it must be a number"));
  EXPECT_THAT(refusal("optimizer: {learning_rate: nan}"), HasSubstr("it must be a number"));
  EXPECT_THAT(refusal("data: {shuffle: maybe}"), HasSubstr("it must be true or false"));
  EXPECT_THAT(refusal("data: {shards: {a: b}}"), HasSubstr("it must be a list of patterns"));
  EXPECT_THAT(refusal("model: {attention: {kind: quadratic}}"),
              HasSubstr("it must be one of nystrom | softmax"));
  EXPECT_THAT(refusal("model: {attention: {kind: '|'}}"), HasSubstr("it must be one of"));
  EXPECT_THAT(refusal("data: {packing: document}"),
              HasSubstr("`data.packing` is document; it must be one of sentences | documents."));
  EXPECT_THAT(refusal("data: {packing: [documents]}"), HasSubstr("it must be one of sentences | documents."));
  EXPECT_THAT(refusal("run: {directory: }"), HasSubstr("it must be text"));
  EXPECT_THAT(refusal("- a\n- b\n"), HasSubstr("the configuration is a list"));
}

TEST(Config, a_value_out_of_range_is_refused) {
  EXPECT_THAT(refusal("model: {layers: 0}"), HasSubstr("it must be at least 1"));
  EXPECT_THAT(refusal("data: {masking: {probability: 1.5}}"), HasSubstr("it must be from 1e-06 to 1"));
  EXPECT_THAT(refusal("data: {masking: {probability: 0}}"), HasSubstr("it must be from 1e-06 to 1"));
  EXPECT_THAT(refusal("training: {steps: -1}"), HasSubstr("it must be at least 1"));
  EXPECT_THAT(refusal("run: {threads: 100000}"), HasSubstr("it must be from 1 to 4096"));
  EXPECT_THAT(refusal("training: {micro_batch: 4294967296}"), HasSubstr("it must be from 1 to 2147483647"));
}

TEST(Config, a_value_beyond_the_upper_bound_is_refused_with_the_bound) {
  EXPECT_THAT(refusal("seed: 9223372036854775807"), HasSubstr("it must be at most 9000000000000000"));
  EXPECT_THAT(refusal("training: {steps: 4611686018427387904}"),
              HasSubstr("it must be at most 9000000000000000"));
  EXPECT_THAT(refusal("training: {steps: 99999999999999999999}"),
              HasSubstr("it must be at most 9000000000000000"));
  EXPECT_THAT(refusal("seed: -99999999999999999999"), HasSubstr("it must be at least 0"));
  EXPECT_THAT(refusal("model: {attention: {pinv_iterations: 4294967302}}"),
              HasSubstr("it must be from 1 to 1048576"));
}

TEST(Config, invalid_yaml_is_refused) {
  EXPECT_THAT(refusal("model: {layers: 2\nseed: 1\n"), HasSubstr("this is not valid YAML"));
  EXPECT_THAT(refusal("a: b: c"), HasSubstr("run.yaml, line 1: this is not valid YAML"));
  EXPECT_THAT(refusal("seed: 1\n---\nseed: 2\n"), HasSubstr("more than one YAML document"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("this is not valid YAML"));
  EXPECT_THAT(refusal("seed: 1\nseed: 2\n"), HasSubstr("`seed` is given twice"));
}

TEST(Config, aliases_that_grow_without_end_are_refused_at_once) {
  std::string yaml = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'z'; ++c)
    yaml += fmt::format("{}: &{} [*{}, *{}, *{}, *{}, *{}, *{}, *{}, *{}]\n", c, c, char(c - 1), char(c - 1),
                        char(c - 1), char(c - 1), char(c - 1), char(c - 1), char(c - 1), char(c - 1));
  EXPECT_THAT(refusal(yaml), HasSubstr("unknown key `a`"));
}

// The resolved file and the values that a resume compares are text: a run that was started by an older
// version must find the same text here.
TEST(Config, words_are_written_as_they_always_were) {
  const Config c = read_config(
      "", {"model.activation=gelu", "data.masking.unit=word", "training.precision=bf16",
           "training.on_nonfinite=rollback", "schedule.kind=inverse_sqrt", "communication.kind=nccl",
           "run.check_shards=none", "training.backend=cpu", "task.malformed=skip"});
  const auto values = finetuning_values(c);
  EXPECT_EQ(values.at("model.activation"), "gelu");
  EXPECT_EQ(values.at("model.attention.pinv_init"), "per_matrix");
  EXPECT_EQ(values.at("model.attention.pinv_iterations"), "6");
  EXPECT_EQ(values.at("data.masking.unit"), "word");
  EXPECT_EQ(values.at("training.precision"), "\"bf16\"");
  EXPECT_EQ(values.at("training.on_nonfinite"), "rollback");
  EXPECT_EQ(values.at("training.spike_z_score"), "8");
  EXPECT_EQ(values.at("schedule.kind"), "inverse_sqrt");
  EXPECT_EQ(values.at("communication.kind"), "nccl");
  EXPECT_EQ(values.at("communication.reduction"), "\"fp32\"");
  EXPECT_EQ(values.at("communication.timeout"), "600");
  EXPECT_EQ(values.at("run.check_shards"), "none");
  EXPECT_EQ(values.at("training.backend"), "cpu");
  EXPECT_EQ(values.at("task.malformed"), "skip");
}

TEST(Config, a_word_that_an_enum_has_is_refused_where_the_key_does_not_take_it) {
  EXPECT_THAT(refused_override("training.on_nonfinite=ignore"),
              HasSubstr("it must be one of stop | skip | rollback."));
  EXPECT_THAT(refused_override("communication.reduction=auto"), HasSubstr("it must be one of fp32 | bf16."));
}

TEST(Config, overrides_go_over_the_file_and_their_values_are_yaml) {
  const Config c =
      read_config("", {"model.layers=2", "data.shards=[a, b]", "training.micro_batch=4",
                       "training.micro_batch=auto", "model.attention={kind: softmax, convolution: 0}",
                       "corpus=[{kind: lines, path: f}]", "run.directory=x=y"});
  EXPECT_EQ(c.model.layers, 2);
  EXPECT_EQ(c.data.shards.size(), 2U);
  EXPECT_FALSE(c.training.micro_batch.has_value());
  EXPECT_EQ(c.model.attention.taps, 0);
  EXPECT_EQ(c.corpus.front().path, "f");
  EXPECT_EQ(c.run.directory, "x=y");
  EXPECT_THAT(refused_override("model.layer=2"),
              AllOf(HasSubstr("--set model.layer=2"), HasSubstr("`model.layers`")));
  EXPECT_THAT(refused_override("model.layers=two"), HasSubstr("`model.layers` is two"));
  EXPECT_THAT(refused_override("model.layers"), HasSubstr("write `--set dotted.key=value`"));
}

TEST(Config, the_resolved_file_gives_the_same_configuration_back) {
  const Config c = read_config(
      "", {"run.directory=\"a \\\"b\\\" \\n\\t'c'\"", "model.from=true", "data.shards=['*.h5', '#x']",
           "optimizer.learning_rate=0.30000000000000004", "training.steps=12", "task.name=null",
           "corpus=[{kind: jsonl, path: \"x: y\", field: body, encoding: latin-1, language: de}]",
           "optimizer.epsilon=1e-30"});
  const std::string yaml = to_yaml(c);
  const Config again = read_config_text(yaml, "config.yaml");
  EXPECT_EQ(to_yaml(again), yaml);
  EXPECT_EQ(again.run.directory, "a \"b\" \n\t'c'");
  EXPECT_EQ(again.model.from, "true");
  EXPECT_EQ(again.optimizer.learning_rate, 0.30000000000000004);
  EXPECT_EQ(again.training.steps, 12);
  EXPECT_EQ(again.corpus.front().field, "body");
  EXPECT_EQ(again.corpus.front().language, "de");
  EXPECT_EQ(pretraining_values(again), pretraining_values(c));
}

TEST(Config, every_key_can_be_set_to_the_text_that_it_is_written_as) {
  Config config;
  for (const ConfigKey& key : config_keys(config)) {
    if (key.rules.unset == "*" || key.rules.unset == "none") continue;
    const std::string text = fmt::format("{}={}", key.path, value_text(key.slot));
    EXPECT_NO_THROW({
      const Config set = read_config("", {text});
      EXPECT_EQ(to_yaml(set), to_yaml(Config{})) << text;
      EXPECT_TRUE(set.gives(key.path));
    }) << text;
  }
}

TEST(Config, keys_without_default_bind_the_commands_that_use_them) {
  const Config c = read_config("", {"run.directory=r"});
  EXPECT_NO_THROW(require(c, {"run.directory"}, "pretrain"));
  try {
    require(c, {"run.directory", "training.steps"}, "pretrain");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("pretrain"), HasSubstr("training.steps")));
  }
}

TEST(Config, a_resume_is_compared_by_what_pretraining_uses) {
  const auto values = pretraining_values(Config{});
  EXPECT_TRUE(values.contains("model.layers"));
  EXPECT_TRUE(values.contains("seed"));
  EXPECT_FALSE(values.contains("output.directory"));
  EXPECT_FALSE(values.contains("corpus"));
}

TEST(Config, a_resume_may_change_only_what_changes_no_result) {
  for (const char* key :
       {"training.steps", "training.micro_batch", "training.backend", "training.zero",
        "training.deterministic", "training.cuda_graph", "training.check_every", "training.on_spike",
        "training.spike_z_score", "training.spike_window", "communication.timeout", "run.directory",
        "run.threads", "checkpoint.keep", "run.a_key_of_an_older_version", "task.pair"})
    EXPECT_TRUE(may_change_on_resume(key)) << key;
  for (const char* key : {"seed", "training.global_batch", "training.precision", "model.layers",
                          "data.shards", "evaluation.batches", "tokenizer", "runs", "training.spikes"})
    EXPECT_FALSE(may_change_on_resume(key)) << key;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The words in backticks.
std::vector<std::string> in_backticks(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = text.find('`'); begin != std::string::npos;) {
    const std::size_t end = text.find('`', begin + 1);
    if (end == std::string::npos) break;
    words.push_back(text.substr(begin + 1, end - begin - 1));
    begin = text.find('`', end + 1);
  }
  return words;
}

TEST(Config, the_documents_list_what_a_resume_may_change) {
  const FreeOnResume free = free_on_resume();
  EXPECT_THAT(free.sections, ::testing::ElementsAre("run", "communication", "checkpoint"));
  std::vector<std::string> expected = free.sections;
  expected.insert(expected.end(), free.keys.begin(), free.keys.end());

  const std::string training = text_of("docs/training.md"), begin = "A resumed run may change:";
  const std::size_t list = training.find(begin);
  ASSERT_NE(list, std::string::npos);
  const std::size_t end = training.find("\n\n", list + begin.size() + 2);
  EXPECT_THAT(in_backticks(training.substr(list, end - list)), ::testing::UnorderedElementsAreArray(expected))
      << "docs/training.md, the list under Resume";

  // It has no separate list.
  EXPECT_THAT(text_of("docs/operations.md"), HasSubstr("[Resume in training.md](training.md#resume)"));
}

TEST(Config, a_file_that_cannot_be_one_is_refused) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "huge.yaml";
  std::ofstream(path) << std::string(2'000'000, '#');
  const auto message = [](const std::string& file) -> std::string {
    try {
      (void)read_config(file, {});
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(path), HasSubstr("larger than"));
  std::ofstream(path) << std::string("seed: 1\0\n", 9);
  EXPECT_THAT(message(path), HasSubstr("NUL"));
  EXPECT_THAT(message(folder.path()), HasSubstr("is a folder"));
  EXPECT_THAT(message(folder / "none.yaml"), AllOf(HasSubstr("none.yaml"), HasSubstr("No such file")));
}

TEST(Config, a_command_is_given_on_the_command_line_alone_and_recorded_nowhere) {
  EXPECT_THAT([] { (void)read_config_text("run: {on_report: rm -r x}", "my.yaml"); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr("my.yaml sets `run.on_report`"), HasSubstr("use `--set run.on_report="))));
  const Config config = read_config("", {"run.on_report=cat > reports"});
  EXPECT_EQ(config.run.on_report, "cat > reports");
  EXPECT_EQ(to_yaml(config).find("on_report"), std::string::npos);
  EXPECT_FALSE(pretraining_values(config).contains("run.on_report"));
}

TEST(Config, the_documentation_is_what_the_program_prints) {
  EXPECT_TRUE(text_of("docs/configuration.md") == configuration_document())
      << "docs/configuration.md is out of date: build/nystrom --help-config > docs/configuration.md";
}

TEST(Nearest, counts_insertions_deletions_changes_and_swaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", "abc"), 0);
  EXPECT_EQ(edit_distance("abc", "acb"), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
}

}  // namespace
}  // namespace nystrom
