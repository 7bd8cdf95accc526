// `nystrom finetune` and `evaluate` as a user runs them, on a task of made-up texts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "finetune_run.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

TEST_F(Finetune, learns_a_task_keeps_the_best_and_predicts_in_order) {
  const Outcome outcome = run("$nystrom finetune c.yaml");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json found = results("run");
  EXPECT_GE(found["test"]["accuracy"], 0.9);
  EXPECT_EQ(found["accuracy"], found["test"]["accuracy"]);
  EXPECT_GT(found["best_step"], 0);
  EXPECT_EQ(found["model"], "drawn from the seed");
  EXPECT_EQ(losses("run").size(), 6 * 13U);
  std::istringstream predictions(read_bytes(folder_ / "run/predictions.tsv"));
  std::string line;
  std::getline(predictions, line);
  EXPECT_EQ(line, "id\tprediction\tlabel\tprobability:mesh\tprobability:metal");
  for (int row = 0; std::getline(predictions, line); ++row)
    EXPECT_TRUE(line.starts_with(std::to_string(row) + "\t"));
  const std::string page = read_bytes(folder_ / "run/report.html");
  for (const char* part : {"Confusion, test", "Classes, validation", "<figure id=\"evaluation-metric\">",
                           "The best accuracy, ", "<dd>done", "78 of 78"})
    EXPECT_THAT(page, HasSubstr(part));

  const Outcome again = run("$nystrom evaluate c.yaml");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(parse_json<Json>(again.out)["test"], found["test"]);
  EXPECT_EQ(parse_json<Json>(again.out)["steps"], found["best_step"]);

  write("data/train.tsv", "text\tlabel\none\ta\ntwo\tb\nsix\tc\n");
  const std::string next =
      "$nystrom finetune c.yaml --set model.from=run/checkpoints/best.h5 --set run.directory=next "
      "--set training.epochs=1 --set task.validation=train.tsv --set task.test=train.tsv";
  const Outcome refused = run(next);
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("a head for another number of labels"));
  EXPECT_EQ(run(next + " --set model.reinitialize_head=true").status, 0);
  EXPECT_EQ(results("next")["model"], "run/checkpoints/best.h5");
}

TEST_F(Finetune, check_reports_on_the_run_and_writes_nothing) {
  const Outcome done = run("$nystrom check c.yaml --json --steps 1");
  ASSERT_EQ(done.status, 0) << done.err;
  const Json json = parse_json<Json>(done.out);
  EXPECT_EQ(json["command"], "finetune");
  EXPECT_EQ(json["state"], "new");
  EXPECT_EQ(json["steps"], 6 * 13);
  EXPECT_EQ(json["epochs"], 6);
  EXPECT_GT(json["examples"]["train"], 0);
  EXPECT_GT(json["seconds_left"], 0);

  const Outcome grid = run("$nystrom check c.yaml --steps 0 --set 'grid={seed: [1, 2, 3]}'");
  ASSERT_EQ(grid.status, 0) << grid.err;
  EXPECT_THAT(grid.out, HasSubstr("3 runs, one after another; the figures are those of the first, seed=1"));
  const Outcome refused = run("$nystrom check c.yaml --set 'grid={model.heads: [2, 3]}'");
  EXPECT_EQ(refused.status, 2) << refused.out;
  EXPECT_THAT(refused.err, HasSubstr("model.heads"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

TEST_F(Finetune, starts_from_a_folder_whose_tokenizer_is_a_tokenizer_json) {
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\none\ntwo\nthree\nfour\nfive\nsix\nten\ntin\nnet\n");
  const Outcome first =
      run("$nystrom finetune c.yaml --set tokenizer.path=vocab.txt --set training.epochs=1 && "
          "$nystrom convert --from run/checkpoints/best.h5 --to folder");
  ASSERT_EQ(first.status, 0) << first.err;
  ASSERT_TRUE(std::filesystem::exists(folder_ / "folder/tokenizer.json"));
  const Outcome next = run(
      "$nystrom finetune c.yaml --set tokenizer.path= --set model.from=folder --set run.directory=next && "
      "$nystrom predict --model folder --input data/test.tsv");
  ASSERT_EQ(next.status, 0) << next.err;
  EXPECT_GE(results("next")["test"]["accuracy"], 0.9);
}

TEST_F(Finetune, fewer_layers_than_the_checkpoint_are_refused) {
  ASSERT_EQ(run("$nystrom finetune c.yaml --set training.epochs=1 --set model.layers=2").status, 0);
  const std::string next = "$nystrom finetune c.yaml --set training.epochs=1 --set run.directory=next ";
  const Outcome fewer = run(next + "--set model.from=run --set model.layers=1");
  EXPECT_EQ(fewer.status, 2);
  EXPECT_THAT(fewer.err, HasSubstr("`model.layers` is 1, but run has 2 layers"));
  const Outcome same = run(next + "--set model.from=run --set model.layers=2 --set training.steps=5");
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_THAT(same.err, HasSubstr("`finetune` does not use `training.steps`."));
  EXPECT_THAT(same.err, HasSubstr("run is a run directory; its checkpoint run/checkpoints/best.h5 is used."));
  EXPECT_EQ(results("next")["model"], "run/checkpoints/best.h5");
}

TEST_F(Finetune, two_ranks_and_other_micro_batches_learn_as_one_does) {
  ASSERT_EQ(run("$nystrom finetune c.yaml --set training.epochs=2").status, 0);
  const auto mpirun = std::string(
      "mpirun --allow-run-as-root --oversubscribe -n 2 $nystrom finetune c.yaml "
      "--set training.epochs=2 --set training.micro_batch=3 --set run.directory=two");
  const Outcome outcome = run(mpirun);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto one = losses("run"), two = losses("two");
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], two[i], 1e-4 * one[i]) << i;
  EXPECT_EQ(results("run")["test"], results("two")["test"]);
}

TEST_F(Finetune, profiled_steps_leave_a_trace_and_say_how_the_machine_is_used) {
  const Outcome outcome = run("$nystrom finetune c.yaml --set training.epochs=1 --set run.profile_steps=2-3");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/trace-2-3.json"));
  std::ifstream file(folder_ / "run/metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const Json object = parse_json<Json>(line);
    if (!object.contains("loss")) continue;
    const bool profiled = object["step"] == 2 || object["step"] == 3;
    ASSERT_EQ(object.contains("mfu"), profiled) << line;
    if (!profiled) continue;
    EXPECT_GT(object["mfu"].get<double>(), 0);
    EXPECT_LE(object["mfu"].get<double>(), object["share_of_bound"].get<double>() + 1e-6);
  }
}

TEST_F(Finetune, two_ranks_with_sharded_optimizer_state_end_with_the_same_bits) {
  const std::string mpirun =
      "mpirun --allow-run-as-root --oversubscribe -n 2 $nystrom finetune c.yaml --set training.epochs=2 ";
  const Outcome whole = run(mpirun + "--set run.directory=whole");
  ASSERT_EQ(whole.status, 0) << whole.err;
  const Outcome sharded = run(mpirun + "--set run.directory=sharded --set training.zero=true");
  ASSERT_EQ(sharded.status, 0) << sharded.err;
  EXPECT_EQ(losses("sharded"), losses("whole"));
  EXPECT_EQ(results("sharded")["test"], results("whole")["test"]);
  EXPECT_EQ(read_bytes(folder_ / "sharded/predictions.tsv"), read_bytes(folder_ / "whole/predictions.tsv"));
}

TEST_F(Finetune, a_stopped_run_resumes_to_the_same_weights) {
  // Long enough that the signal meets it under way.
  const std::string command = "$nystrom finetune c.yaml --set training.epochs=60";
  ASSERT_EQ(run(command).status, 0);
  const std::string again = command + " --set run.directory=again";
  const Outcome stopped =
      run(again +
          " & p=$!; until [ -f again/metrics.jsonl ] && "
          "[ $(wc -l < again/metrics.jsonl) -ge 20 ]; do sleep 0.01; done; kill -TERM $p; wait $p");
  ASSERT_EQ(stopped.status, 3) << stopped.err;
  ASSERT_LT(losses("again").size(), losses("run").size());
  ASSERT_EQ(run(again).status, 0);
  EXPECT_EQ(losses("again"), losses("run"));
  EXPECT_EQ(read_bytes(folder_ / "again/results.json"), read_bytes(folder_ / "run/results.json"));
  EXPECT_EQ(read_bytes(folder_ / "again/predictions.tsv"), read_bytes(folder_ / "run/predictions.tsv"));
}

/// The evaluated steps and their scores.
std::vector<Json> evaluations(const std::string& text) {
  std::vector<Json> found;
  for (const Json& one : parse_json<Json>(text)) found.push_back({one["step"], one["epoch"], one["scores"]});
  return found;
}

// An epoch has 13 steps: evaluations, the stop and the end are within epochs.
TEST_F(Finetune, steps_take_the_place_of_epochs_and_resume_to_the_same_weights) {
  const std::string command =
      "$nystrom finetune c.yaml --set training.steps=400 --set evaluation.every_steps=30";
  ASSERT_EQ(run(command).status, 0);
  EXPECT_EQ(losses("run").size(), 400U);
  const auto evaluated = evaluations(read_bytes(folder_ / "run/evaluations.json"));
  ASSERT_EQ(evaluated.size(), 14U);
  EXPECT_EQ(evaluated[0][0], 30);
  EXPECT_EQ(evaluated[0][1], 2);
  EXPECT_EQ(evaluated[12][0], 390);
  EXPECT_EQ(evaluated[13][0], 400);
  EXPECT_GE(results("run")["test"]["accuracy"], 0.9);
  EXPECT_THAT(read_bytes(folder_ / "run/config.yaml"), HasSubstr("\n  epochs: 0\n"));

  const std::string again = command + " --set run.directory=again";
  const Outcome stopped =
      run(again +
          " & p=$!; until [ -f again/metrics.jsonl ] && "
          "[ $(wc -l < again/metrics.jsonl) -ge 20 ]; do sleep 0.01; done; kill -TERM $p; wait $p");
  ASSERT_EQ(stopped.status, 3) << stopped.err;
  ASSERT_LT(losses("again").size(), losses("run").size());
  ASSERT_EQ(run("$nystrom finetune again/config.yaml").status, 0);
  EXPECT_EQ(losses("again"), losses("run"));
  EXPECT_EQ(evaluations(read_bytes(folder_ / "again/evaluations.json")), evaluated);
  EXPECT_EQ(read_bytes(folder_ / "again/results.json"), read_bytes(folder_ / "run/results.json"));
  EXPECT_EQ(read_bytes(folder_ / "again/predictions.tsv"), read_bytes(folder_ / "run/predictions.tsv"));

  const Outcome other = run(again + " --set evaluation.every_steps=31");
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("evaluation.every_steps (was 30, is 31)"));
}

TEST_F(Finetune, patience_counts_evaluations) {
  const Outcome outcome =
      run("$nystrom finetune c.yaml --set training.steps=2000 --set evaluation.every_steps=20 --set "
          "training.patience=2");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto evaluated = evaluations(read_bytes(folder_ / "run/evaluations.json"));
  EXPECT_LT(evaluated.size(), 50U);
  EXPECT_EQ(results("run")["best_step"], evaluated[evaluated.size() - 3][0]);
  EXPECT_THAT(run("$nystrom finetune run/config.yaml").err,
              HasSubstr("2 evaluations without a better accuracy"));
}

TEST_F(Finetune, a_grid_runs_every_point_once_and_tabulates_medians) {
  const std::string command =
      "$nystrom finetune c.yaml --set training.epochs=1 --set run.directory=grid "
      "--set 'grid={optimizer.learning_rate: [1.0e-3, 5.0e-3], seed: [1, 2]}'";
  const Outcome outcome = run(command);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string table = read_bytes(folder_ / "grid/grid.tsv");
  EXPECT_EQ(table, outcome.out);
  EXPECT_EQ(std::ranges::count(table, '\n'), 3);
  EXPECT_THAT(table, HasSubstr("learning_rate=5.0e-3\t2\t"));
  const Json one = results("grid/learning_rate=1.0e-3,seed=2");
  EXPECT_EQ(one["seed"], 2);
  EXPECT_THAT(outcome.err, HasSubstr("The best point by validation accuracy is"));
  EXPECT_THAT(read_bytes(folder_ / "grid/report.html"),
              ::testing::AllOf(HasSubstr("Grid of 2 points"), HasSubstr("<figure id=\"grid\">"),
                               HasSubstr("href=\"./learning_rate%3D1.0e-3%2Cseed%3D2/report.html\"")));

  // Started again: only what is missing is run, and to the same end.
  std::filesystem::remove_all(folder_ / "grid/learning_rate=1.0e-3,seed=2");
  const Outcome again = run(command);
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("learning_rate=5.0e-3,seed=2: already finished"));
  EXPECT_EQ(again.out, outcome.out);
  // A point of other values is not taken for a finished one.
  EXPECT_EQ(run(command + " --set training.epochs=2").status, 2);
}

TEST_F(Finetune, numbers_get_a_scatter_and_class_weights_change_what_is_learned) {
  std::string rows = "text\tlabel\n";
  for (int i = 0; i < 40; ++i)
    rows += (i % 2 == 0 ? "tin one\t0." : "net two\t1.") + std::to_string(i) + "\n";
  for (const char* file : {"data/train.tsv", "data/dev.tsv"}) write(file, rows);
  std::filesystem::remove(folder_ / "data/test.tsv");
  ASSERT_EQ(run("$nystrom finetune c.yaml --set task.kind=regression --set training.epochs=1").status, 0);
  EXPECT_THAT(read_bytes(folder_ / "run/report.html"), HasSubstr("Predictions, validation (x: target"));
  write("data/train.tsv", made_up_rows(1, 60));
  write("data/dev.tsv", made_up_rows(2, 20));
  ASSERT_EQ(run("$nystrom finetune c.yaml --set training.epochs=1 --set run.directory=a").status, 0);
  ASSERT_EQ(run("$nystrom finetune c.yaml --set training.epochs=1 --set run.directory=b --set "
                "task.class_weights=[1,9]")
                .status,
            0);
  EXPECT_NE(losses("a").back(), losses("b").back());
}

TEST_F(Finetune, a_model_of_another_shape_is_refused_naming_its_tensors) {
  ASSERT_EQ(run("$nystrom finetune c.yaml --set training.epochs=1").status, 0);
  const std::string next =
      "$nystrom finetune c.yaml --set run.directory=next --set model.from=run/checkpoints/best.h5";
  const Outcome wider = run(next + " --set model.hidden_size=64");
  EXPECT_EQ(wider.status, 2);
  EXPECT_THAT(wider.err, HasSubstr("encoder tensors of other shapes"));
  EXPECT_THAT(wider.err, HasSubstr("nystromformer.embeddings.word_embeddings.weight"));
  const Outcome deeper = run(next + " --set model.layers=2");
  EXPECT_EQ(deeper.status, 2);
  EXPECT_THAT(deeper.err, HasSubstr("lacks encoder tensors"));
  EXPECT_THAT(deeper.err, HasSubstr("nystromformer.encoder.layer.1."));
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\none\n");
  const Outcome foreign = run(next + " --set tokenizer.path=vocab.txt");
  EXPECT_EQ(foreign.status, 2);
  EXPECT_THAT(foreign.err, HasSubstr("vocab.txt is not the tokenizer of run/checkpoints/best.h5"));
}

TEST_F(Finetune, long_texts_are_truncated_and_counted) {
  const Outcome outcome =
      run("$nystrom finetune c.yaml --set training.epochs=1 --set data.sequence_length=8");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("sequences were truncated to 8 tokens"));
}

TEST_F(Finetune, leaderboard_files_are_packed_and_missing_ones_named) {
  std::filesystem::create_directories(folder_ / "runs/a/leaderboard");
  write("runs/a/leaderboard/RTE.tsv", "index\tprediction\n0\tentailment\n");
  const Outcome outcome = run("$source/launch/leaderboard.sh glue.zip runs/*");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("missing: AX.tsv"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "glue.zip"));
  EXPECT_EQ(run("$source/launch/leaderboard.sh glue.zip runs/*").status, 2);
}

TEST_F(Finetune, a_stopped_run_does_not_resume_with_other_examples) {
  const std::string command = "$nystrom finetune c.yaml --set training.epochs=9999 --set run.stop_after=1s";
  ASSERT_EQ(run(command).status, 3);
  write("data/train.tsv", made_up_rows(1, 201));
  const Outcome refused = run(command);
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("task.examples (was 200 rows"));
}

TEST_F(Finetune, the_last_epoch_is_kept_if_the_metric_is_undefined) {
  std::string rows = "text\tlabel\n";
  for (int i = 0; i < 40; ++i) rows += i % 2 == 0 ? "tin\t1\n" : "net\t2\n";
  write("data/train.tsv", rows);
  write("data/dev.tsv", "text\tlabel\ntin\t1\nnet\t1\n");
  write("data/test.tsv", "text\ntin\n");
  const Outcome outcome =
      run("$nystrom finetune c.yaml --set task.kind=regression --set training.epochs=3 --set "
          "training.patience=1");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("pearson was undefined after every epoch; the last epoch's weights are kept"));
  EXPECT_FALSE(results("run").contains("best_step"));
  EXPECT_EQ(losses("run").size(), 3 * 3U);  // and it does not run out of patience
}

TEST_F(Finetune, invalid_configurations_are_refused_before_anything_is_written) {
  const auto refusal = [&](const std::string& set) {
    const Outcome outcome = run("$nystrom finetune c.yaml --set run.directory=no " + set);
    EXPECT_EQ(outcome.status, 2) << set;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "no")) << set;
    return outcome.err;
  };
  EXPECT_THAT(refusal("--set task.kind=lra"), HasSubstr("`task.name` is missing"));
  EXPECT_THAT(refusal("--set task.columns.text=review"), HasSubstr("no column `review`"));
  EXPECT_THAT(refusal("--set task.metric=bleu"), HasSubstr("task.metric"));
  EXPECT_THAT(refusal("--set task.labels=[metal]"), HasSubstr("is not a known label"));
  EXPECT_THAT(refusal("--set model.vocabulary_size=20"), HasSubstr("tokenizer"));
  EXPECT_THAT(refusal("--set tokenizer.path=c.yaml"), HasSubstr("c.yaml"));
}

}  // namespace
}  // namespace nystrom
