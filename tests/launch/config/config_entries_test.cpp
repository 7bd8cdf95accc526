// Keys that are lists and maps: the mixture of corpora, groups of the optimizer, stages of the batch size,
// corpora.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config_refusals.h"
#include "launch/config/config.h"

namespace nystrom {
namespace {

using config_test::refusal;
using config_test::refused_override;
using ::testing::HasSubstr;

TEST(Config, a_mixture_is_a_map_of_corpora_to_weights) {
  const Config c = read_config("", {"data.mixture={wikipedia: 3, books-2: 0.5}"});
  EXPECT_EQ(c.data.mixture, (std::vector<CorpusWeight>{{"wikipedia", 3}, {"books-2", 0.5}}));
  EXPECT_THAT(to_yaml(c), HasSubstr("  mixture: {wikipedia: 3, \"books-2\": 0.5}\n"));
  EXPECT_EQ(read_config_text(to_yaml(c), "run.yaml").data.mixture, c.data.mixture);
  EXPECT_THAT(to_yaml(Config{}), ::testing::Not(HasSubstr("mixture")));
  EXPECT_EQ(
      refused_override("data.mixture={wikipedia: many}"),
      "--set data.mixture={wikipedia: many}: `data.mixture`: the weight of wikipedia is many; it must be a "
      "number of at least 0.");
  EXPECT_THAT(refused_override("data.mixture={wikipedia: -1}"), HasSubstr("at least 0"));
  EXPECT_THAT(refused_override("data.mixture=[wikipedia]"), HasSubstr("a map of corpora to weights"));
  EXPECT_THAT(refused_override("data.mixture={a: 1, a: 2}"), HasSubstr("twice"));
}

TEST(Config, groups_of_the_optimizer_are_a_list_of_patterns_with_their_numbers) {
  const Config c = read_config(
      "", {"optimizer.groups=[{match: '*.bias', weight_decay: 0}, {match: a, rate: 0.1, weight_decay: 1}]"});
  const std::vector<OptimizerGroup> expected{{.match = "*.bias", .weight_decay = 0},
                                             {.match = "a", .rate = 0.1, .weight_decay = 1}};
  EXPECT_EQ(c.optimizer.groups, expected);
  EXPECT_THAT(to_yaml(c), HasSubstr("  groups: [{match: \"*.bias\", weight_decay: 0}, {match: \"a\", rate: "
                                    "0.1, weight_decay: 1}]\n"));
  EXPECT_EQ(read_config_text(to_yaml(c), "run.yaml").optimizer.groups, expected);
}

TEST(Config, a_wrong_group_of_the_optimizer_is_refused) {
  const auto refused = [](const std::string& groups) {
    return refusal("optimizer: {groups: " + groups + "}");
  };
  EXPECT_THAT(refused("x"), HasSubstr("`optimizer.groups` is x; it must be a list of {match: ..."));
  EXPECT_THAT(refused("[x]"), HasSubstr("an entry of `optimizer.groups` must be {match: ..."));
  EXPECT_THAT(refused("[{rate: 1}]"), HasSubstr("an entry has no pattern `match`"));
  EXPECT_THAT(refused("[{match: a}]"), HasSubstr("the entry for a gives neither `rate` nor `weight_decay`"));
  EXPECT_THAT(refused("[{match: a, rate: -1}]"),
              HasSubstr("`rate` is -1; it must be a number of at least 0"));
  EXPECT_THAT(refused("[{match: a, decay: 1}]"), HasSubstr("unknown key `decay` in an entry"));
}

TEST(Config, a_batch_schedule_is_a_list_of_steps_and_sizes) {
  const Config c = read_config(
      "", {"training.batch_schedule=[{step: 1000, global_batch: 512}, {global_batch: 1024, step: 3000}]"});
  const std::vector<BatchStage> expected{{1000, 512}, {3000, 1024}};
  EXPECT_EQ(c.training.batch_schedule, expected);
  EXPECT_THAT(to_yaml(c), HasSubstr("  batch_schedule: [{step: 1000, global_batch: 512}, {step: 3000, "
                                    "global_batch: 1024}]\n"));
  EXPECT_EQ(read_config_text(to_yaml(c), "run.yaml").training.batch_schedule, expected);
}

TEST(Config, a_wrong_batch_schedule_is_refused) {
  const auto refused = [](const std::string& stages) {
    return refusal("training: {batch_schedule: " + stages + "}");
  };
  EXPECT_THAT(refused("512"), HasSubstr("it must be a list of {step: ..., global_batch: ...}"));
  EXPECT_THAT(refused("[512]"), HasSubstr("an entry of `training.batch_schedule` must be {step: ..."));
  EXPECT_THAT(refused("[{step: 5}]"), HasSubstr("an entry has no `global_batch`"));
  EXPECT_THAT(refused("[{global_batch: 5}]"), HasSubstr("an entry has no `step`"));
  EXPECT_THAT(refused("[{step: 5, global_batch: 0}]"),
              HasSubstr("`global_batch` is 0; it must be an integer"));
  EXPECT_THAT(refused("[{step: 1, global_batch: 8}]"), HasSubstr("step 1 must be after step 1"));
  EXPECT_THAT(refused("[{step: 9, global_batch: 8}, {step: 5, global_batch: 16}]"),
              HasSubstr("step 5 must be after step 9"));
  EXPECT_THAT(refused("[{step: 9, batch: 8}]"), HasSubstr("unknown key `batch` in an entry"));
}

TEST(Config, corpus_entries_are_checked) {
  EXPECT_THAT(refusal("corpus: [{kind: wikipdia, path: x}]"), HasSubstr("did you mean wikipedia?"));
  EXPECT_THAT(refusal("corpus: [{kind: books}]"), HasSubstr("has no path"));
  EXPECT_THAT(refusal("corpus: [{kind: books, paht: x}]"), HasSubstr("unknown key `paht`"));
  EXPECT_THAT(refusal("corpus: {kind: books}"), HasSubstr("it must be a list"));
  EXPECT_THAT(refusal("corpus: [{kind: wikipedia, path: x, lists: no}]"),
              HasSubstr("it must be keep or drop"));
}

TEST(Config, what_a_corpus_drops_is_in_the_resolved_file) {
  const Config c = read_config("", {"corpus=[{kind: wikipedia, path: x, lists: keep, stubs: drop}]"});
  EXPECT_EQ(c.corpus.front().drop_lists, false);
  EXPECT_EQ(c.corpus.front().drop_stubs, true);
  EXPECT_THAT(to_yaml(c), HasSubstr("corpus: [{kind: wikipedia, path: \"x\", stubs: drop}]\n"));
  EXPECT_EQ(read_config_text(to_yaml(c), "run.yaml").corpus, c.corpus);
}

}  // namespace
}  // namespace nystrom
