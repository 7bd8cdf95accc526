// The built program as a script sees it: exit statuses, sentences, what a run leaves behind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "launch/program_case.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using testing::expect_refused;
using ::testing::HasSubstr;
using testing::last_line;
using testing::Outcome;
using testing::Program;
using testing::read_bytes;
using ::testing::StartsWith;

TEST_F(Program, pretraining_leaves_what_the_contract_names) {
  for (const char* name : {"run/metrics.jsonl", "run/config.yaml", "run/checkpoints/step-00000002.h5",
                           "run/checkpoints/step-00000004.h5"})
    EXPECT_TRUE(std::filesystem::exists(*folder_ / name)) << name;
  EXPECT_THAT(yaml_of_run(), HasSubstr("sequence_length: 32"));
  EXPECT_EQ(std::ranges::count(read_bytes(*folder_ / "run/metrics.jsonl"), '\n'), 4 + 2);
}

TEST_F(Program, a_run_has_a_report_which_can_be_rewritten_and_compared) {
  const std::string page = read_bytes(*folder_ / "run/report.html");
  EXPECT_THAT(page,
              AllOf(HasSubstr("<dd>done"), HasSubstr("4 of 4"), HasSubstr("<figure id=\"curve-mlm-loss\">"),
                    HasSubstr("step-00000004.h5"), HasSubstr("nystrom pretrain run.yaml")));
  const Outcome one = run("$nystrom report run --output one.html");
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_EQ(one.out, "one.html\n");
  EXPECT_EQ(read_bytes(*folder_ / "one.html"), page);
  ASSERT_EQ(run("$nystrom pretrain run.yaml --set run.directory=seed-2 --set seed=2").status, 0);
  const Outcome two = run("$nystrom report run seed-2");
  EXPECT_EQ(two.status, 0) << two.err;
  EXPECT_THAT(read_bytes(*folder_ / "report.html"),
              AllOf(HasSubstr("2 runs compared"), HasSubstr("<code>seed</code></td><td>1</td><td>2</td>")));
  EXPECT_EQ(run("$nystrom report . --output all.html").status, 0);
  EXPECT_THAT(read_bytes(*folder_ / "all.html"), HasSubstr("runs compared"));
  EXPECT_EQ(run("$nystrom report run seed-2 --curve loss --output loss.svg").status, 0);
  EXPECT_THAT(read_bytes(*folder_ / "loss.svg"),
              AllOf(StartsWith("<svg xmlns"), HasSubstr(">seed-2</text>")));
  expect_refused(run("$nystrom report run --curve loss"), "`--curve` needs `--output FILE.svg`");
  expect_refused(run("$nystrom report absent"), "absent does not exist");
  std::filesystem::create_directory(*folder_ / "empty");
  expect_refused(run("$nystrom report empty"), "empty is not a run directory");
  expect_refused(run("$nystrom report run --set seed=1"), "does not take `--set`");
}

TEST_F(Program, a_run_is_watched_in_the_terminal) {
  const Outcome one = run("$nystrom watch run --terminal");
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(one.out, AllOf(HasSubstr("done"), HasSubstr("4 of 4"), HasSubstr("step-00000004.h5")));
  EXPECT_THAT(run("$nystrom watch . --terminal").out, HasSubstr("run"));
  expect_refused(run("$nystrom watch absent"), "absent is not a directory");
  expect_refused(run("$nystrom watch run --port 70000"), "ports are from 0");
}

// Asked by bash itself, so that nothing normalizes the paths.
TEST_F(Program, a_run_is_watched_in_a_browser) {
  const Outcome served = run(R"sh(
    $nystrom watch run --port 0 >served.txt 2>refused.txt & server=$!
    for i in $(seq 200); do grep -qs built refused.txt && exit 77; grep -q http served.txt && break; sleep 0.1; done
    port=$(sed -n 's#http://127.0.0.1:\([0-9]*\)/.*#\1#p' served.txt)
    ask() {
      timeout 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0
        printf "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" "$1" "$2" "$3" >&3; cat <&3' "$port" "$@"
    }
    ask GET / localhost >page.txt; ask GET /content "localhost:$port" >content.txt; ask GET /watch.js 127.0.0.1 >script.txt
    for path in /metrics.jsonl /run/.. /run/..%2f.. /../../../../etc/passwd /run/run; do ask GET $path localhost; done >others.txt
    ask POST / localhost >post.txt; ask GET / evil.example >evil.txt
    kill -TERM $server; wait $server)sh");
  if (served.status == 77) GTEST_SKIP() << "skipped: the program was built without cpp-httplib.";
  EXPECT_EQ(served.status, 0) << read_bytes(*folder_ / "refused.txt") << served.err;
  EXPECT_THAT(read_bytes(*folder_ / "page.txt"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Security-Policy: default-src 'none'"),
                    HasSubstr("nosniff"), HasSubstr("data-source=\"/content\"")));
  EXPECT_THAT(read_bytes(*folder_ / "content.txt"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("curve-mlm-loss")));
  EXPECT_THAT(read_bytes(*folder_ / "script.txt"), HasSubstr("\"use strict\""));
  const std::string others = read_bytes(*folder_ / "others.txt");
  EXPECT_THAT(others, HasSubstr("HTTP/1.1 404"));
  EXPECT_EQ(others.find("HTTP/1.1 200"), std::string::npos) << others;
  EXPECT_EQ(others.find("root:"), std::string::npos) << others;
  EXPECT_THAT(read_bytes(*folder_ / "post.txt"), StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(read_bytes(*folder_ / "evil.txt"), StartsWith("HTTP/1.1 403"));
}

TEST_F(Program, a_report_can_be_left_out_and_its_failure_stops_no_run) {
  ASSERT_EQ(run("$nystrom pretrain run.yaml --set run.directory=quiet --set run.report=false").status, 0);
  EXPECT_FALSE(std::filesystem::exists(*folder_ / "quiet/report.html"));
  std::filesystem::create_directories(*folder_ / "blocked/report.html/x");  // nothing can take its name
  const Outcome blocked = run("$nystrom pretrain run.yaml --set run.directory=blocked");
  EXPECT_EQ(blocked.status, 0) << blocked.err;
  const std::string sentence = "The run continues without its report.";
  const std::size_t first = blocked.err.find(sentence);
  ASSERT_NE(first, std::string::npos) << blocked.err;
  EXPECT_EQ(blocked.err.find(sentence, first + 1), std::string::npos) << blocked.err;
}

TEST_F(Program, evaluation_ends_with_one_line_of_json) {
  const Outcome done = run("$nystrom evaluate run.yaml");
  EXPECT_EQ(done.status, 0) << done.err;
  const std::string last = done.out.substr(done.out.rfind('\n', done.out.size() - 2) + 1);
  for (const char* key :
       {"mlm_loss", "mlm_accuracy", "mlm_perplexity", "sop_loss", "sop_accuracy", "unigram_entropy"})
    EXPECT_THAT(last, AllOf(StartsWith("{"), HasSubstr(fmt::format("\"{}\":", key))));
}

TEST_F(Program, evaluation_does_not_depend_on_the_micro_batch) {
  const auto loss = [](int micro_batch) {
    const std::string out =
        run(fmt::format("$nystrom evaluate run.yaml --set training.micro_batch={}", micro_batch)).out;
    const std::string key = "\"mlm_loss\":";
    return std::stod(out.substr(out.find(key) + key.size()));
  };
  EXPECT_NEAR(loss(1), loss(4), 1e-5);
}

TEST_F(Program, pretraining_starts_from_a_checkpoint_with_or_without_sentence_order) {
  const Outcome without =
      run("$nystrom pretrain run.yaml --set run.directory=mlm --set objective.sop_weight=0 --set "
          "model.from=run/checkpoints/step-00000004.h5");
  EXPECT_EQ(without.status, 0) << without.err;
  EXPECT_THAT(without.err, AllOf(HasSubstr("cls.seq_relationship.bias"), HasSubstr("Unused tensors of")));
  const std::string from = " --set model.from=mlm/checkpoints/step-00000004.h5";
  const Outcome with = run("$nystrom pretrain run.yaml --set run.directory=both" + from);
  EXPECT_EQ(with.status, 0) << with.err;
  EXPECT_THAT(with.err, AllOf(HasSubstr("cls.seq_relationship.bias"), HasSubstr("are initialized randomly")));
  const Outcome evaluated = run("$nystrom evaluate run.yaml" + from);
  EXPECT_EQ(evaluated.status, 0) << evaluated.err;
  expect_refused(
      run("$nystrom pretrain run.yaml --set run.directory=no --set model.intermediate_size=48" + from),
      "intermediate.dense.weight");
}

TEST_F(Program, shards_are_those_of_the_output_by_default) {
  const Outcome own =
      run("sed 's/^data: .*/data: {sequence_length: 32}/' run.yaml > own.yaml; "
          "$nystrom pretrain own.yaml --set run.directory=own");
  ASSERT_EQ(own.status, 0) << own.err;
  EXPECT_THAT(own.err, AllOf(HasSubstr("Training shards: prepared/train, 1 shard, "),
                             HasSubstr("corpora: lines (a.txt)."),
                             HasSubstr("Validation shards: prepared/validation, 1 shard, ")));
  // The same run as with the patterns written out: either resumes the other.
  EXPECT_THAT(run("$nystrom pretrain run.yaml --set run.directory=own").err, HasSubstr("was done before"));
  EXPECT_EQ(run("$nystrom pretrain own/config.yaml").status, 0);
  EXPECT_EQ(run("$nystrom evaluate own.yaml --set run.directory=own").status, 0);

  const Outcome other =
      run("$nystrom pretrain run.yaml --set run.directory=own --set output.directory=elsewhere");
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_THAT(other.err, AllOf(HasSubstr("`data.shards` names prepared/train/00000.h5, outside of "
                                         "`output.directory` (elsewhere)"),
                               HasSubstr("`data.validation` names prepared/validation/00000.h5")));
  EXPECT_EQ(own.err.find("outside of"), std::string::npos);
  expect_refused(run("$nystrom pretrain own.yaml --set run.directory=no --set output.directory=elsewhere"),
                 "elsewhere has no training shards; run `nystrom prepare` first");

  const Outcome all =
      run("$nystrom prepare own.yaml --set 'output={directory: \"all [1]\", validation_fraction: 0}' && "
          "$nystrom pretrain own.yaml --set 'output.directory=all [1]' --set run.directory=all-run");
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_THAT(all.err, AllOf(HasSubstr("Training shards: all [1]/train"),
                             ::testing::Not(HasSubstr("Validation shards"))));
}

TEST_F(Program, a_refused_start_does_not_bind_its_directory) {
  expect_refused(
      run("$nystrom pretrain run.yaml --set run.directory=poisoned --set 'data.mixture={wrong: 1}'"),
      "wrong");
  EXPECT_FALSE(std::filesystem::exists(*folder_ / "poisoned/config.yaml"));
  const Outcome corrected = run("$nystrom pretrain run.yaml --set run.directory=poisoned");
  EXPECT_EQ(corrected.status, 0) << corrected.err;
}

TEST_F(Program, a_run_directory_is_a_model_and_a_tokenizer) {
  const Outcome converted = run("$nystrom convert --from run --to of-run");
  EXPECT_EQ(converted.status, 0) << converted.err;
  EXPECT_THAT(converted.out,
              HasSubstr("run is a run directory; its checkpoint run/checkpoints/step-00000004.h5 is used."));
  const Outcome warm = run("$nystrom pretrain run.yaml --set run.directory=warm --set model.from=run");
  EXPECT_EQ(warm.status, 0) << warm.err;
  const std::string next = "nystrom evaluate warm/config.yaml --set model.from=warm";
  EXPECT_THAT(warm.err, HasSubstr(next + "\n"));
  const Outcome own = run("$" + next), start = run("$nystrom evaluate warm/config.yaml");
  EXPECT_EQ(last_line(own)["model"], "warm") << own.err;
  EXPECT_THAT(own.err, Not(HasSubstr("started from")));
  EXPECT_EQ(last_line(start)["model"], "run") << start.err;
  EXPECT_THAT(start.err, HasSubstr("which the run in warm started from. `--set model.from=warm` evaluates"));
  const Outcome filled =
      run("echo 'The river <mask> stone.' | $nystrom predict --model run --input - --top 1");
  EXPECT_EQ(filled.status, 0) << filled.err;
  for (const char* tokenizer : {"run", "of-run", "run/checkpoints/step-00000004.h5", "prepared"}) {
    const Outcome made =
        run(fmt::format("rm -rf retold; $nystrom prepare run.yaml --set output.directory=retold "
                        "--set tokenizer.path={} && cmp retold/tokenizer.model "
                        "prepared/tokenizer.model",
                        tokenizer));
    EXPECT_EQ(made.status, 0) << tokenizer << ": " << made.out << made.err;
  }
  expect_refused(run("$nystrom convert --from nowhere --to x"), "nowhere does not exist.");
  run("mkdir -p unsaved/checkpoints");
  expect_refused(run("$nystrom convert --from unsaved --to x"),
                 "unsaved is a run directory without a checkpoint.");
  expect_refused(run("$nystrom prepare run.yaml --set output.directory=no --set tokenizer.path=unsaved"),
                 "unsaved is a run directory without a checkpoint.");
}

TEST_F(Program, a_finished_run_reports_that_nothing_is_left_to_do) {
  const Outcome again = run("cp -r run done; $nystrom pretrain run.yaml --set run.directory=done");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err,
              AllOf(HasSubstr("The run of 4 steps was done before; there is nothing to train. Its model is "
                              "done/checkpoints/step-00000004.h5."),
                    ::testing::Not(HasSubstr("steps 5 to 4"))));
}

TEST_F(Program, bench_measures_the_vocabulary_of_the_configuration) {
  const std::string bench =
      "sed 's/^data: .*/data: {sequence_length: 32}/' run.yaml > own.yaml; $nystrom bench own.yaml --steps 1 ";
  const auto parameters = [&](const std::string& set) { return std::stoll(run(bench + set).out); };
  const std::int64_t of_the_run = parameters("--set model.from=run");
  EXPECT_EQ(parameters(""), of_the_run) << "the vocabulary of the shards";
  const std::int64_t of_tokenizer =
      parameters("--set output.directory= --set tokenizer.vocabulary_size=1000");
  EXPECT_GT(of_tokenizer, of_the_run + std::int64_t{16} * 800);
  EXPECT_LT(of_tokenizer, of_the_run + std::int64_t{18} * 1000);
}

TEST_F(Program, predict_refuses_keys_that_it_would_ignore) {
  const std::string predict = "echo 'The <mask>.' | $nystrom predict --model run --input - ";
  expect_refused(run(predict + "--set training.steps=5"),
                 "`--set training.steps` is not used by `--task fill_mask`");
  expect_refused(run(predict + "--set data.sequence_length=8"), "`--set data.sequence_length` is not used");
  EXPECT_EQ(run(predict + "--set run.threads=1 --set training.precision=fp32").status, 0);
}

TEST_F(Program, keys_and_values_that_cannot_be_are_refused) {
  expect_refused(run("$nystrom pretrain run.yaml --set model.layer=2"), "did you mean `model.layers`?");
  expect_refused(run("$nystrom pretrain run.yaml --set training.steps=many"), "`training.steps` is many");
  expect_refused(run("$nystrom pretrain run.yaml --set data.sequence_length=64"),
                 "`model.max_positions` is 32");
  expect_refused(run("$nystrom pretrain run.yaml --set model.vocabulary_size=50"),
                 "`model.vocabulary_size` is 50");
  expect_refused(run("$nystrom pretrain run.yaml --set data.shards=none/*.h5"), "none/*.h5");
  expect_refused(run("$nystrom pretrain run.yaml --set model.heads=3"), "model.heads");
  expect_refused(run("$nystrom pretrain run.yaml --set training.backend=cuda"), "training.backend");
  expect_refused(run("$nystrom pretrain run.yaml --set run.directory="), "run.directory");
  expect_refused(run("$nystrom pretrain run.yaml --set model.from=nothing-here"), "nothing-here");
}

TEST_F(Program, a_run_directory_of_another_configuration_is_refused_and_stays_as_it_is) {
  const std::string before = yaml_of_run();
  expect_refused(run("$nystrom pretrain run.yaml --set optimizer.learning_rate=0.5"),
                 "optimizer.learning_rate");
  expect_refused(run("$nystrom pretrain run.yaml --resume never"), "run");
  EXPECT_EQ(yaml_of_run(), before);
}

TEST_F(Program, shards_of_another_tokenizer_are_refused) {
  const Outcome other =
      run("$nystrom prepare run.yaml --set corpus='[{kind: lines, path: b.txt}]' --set "
          "output.directory=other --set tokenizer.vocabulary_size=90");
  ASSERT_EQ(other.status, 0) << other.err;
  expect_refused(run("$nystrom pretrain run.yaml --set run.directory=new --set "
                     "data.shards='[prepared/train/*.h5, other/train/*.h5]'"),
                 "tokenizer");
  expect_refused(
      run("$nystrom pretrain run.yaml --set run.directory=new --set tokenizer.path=other/tokenizer.model"),
      "other/tokenizer.model");
  EXPECT_FALSE(std::filesystem::exists(*folder_ / "new"));
}

TEST_F(Program, a_corrupt_shard_is_named) {
  run("cp -r prepared damaged && truncate -s -100 damaged/train/00000.h5");
  expect_refused(
      run("$nystrom pretrain run.yaml --set run.directory=new --set data.shards=damaged/train/*.h5"),
      "damaged/train/00000.h5");
  expect_refused(run("$nystrom inspect damaged/train/00000.h5"), "damaged/train/00000.h5");
}

TEST_F(Program, a_corrupt_checkpoint_is_named_and_the_previous_one_used) {
  run("cp -r run hurt && printf x | dd of=hurt/checkpoints/step-00000004.h5 bs=1 seek=3000 conv=notrunc");
  expect_refused(run("$nystrom inspect hurt/checkpoints/step-00000004.h5"), "step-00000004.h5");
  const Outcome done = run("$nystrom pretrain run.yaml --set run.directory=hurt");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.err,
              AllOf(HasSubstr("warning"), HasSubstr("step-00000004.h5"), HasSubstr("step-00000002.h5")));
  EXPECT_EQ(std::ranges::count(read_bytes(*folder_ / "hurt/metrics.jsonl"), '\n'), 4 + 2);
}

TEST_F(Program, a_run_directory_that_cannot_be_is_named) {
  const Outcome outcome = run("$nystrom pretrain run.yaml --set run.directory=a.txt/run");
  EXPECT_THAT(outcome.status, ::testing::AnyOf(1, 2));
  EXPECT_THAT(outcome.err, HasSubstr("a.txt/run"));
}

TEST_F(Program, inspect_recognizes_every_kind_of_file) {
  const std::pair<const char*, const char*> cases[] = {{"prepared/train/00000.h5", "nystrom shard"},
                                                       {"prepared/tokenizer.model", "tokenizer"},
                                                       {"prepared", "prepared text"},
                                                       {"run", "run directory"},
                                                       {"run/checkpoints/step-00000004.h5", "checkpoint"}};
  for (const auto& [path, kind] : cases) {
    const Outcome shown = run(fmt::format("$nystrom inspect {}", path));
    EXPECT_EQ(shown.status, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr(kind));
  }
  expect_refused(run("$nystrom inspect a.txt"), "a.txt is not a shard");
  expect_refused(run("$nystrom inspect nowhere"), "nowhere");
}

TEST_F(Program, ends_with_a_summary_of_what_was_made_and_what_to_do_next) {
  const Outcome prepared = run("$nystrom prepare run.yaml --json --set output.directory=summed");
  ASSERT_EQ(prepared.status, 0) << prepared.err;
  EXPECT_THAT(prepared.out,
              AllOf(HasSubstr("\nreport      summed/report.html\n"),
                    HasSubstr("\nnext        nystrom inspect summed\n"),
                    HasSubstr("            nystrom pretrain run.yaml --set output.directory=summed\n")));
  const std::string page = read_bytes(*folder_ / "summed/report.html");
  EXPECT_THAT(page, AllOf(HasSubstr("Tokens by source"), HasSubstr("tokens a word"),
                          HasSubstr("<p class=\"passage\">"), HasSubstr("Most frequent pieces")));
  EXPECT_EQ(run("$nystrom report summed").status, 0);
  EXPECT_EQ(read_bytes(*folder_ / "summed/report.html"), page);
  EXPECT_GT(last_line(prepared)["train"]["tokens"], 0);
  EXPECT_EQ(last_line(prepared)["manifest"], "summed/manifest.json");

  const Outcome trained = run("$nystrom pretrain run.yaml --set run.directory=summed-run");
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.err,
              AllOf(HasSubstr("Done: 4 steps in "), HasSubstr("\n  best validation  loss "),
                    HasSubstr("(mlm perplexity "), HasSubstr("nystrom evaluate summed-run/config.yaml\n"),
                    HasSubstr("nystrom convert --from summed-run --to MODEL\n")));
}

TEST_F(Program, inspect_shows_a_run_on_a_screen) {
  const Outcome shown = run("$nystrom inspect run");
  EXPECT_THAT(shown.out, AllOf(HasSubstr("run directory; done\n"), HasSubstr("4 of 4 (100 %)"),
                               HasSubstr("validation "), HasSubstr("run/checkpoints/step-00000004.h5")));
  EXPECT_LE(std::ranges::count(shown.out, '\n'), 24) << shown.out;
  EXPECT_THAT(run("$nystrom inspect run --configuration").out, HasSubstr("\nconfiguration of the run:\n"));
  const Outcome stopped =
      run("$nystrom pretrain run.yaml --set run.directory=halted --set training.steps=100000 --set "
          "run.stop_after=1s; $nystrom inspect halted --json");
  EXPECT_EQ(last_line(stopped)["state"], "stopped") << stopped.out << stopped.err;
  EXPECT_EQ(last_line(stopped)["steps"], 100000);
  EXPECT_GT(last_line(stopped)["seconds_left"], 0);
}

TEST_F(Program, inspect_and_doctor_print_json) {
  const std::pair<const char*, const char*> kinds[] = {{"prepared/train/00000.h5", "shard"},
                                                       {"prepared/tokenizer.model", "tokenizer"},
                                                       {"prepared", "prepared"},
                                                       {"run", "run"},
                                                       {"run/checkpoints/step-00000004.h5", "checkpoint"}};
  for (const auto& [path, kind] : kinds) {
    const Outcome shown = run(fmt::format("$nystrom inspect {} --json", path));
    ASSERT_EQ(shown.status, 0) << shown.err;
    EXPECT_EQ(std::ranges::count(shown.out, '\n'), 1) << shown.out;
    EXPECT_EQ(last_line(shown)["kind"], kind);
  }
  const nlohmann::json run_json = last_line(run("$nystrom inspect run --json"));
  EXPECT_EQ(run_json["step"], 4);
  EXPECT_EQ(run_json["best_validation"]["step"].get<int>() % 2, 0);
  EXPECT_EQ(run_json["checkpoint"]["model"]["hidden_size"], 16);
  EXPECT_EQ(last_line(run("$nystrom inspect --verify run --json"))["valid"], true);
  const Outcome doctor = run("$nystrom doctor --json");
  ASSERT_EQ(doctor.status, 0) << doctor.err;
  EXPECT_EQ(std::ranges::count(doctor.out, '\n'), 1) << doctor.out;
  EXPECT_EQ(last_line(doctor)["folder"]["writable"], true);
  EXPECT_GT(last_line(doctor)["measured"]["fp32_gflops"], 0);
}

TEST_F(Program, reports_go_to_a_command_and_to_a_metrics_file) {
  const Outcome done =
      run("$nystrom pretrain run.yaml --set run.directory=told --set 'run.on_report=cat > told.jsonl' --set "
          "run.metrics_file=told.prom");
  ASSERT_EQ(done.status, 0) << done.err;
  const std::string lines = read_bytes(*folder_ / "told.jsonl");
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1 + 4 + 2 + 2 + 1) << lines;
  const nlohmann::json start = parse_json<nlohmann::json>(lines.substr(0, lines.find('\n')));
  EXPECT_EQ(start["event"], "start");
  EXPECT_EQ(start["run"], "told");
  EXPECT_EQ(start["configuration"]["model.hidden_size"], 16);
  EXPECT_TRUE(lines.ends_with("{\"event\": \"end\", \"reason\": \"done\"}\n")) << lines;
  EXPECT_THAT(read_bytes(*folder_ / "told.prom"), AllOf(HasSubstr("nystrom_step{run=\"told\"} 4\n"),
                                                        HasSubstr("nystrom_running{run=\"told\"} 0\n")));
  expect_refused(run("$nystrom pretrain run.yaml --set run.directory=told --set run.metrics_file=told.txt"),
                 "must end in .prom");
  // Neither a start that is refused nor one that has nothing to do starts the command; a check does not
  // either.
  run("rm told.jsonl");
  expect_refused(
      run("$nystrom pretrain run.yaml --set run.directory=told --set seed=2 --set 'run.on_report=touch "
          "told.jsonl'"),
      "seed");
  EXPECT_EQ(run("$nystrom pretrain run.yaml --set run.directory=told --set 'run.on_report=touch told.jsonl'")
                .status,
            0);
  EXPECT_EQ(
      run("$nystrom check run.yaml --set run.directory=untold --set 'run.on_report=touch told.jsonl'").status,
      0);
  EXPECT_FALSE(std::filesystem::exists(*folder_ / "told.jsonl"));
}

TEST_F(Program, two_ranks_print_one_sentence_and_hand_on_the_status) {
  const Outcome outcome =
      run("OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -n 2 --oversubscribe --bind-to "
          "none $nystrom pretrain run.yaml --set model.layer=2");
  EXPECT_EQ(outcome.status, 2) << outcome.err;
  const std::string sentence = "nystrom: --set model.layer=2";
  const auto first = outcome.err.find(sentence);
  ASSERT_NE(first, std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find(sentence, first + 1), std::string::npos) << outcome.err;
}

TEST_F(Program, a_checkpoint_of_resume_that_cannot_be_expanded_is_refused_in_a_sentence_of_its_option) {
  for (const char* command : {"pretrain run.yaml", "finetune run.yaml", "check run.yaml"}) {
    const std::string called = fmt::format("$nystrom {} --resume ", command);
    expect_refused(
        run(called + "'${NO_SUCH_VARIABLE}/a.h5'"),
        "nystrom: `--resume` (${NO_SUCH_VARIABLE}/a.h5) names ${NO_SUCH_VARIABLE}, which is not set in the "
        "environment.");
    expect_refused(run(called + "'${HOME/a.h5'"), "nystrom: `--resume` (${HOME/a.h5) has ${ without }.");
  }
}

TEST_F(Program, a_checkpoint_records_which_program_and_command_wrote_it) {
  const Outcome shown = run("$nystrom inspect run/checkpoints/step-00000004.h5");
  EXPECT_THAT(shown.out, HasSubstr("pretrain run.yaml ("));
  EXPECT_THAT(shown.out, HasSubstr("written by"));
  const Outcome converted = run(
      "$nystrom convert --from run --to written.h5 && $nystrom convert --from written.h5 --to twice.h5 && "
      "$nystrom inspect twice.h5 && $nystrom convert --from twice.h5 --to written && cat written/README.md");
  EXPECT_EQ(converted.status, 0) << converted.err;
  EXPECT_THAT(converted.out, AllOf(HasSubstr("convert --from written.h5 --to twice.h5 ("),
                                   ::testing::ContainsRegex("\\| nystrom \\| [0-9]+\\.[0-9]+\\.[0-9]+")));
}

TEST_F(Program, bench_ends_with_the_json_of_the_contract) {
  const Outcome done = run("$nystrom bench run.yaml --set training.steps=500000 --json");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("The run of 500000 steps"), HasSubstr("H100 SXM")));
  const std::string last = done.out.substr(done.out.rfind('\n', done.out.size() - 2) + 1);
  for (const char* key :
       {"tokens_per_second", "milliseconds_per_step", "peak_memory_bytes", "share_of_bound", "parts"})
    EXPECT_THAT(last, AllOf(StartsWith("{"), HasSubstr(fmt::format("\"{}\":", key))));
}

TEST_F(Program, bench_measures_the_optimizer_of_the_configuration) {
  const Outcome done = run("$nystrom bench run.yaml --steps 1 --set optimizer.kind=muon --json");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("\"muon_step\":"), HasSubstr("\"optimizer\":\"muon\"")));
}

}  // namespace
}  // namespace nystrom
