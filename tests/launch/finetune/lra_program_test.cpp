// The Long Range Arena as a user meets it: data are generated, trained on, evaluated, prepared and put into a
// table.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "kernels/core/json.h"
#include "program.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::read_bytes;

constexpr const char* kConfig = R"(
run: {directory: run, threads: 1}
task: {kind: lra, name: listops, path: data}
model: {hidden_size: 32, layers: 1, heads: 2, intermediate_size: 64, dropout: 0,
        attention: {landmarks: 4, convolution: 3}}
data: {sequence_length: 8}
training: {epochs: 12, global_batch: 16, precision: fp32}
optimizer: {learning_rate: 5.0e-3}
schedule: {warmup_share: 0.1}
)";

class LraProgram : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(folder_ / "c.yaml") << kConfig; }
  [[nodiscard]] Outcome run(const std::string& command) const { return testing::run_in(folder_, command); }
  [[nodiscard]] Json results(const std::string& directory) const {
    return parse_json<Json>(read_bytes(folder_ / (directory + "/results.json")));
  }
  /// Lists of two or three digits.
  void generate() const {
    const Outcome made =
        run("$nystrom lra generate listops --out data --depth 2 --arguments 3 --longer-than 1 "
            "--shorter-than 6 --train 600 --validation 50 --test 101");
    ASSERT_EQ(made.status, 0) << made.err;
    EXPECT_THAT(
        made.out,
        HasSubstr("data/listops: 600 training, 50 validation and 101 test examples of 2 to 5 tokens"));
  }

  testing::TemporaryFolder folder_;
};

TEST_F(LraProgram, listops_is_learned_evaluated_and_tabulated) {
  generate();
  const Outcome outcome = run("$nystrom finetune c.yaml");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json found = results("run");
  EXPECT_EQ(found["task"], "LRA ListOps");
  EXPECT_GE(found["test"]["accuracy"], 0.4);  // the most frequent class has 0.2
  EXPECT_THAT(found["data"].get<std::string>(),
              HasSubstr("data/listops/basic_{train,val,test}.tsv; brackets: keep; train: "
                        "600 examples, SHA-256 "));
  EXPECT_EQ(std::ranges::count(read_bytes(folder_ / "run/predictions.tsv"), '\n'), 102);

  const Outcome again = run("$nystrom evaluate c.yaml");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(parse_json<Json>(again.out)["test"], found["test"]);
  EXPECT_EQ(parse_json<Json>(again.out)["validation"], found["validation"]);

  const Outcome table =
      run("$nystrom table run && $nystrom table run --format csv --output t.csv && "
          "$nystrom table run --format html --output t.html");
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("| attention | LRA ListOps |"));
  EXPECT_THAT(table.out, HasSubstr(fmt::format("| nystrom 4, convolution 3 | {:.1f} ± ",
                                               100 * found["test"]["accuracy"].get<double>())));
  EXPECT_THAT(read_bytes(folder_ / "t.csv"), HasSubstr("\nrun,LRA ListOps,"));
  EXPECT_THAT(read_bytes(folder_ / "t.html"), HasSubstr("<h2>Results</h2>"));

  const Outcome predicted = run("echo 1 | $nystrom predict --model run --input - ");
  EXPECT_EQ(predicted.status, 2);
  EXPECT_THAT(predicted.err, HasSubstr("was trained on the Long Range Arena"));
}

TEST_F(LraProgram, the_prepared_file_and_two_ranks_give_what_the_official_files_give) {
  generate();
  const Outcome first = run("$nystrom finetune c.yaml --set training.epochs=2");
  ASSERT_EQ(first.status, 0) << first.err;
  const std::string check = "$nystrom check c.yaml --command prepare --set output.directory=prepared";
  const Outcome checked = run(check);
  ASSERT_EQ(checked.status, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("`nystrom prepare` would write prepared/listops.h5.\n"));
  EXPECT_THAT(checked.out, HasSubstr("data/listops/basic_{train,val,test}.tsv"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "prepared"));
  const Outcome prepared = run("$nystrom prepare c.yaml --set output.directory=prepared");
  ASSERT_EQ(prepared.status, 0) << prepared.err;
  EXPECT_EQ(prepared.out, "prepared/listops.h5\n");
  const Outcome next =
      run("$nystrom finetune c.yaml --set training.epochs=2 --set task.path=prepared --set run.directory=b");
  ASSERT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(read_bytes(folder_ / "b/predictions.tsv"), read_bytes(folder_ / "run/predictions.tsv"));
  const Outcome ranks =
      run("mpirun --allow-run-as-root --oversubscribe -n 2 $nystrom finetune c.yaml --set training.epochs=2 "
          "--set run.directory=c");
  ASSERT_EQ(ranks.status, 0) << ranks.err;
  EXPECT_NEAR(results("c")["test"]["accuracy"].get<double>(),
              results("run")["test"]["accuracy"].get<double>(), 0.03);
  const Outcome twice = run("$nystrom prepare c.yaml --set output.directory=prepared");
  EXPECT_EQ(twice.status, 2);
  EXPECT_THAT(twice.err, HasSubstr("prepared/listops.h5 exists; remove it"));
  EXPECT_EQ(run(check).status, 2);
  EXPECT_EQ(run(check).err, twice.err);
  EXPECT_THAT(run("$nystrom check c.yaml --command prepare").err, HasSubstr("`output.directory`"));
}

/// `count` pictures of 16 pixels, 4 x 4 or of other rows, of which one is not black: in the upper half (class
/// 0) or the lower. And their labels.
std::pair<std::string, std::string> one_lit_pixel(unsigned char count, char width = '\4') {
  const std::string magic{'\0', '\0', '\x08'}, zeros(3, '\0');
  const char height = static_cast<char>(16 / width);
  std::string pictures = magic + '\3' + zeros + static_cast<char>(count) + zeros + height + zeros + width;
  std::string labels = magic + '\1' + zeros + static_cast<char>(count);
  for (unsigned char i = 0; i < count; ++i) {
    const std::size_t pixel = i % 16U;
    std::string picture(16, '\0');
    picture[pixel] = '\x50';
    pictures += picture;
    labels += pixel < 8 ? '\0' : '\1';
  }
  return {pictures, labels};
}

/// The values of `key` in the lines of metrics.jsonl that have it.
std::vector<double> column(const std::filesystem::path& metrics, const std::string& key) {
  std::ifstream file(metrics);
  std::vector<double> found;
  for (std::string line; std::getline(file, line);)
    if (const Json object = parse_json<Json>(line); object.contains(key)) found.push_back(object[key]);
  return found;
}

// A resume is within an epoch of 38 steps; the constant rate lets the length change.
TEST_F(LraProgram, a_model_is_pretrained_on_a_tasks_own_inputs_and_fine_tuned) {
  generate();
  const std::string with =
      " pretrain c.yaml --set data.masking.probability=0.3 --set evaluation.every_steps=30 --set "
      "schedule.kind=constant --set training.steps=60 --set run.directory=";
  const std::string pretrain = "$nystrom" + with;
  const Outcome outcome = run(pretrain + "pre");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("LRA ListOps: inputs of ListOps, data/listops/basic_{train,val,test}.tsv"));
  EXPECT_THAT(outcome.err, HasSubstr("token 16 masks"));
  const std::string config = read_bytes(folder_ / "pre/config.yaml");
  for (const char* line :
       {"  vocabulary_size: 17\n", "  sop_weight: 0\n", "    mask: 1\n", "    random: 0\n"})
    EXPECT_THAT(config, HasSubstr(line));
  const std::vector<double> losses = column(folder_ / "pre/metrics.jsonl", "mlm_loss");
  ASSERT_EQ(losses.size(), 60U);
  EXPECT_LT(losses.back(), losses.front() - 0.2);
  const std::vector<double> validation = column(folder_ / "pre/metrics.jsonl", "validation_loss");
  ASSERT_EQ(validation.size(), 2U);

  ASSERT_EQ(run(pretrain + "again --set training.steps=25").status, 0);
  const Outcome resumed = run(pretrain + "again");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(column(folder_ / "again/metrics.jsonl", "mlm_loss"), losses);
  EXPECT_EQ(column(folder_ / "again/metrics.jsonl", "validation_loss").back(), validation.back());

  const Outcome ranks = run("mpirun --allow-run-as-root --oversubscribe -n 3 $nystrom" + with + "three");
  ASSERT_EQ(ranks.status, 0) << ranks.err;
  const std::vector<double> of_three = column(folder_ / "three/metrics.jsonl", "mlm_loss");
  ASSERT_EQ(of_three.size(), losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(of_three[i], losses[i], 1e-4 * losses[i]) << i;

  const Outcome evaluated =
      run("$nystrom evaluate c.yaml --set data.masking.probability=0.3 --set run.directory=pre");
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  const Json found = parse_json<Json>(evaluated.out);
  EXPECT_NEAR(found["mlm_loss"], validation.back(), 1e-6);
  EXPECT_GT(found["unigram_entropy"], 1.5);
  EXPECT_LT(found["unigram_entropy"], 2.8);

  const Outcome tuned = run("$nystrom finetune c.yaml --set model.from=pre --set run.directory=fine");
  ASSERT_EQ(tuned.status, 0) << tuned.err;
  EXPECT_EQ(results("fine")["model"], "pre/checkpoints/step-00000060.h5");
  EXPECT_GE(results("fine")["test"]["accuracy"], 0.3);
  const Outcome both = run("$nystrom evaluate c.yaml --set model.from=pre --set run.directory=fine");
  ASSERT_EQ(both.status, 0) << both.err;
  EXPECT_EQ(parse_json<Json>(both.out)["test"], results("fine")["test"])
      << "the fine-tuned one, not what it began as";
}

TEST_F(LraProgram, a_pretraining_on_a_task_refuses_what_does_not_fit_and_other_examples) {
  generate();
  const std::string pretrain =
      "$nystrom pretrain c.yaml --set run.directory=pre --set schedule.kind=constant ";
  const auto refusal = [&](const std::string& set) {
    const Outcome outcome = run(pretrain + set);
    EXPECT_EQ(outcome.status, 2) << set << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(refusal(""), HasSubstr("needs the key `training.steps`"));
  const std::string steps = "--set training.steps=2 ";
  EXPECT_THAT(refusal(steps + "--set objective.sop_weight=1"), HasSubstr("have no sentences"));
  EXPECT_THAT(refusal(steps + "--set model.vocabulary_size=16"),
              HasSubstr("LRA ListOps has 16 tokens, and one that masks them, but the model embeds 16"));
  EXPECT_THAT(refusal(steps + "--set data.masking.unit=word"), HasSubstr("needs the tokenizer"));
  EXPECT_THAT(refusal(steps + "--set tokenizer.path=c.yaml"), HasSubstr("has its own tokens"));
  EXPECT_THAT(refusal(steps + "--set task.name=sums"), HasSubstr("it is one of listops"));
  const Outcome checked = run("$nystrom check c.yaml --command pretrain --steps 1 " + steps);
  EXPECT_EQ(checked.status, 0) << checked.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pre/config.yaml"));
  ASSERT_EQ(run(pretrain + steps).status, 0);
  EXPECT_THAT(refusal("--set training.steps=4 --set task.brackets=drop"),
              HasSubstr("task.brackets (was keep, is drop)"));
  std::filesystem::rename(folder_ / "data", folder_ / "old");
  ASSERT_EQ(run("$nystrom lra generate listops --seed 2 --out data --depth 2 --arguments 3 --longer-than 1 "
                "--shorter-than 6 --train 600 --validation 50 --test 101")
                .status,
            0);
  EXPECT_THAT(refusal("--set training.steps=4"), HasSubstr("task.examples (was 600 rows"));
  EXPECT_EQ(run(pretrain + "--set training.steps=4 --set task.path=old").status, 0);
}

// Black pixels that are left out, in a prepared file.
TEST_F(LraProgram, pictures_are_pretrained_on_with_their_positions) {
  for (const auto& [part, count] : {std::pair{"train", 240}, std::pair{"t10k", 64}}) {
    const auto [pictures, labels] = one_lit_pixel(static_cast<unsigned char>(count));
    std::ofstream(folder_ / (std::string(part) + "-images-idx3-ubyte"), std::ios::binary) << pictures;
    std::ofstream(folder_ / (std::string(part) + "-labels-idx1-ubyte"), std::ios::binary) << labels;
  }
  const std::string with =
      " c.yaml --set task.name=image --set task.zero=absent --set data.sequence_length=16 --set "
      "model.positions=row_column --set task.path=";
  const Outcome outcome =
      run("$nystrom prepare" + with + ". --set output.directory=prepared && $nystrom pretrain" + with +
          "prepared --set training.steps=5 --set data.masking.probability=0.5 --set run.directory=pre && "
          "$nystrom finetune" +
          with + "prepared --set model.from=pre");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(results("run")["test"]["accuracy"], 1.0);
}

TEST_F(LraProgram, ranks_generate_the_same_files) {
  const std::string listops =
      " lra generate listops --out {} --train 1500 --validation 9 --test 9 --longer-than 20 "
      "--shorter-than 50 && ";
  const std::string pathfinder = " lra generate pathfinder --out {} --images 20 --contour 6";
  const std::string mpirun = "mpirun --allow-run-as-root --oversubscribe -n 2 $nystrom";
  const auto both = [&](const std::string& program, const std::string& folder) {
    return program + fmt::format(fmt::runtime(listops), folder) + program +
           fmt::format(fmt::runtime(pathfinder), folder);
  };
  const Outcome outcome = run(both("$nystrom", "one") + " && " + both(mpirun, "two") + " && diff -r one two");
  EXPECT_EQ(outcome.status, 0) << outcome.err << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("two/pathfinder32/curv_baseline: 20 pictures of 32 x 32 pixels"));
  const Outcome again = run("$nystrom lra generate pathfinder --out one --images 20 --contour 6");
  EXPECT_EQ(again.status, 2);
  EXPECT_THAT(again.err, HasSubstr("curv_baseline exists"));
}

TEST_F(LraProgram, pictures_are_trained_on) {
  const Outcome outcome =
      run("$nystrom lra generate pathfinder --out data --images 30 --contour 6 && $nystrom finetune c.yaml "
          "--set task.name=pathfinder --set training.epochs=1 --set data.sequence_length=1024");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(results("run")["data"].get<std::string>(), HasSubstr("split 80/10/10 by task.split_seed 1"));
  EXPECT_EQ(std::ranges::count(read_bytes(folder_ / "run/predictions.tsv"), '\n'), 4);
}

// Without black pixels every picture is the same token: only its position tells the classes apart.
TEST_F(LraProgram, pictures_without_black_pixels_are_distinguished_by_positions) {
  for (const auto& [part, count] : {std::pair{"train", 240}, std::pair{"t10k", 64}}) {
    const auto [pictures, labels] = one_lit_pixel(static_cast<unsigned char>(count));
    std::ofstream(folder_ / (std::string(part) + "-images-idx3-ubyte"), std::ios::binary) << pictures;
    std::ofstream(folder_ / (std::string(part) + "-labels-idx1-ubyte"), std::ios::binary) << labels;
  }
  const Outcome outcome =
      run("$nystrom finetune c.yaml --set task.name=image --set task.path=. --set task.zero=absent "
          "--set data.sequence_length=16");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(results("run")["test"]["accuracy"], 1.0);
  EXPECT_THAT(results("run")["data"].get<std::string>(), HasSubstr("grey levels, zero: absent"));
  const Outcome predicted = run("echo 1 | $nystrom predict --model run --input - --tokenizer c.yaml");
  EXPECT_EQ(predicted.status, 2);
  EXPECT_THAT(predicted.err, HasSubstr("was trained on the Long Range Arena"));
}

// The same by a table of two rows and one of eight columns; the width travels in the prepared file, and is in
// the model.
TEST_F(LraProgram, positions_by_row_and_column_take_the_width_of_the_pictures) {
  for (const auto& [part, count] : {std::pair{"train", 240}, std::pair{"t10k", 64}}) {
    const auto [pictures, labels] = one_lit_pixel(static_cast<unsigned char>(count), '\x08');
    std::ofstream(folder_ / (std::string(part) + "-images-idx3-ubyte"), std::ios::binary) << pictures;
    std::ofstream(folder_ / (std::string(part) + "-labels-idx1-ubyte"), std::ios::binary) << labels;
  }
  const std::string command =
      "$nystrom finetune c.yaml --set task.name=image --set task.zero=absent --set data.sequence_length=16 "
      "--set model.positions=row_column --set task.path=";
  const Outcome outcome = run(command + ".");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(results("run")["test"]["accuracy"], 1.0);
  EXPECT_THAT(read_bytes(folder_ / "run/config.yaml"), HasSubstr("\n  picture_width: 8\n"));
  const Outcome prepared = run(
      "$nystrom prepare c.yaml --set task.name=image --set task.path=. --set output.directory=prepared && " +
      command + "prepared --set run.directory=next");
  ASSERT_EQ(prepared.status, 0) << prepared.err;
  EXPECT_EQ(read_bytes(folder_ / "next/predictions.tsv"), read_bytes(folder_ / "run/predictions.tsv"));
  const Outcome warm =
      run(command + ". --set model.from=run --set run.directory=warm --set training.epochs=1");
  ASSERT_EQ(warm.status, 0) << warm.err;
  EXPECT_EQ(results("warm")["test"]["accuracy"], 1.0);
  const Outcome folder = run("$nystrom convert --from run --to folder && cat folder/config.json");
  ASSERT_EQ(folder.status, 0) << folder.err;
  EXPECT_THAT(folder.out, HasSubstr("\"picture_width\": 8"));
  generate();
  const Outcome no_picture =
      run("$nystrom finetune c.yaml --set model.positions=row_column --set run.directory=no");
  EXPECT_EQ(no_picture.status, 2);
  EXPECT_THAT(no_picture.err, HasSubstr("Set `model.picture_width`, or choose other positions"));
}

// Pairs of equal or of different letters: one text alone says nothing.
TEST_F(LraProgram, retrieval_compares_two_texts_that_were_encoded_apart) {
  for (const auto& [part, count] : {std::pair{"train", 300}, std::pair{"eval", 40}, std::pair{"test", 60}}) {
    std::ofstream file(folder_ / fmt::format("new_aan_pairs.{}.tsv", part));
    for (int i = 0; i < count; ++i) {
      const char first = static_cast<char>('a' + i % 2), second = static_cast<char>('a' + i / 2 % 2);
      file << (first == second ? "1.0" : "0.0") << "\tp\tq\t" << first << "xy\t" << second << "zw\n";
    }
  }
  const std::string command =
      "$nystrom finetune c.yaml --set task.name=retrieval --set task.path=. --set data.sequence_length=8";
  const Outcome apart = run(command);
  ASSERT_EQ(apart.status, 0) << apart.err;
  EXPECT_EQ(results("run")["test"]["accuracy"], 1.0);
  EXPECT_THAT(results("run")["data"].get<std::string>(), HasSubstr("bytes, pairs: apart"));
  EXPECT_EQ(std::ranges::count(read_bytes(folder_ / "run/predictions.tsv"), '\n'), 61);
  EXPECT_THAT(run("$nystrom inspect run").out, HasSubstr("classification of pairs"));
  const Outcome again = run("$nystrom evaluate c.yaml --set task.name=retrieval --set task.path=.");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(parse_json<Json>(again.out)["test"], results("run")["test"]);

  const Outcome joined =
      run(command + " --set task.pairs=joined --set training.epochs=1 --set run.directory=joined");
  ASSERT_EQ(joined.status, 0) << joined.err;
  EXPECT_THAT(results("joined")["data"].get<std::string>(), HasSubstr("bytes, pairs: joined"));
}

/// The commands of a document's first block of code.
std::vector<std::string> first_commands(const std::string& document) {
  std::vector<std::string> commands;
  std::ifstream file(document);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("    "))
      commands.push_back(line.substr(4));
    else if (!commands.empty())
      break;
  }
  return commands;
}

// With the smallest settings behind them, which leave the commands as they are.
TEST_F(LraProgram, the_documents_first_commands_give_data_and_a_table_of_all_kinds) {
  std::filesystem::create_directory_symlink(NYSTROM_SOURCE "/configs", folder_ / "configs");
  const std::vector<std::string> commands = first_commands(NYSTROM_SOURCE "/docs/lra.md");
  ASSERT_EQ(commands.size(), 3U);
  const char* small[] = {
      " --depth 3 --arguments 3 --longer-than 4 --shorter-than 13 --train 64 --validation 8 --test 16",
      " --set data.sequence_length=16 --set training.epochs=1 --set schedule.warmup_share=0.5 --set run.threads=1",
      ""};
  std::string out;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    ASSERT_TRUE(commands[i].starts_with("nystrom ")) << commands[i];
    const Outcome outcome = run("$" + commands[i] + small[i]);
    ASSERT_EQ(outcome.status, 0) << commands[i] << "\n" << outcome.err;
    out = outcome.out;
  }
  EXPECT_THAT(out, HasSubstr("| attention | LRA ListOps |"));
  for (const char* kind : {"nystrom 128", "softmax", "longformer 128", "linformer 256", "performer 256",
                           "linear", "reformer", "none"})
    EXPECT_THAT(out, HasSubstr(std::string("\n| ") + kind)) << out;
}

// What the files in configs/lra ask for fits together, and to the data that the generators make.
TEST_F(LraProgram, the_configurations_are_checked_on_generated_data) {
  std::filesystem::create_directory_symlink(NYSTROM_SOURCE "/configs", folder_ / "configs");
  ASSERT_EQ(run("$nystrom lra generate listops --out lra --train 40 --validation 4 --test 4 && "
                "$nystrom lra generate pathfinder --out lra --images 40")
                .status,
            0);
  for (const char* name : {"listops", "pathfinder"}) {
    const Outcome checked =
        run(fmt::format("$nystrom check configs/lra/{}.yaml --steps 1 --set training.epochs=900", name));
    ASSERT_EQ(checked.status, 0) << checked.err;
    EXPECT_THAT(checked.out, HasSubstr("8 runs, one after another"));
    EXPECT_EQ(checked.out.find("warning"), std::string::npos) << checked.out;
  }
  const Outcome pretraining =
      run("$nystrom check configs/lra/listops-pretrain.yaml --command pretrain --steps 1");
  ASSERT_EQ(pretraining.status, 0) << pretraining.err;
  EXPECT_THAT(pretraining.out,
              HasSubstr("`nystrom pretrain` would start a new run in runs/lra-listops-pretrain."));
  EXPECT_EQ(pretraining.out.find("does not use"), std::string::npos) << pretraining.out;
}

TEST_F(LraProgram, wrong_command_lines_are_refused) {
  const auto refusal = [&](const std::string& command) {
    const Outcome outcome = run("$nystrom " + command);
    EXPECT_EQ(outcome.status, 2) << command;
    return outcome.err;
  };
  EXPECT_THAT(refusal("lra generate cifar --out x"), HasSubstr("generates listops or pathfinder, not cifar"));
  EXPECT_THAT(refusal("lra make listops --out x"), HasSubstr("`nystrom lra make` is unknown"));
  EXPECT_THAT(refusal("lra generate listops --out x --contour 6"), HasSubstr("does not take `--contour`"));
  EXPECT_THAT(refusal("lra generate listops --out x --depth 2"), HasSubstr("none more than 500"));
  EXPECT_THAT(refusal("lra generate listops --out x --train -1"), HasSubstr("`--train` is -1"));
  EXPECT_THAT(refusal("lra generate pathfinder --out x --size 16"), HasSubstr("between 32 and 1024"));
  EXPECT_THAT(refusal("table nowhere"), HasSubstr("nowhere has no results.json"));
  EXPECT_THAT(refusal("table . --format pdf"), HasSubstr("markdown, csv or html"));
  EXPECT_THAT(refusal("finetune c.yaml"), HasSubstr("`task.path` (data) does not exist"));
  generate();
  EXPECT_THAT(refusal("finetune c.yaml --set tokenizer.path=c.yaml"),
              HasSubstr("LRA ListOps has its own tokens"));
  EXPECT_THAT(refusal("finetune c.yaml --set model.vocabulary_size=8"),
              HasSubstr("LRA ListOps has 16 tokens"));
}

}  // namespace
}  // namespace nystrom
