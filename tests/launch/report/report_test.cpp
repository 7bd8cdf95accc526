// Reports: pages of made-up run directories.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "file_bytes.h"
#include "kernels/core/check.h"
#include "launch/report/classes.h"
#include "launch/report/grid_report.h"
#include "launch/report/history.h"
#include "launch/report/preparation.h"
#include "launch/report/progress.h"
#include "launch/report/report.h"
#include "launch/report/report_file.h"
#include "occurrences.h"
#include "temporary_folder.h"
#include "trainer/metrics/metrics.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::occurrences;
using testing::read_bytes;
using testing::TemporaryFolder;
using testing::write_bytes;

TEST(Grouped, has_commas_between_thousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(bytes_text(900), "900 bytes");
  EXPECT_EQ(bytes_text(5632), "5.5 KiB");
}

TEST(Classes, have_precision_recall_and_f1) {
  const Confusion confusion{{"a", "b", "c"}, {{8, 2, 0}, {1, 4, 0}, {0, 0, 0}}};
  const auto classes = class_scores(confusion);
  EXPECT_DOUBLE_EQ(classes[0].precision, 8.0 / 9);
  EXPECT_DOUBLE_EQ(classes[0].recall, 0.8);
  EXPECT_DOUBLE_EQ(classes[1].f1, 8.0 / 11);
  EXPECT_TRUE(std::isnan(classes[2].recall));
  const auto mistakes = frequent_mistakes(confusion, 5);
  ASSERT_EQ(mistakes.size(), 2U);
  EXPECT_EQ(mistakes[0].count, 2);
  EXPECT_EQ(mistakes[0].truth, 0U);
}

TEST(TaskDetails, come_back_from_their_file) {
  TaskDetails details;
  details.confusions = {{"validation", {{"a", "<b>"}, {{1, 2}, {3, 4}}}}};
  details.scatters = {{"test", {{1.0, 2.0}, {3.0, 2.5}}}};
  const TaskDetails read = read_task_details(task_details_text(details));
  ASSERT_EQ(read.confusions.size(), 1U);
  EXPECT_EQ(read.confusions[0].second.counts[1][0], 3);
  EXPECT_EQ(read.scatters[0].second[1][1], 2.5);
  details.scatters[0].second.resize(100'000);
  EXPECT_LE(read_task_details(task_details_text(details)).scatters[0].second.size(), kMaxScatterPoints);
  for (const char* text : {"", "[]", "{\"confusion\": 1}",
                           "{\"confusion\": {\"v\": {\"labels\": [\"a\"], \"counts\": [[1, 2]]}}}",
                           "{\"points\": {\"v\": [[1]]}}"})
    EXPECT_TRUE(read_task_details(text).empty()) << text;
}

/// Made-up run directories.
class Report : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(folder_ / name).parent_path());
    write_bytes(folder_ / name, text);
  }
  void make_run(const std::string& name, double rate = 1e-3, int steps = 200) const {
    std::string metrics;
    for (int step = 1; step <= steps; ++step) {
      metrics += fmt::format(
          "{{\"step\": {0}, \"loss\": {1}, \"mlm_loss\": {1}, \"learning_rate\": {2}, \"gradient_norm\": 1.5, "
          "\"tokens_per_second\": 1000.0, \"samples\": {0}, \"seconds\": {0}.0, \"epochs_of\": {{\"books\": 0.1, "
          "\"wiki\": 0.2}}{3}}}\n",
          step, 9.0 - step / 100.0, rate, step % 20 == 0 ? ", \"pinv_residual_max\": [0.01, 0.2]" : "");
      if (step % 50 == 0)
        metrics += fmt::format(
            "{{\"step\": {0}, \"validation_loss\": {1}, \"validation_mlm_loss\": {1}, "
            "\"validation_seconds\": 1.0}}\n",
            step, 9.1 - step / 100.0);
    }
    write(name + "/metrics.jsonl", metrics + "{\"step\": 201, \"lo");
    write(name + "/config.yaml",
          fmt::format("run: {{directory: {}}}\ntraining: {{steps: 400}}\noptimizer: {{learning_rate: {}}}\n",
                      name, rate));
    write(
        name + "/run.json",
        R"json([{"date": "2026-01-01", "version": "0.1.0 (abc)", "command": ["nystrom", "pretrain", "<b>.yaml"], "host": "h",
              "cpu": "A processor", "ranks": 2, "threads": 3, "precision": "bf16", "parameters": 1892426,
              "memory_bytes": 1048576, "first_step": 1, "steps": 400, "libraries": ["HDF5 1.10", "oneDNN 3"]},
             {"date": "2026-01-02", "version": "0.1.0 (abd)", "command": ["nystrom"], "host": "g", "ranks": 2,
              "libraries": ["HDF5 1.10", "oneDNN 3"], "threads": 3, "first_step": 101, "steps": 400, "parameters": 1892426, "precision": "bf16",
              "resumed_from": "r/step-00000100.h5", "corpora": [{"name": "<books>", "share": 0.25, "sequences": 1200},
              {"name": "wiki", "share": 0.75, "sequences": 100}, {"name": "none", "share": "?"}, 7]}])json");
    write(name + "/checkpoints/step-00000100.h5", "x");
    write(name + "/checkpoints/step-00000200.h5", "x");
  }
  [[nodiscard]] std::string page(const std::vector<std::string>& names) const {
    std::vector<ReportedRun> runs;
    for (const auto& name : names) runs.push_back(read_reported_run(folder_ / name));
    label_runs(runs);
    return report_page(report_title(runs), report_body(runs));
  }

  TemporaryFolder folder_;
};

TEST_F(Report, of_prepared_text_has_bars_by_source_and_reason) {
  write("text/manifest.json",
        R"json({"tool": "nystrom 0.1.0", "options": {}, "tokenizer": {"kind": "sentencepiece",
      "vocabulary_size": 8000},
      "sources": [{"name": "<books>", "kind": "lines", "path": "b*.txt", "files": {"count": 2, "bytes": 2048},
        "documents": 3, "tokens": 500, "bytes": 2000, "characters": {"in": 1000, "kept": 900, "dropped": {"white space": 100}},
        "documents_dropped": {"duplicate documents": 1}, "paragraphs_dropped": {}, "damage": ["b1.txt is torn."]}],
      "splits": {"train": {"documents": 2, "sentences": 9, "tokens": 400, "shards": [{}],
          "by_source": {"<books>": {"tokens": 400}}, "document_tokens": {"by_power_of_two": [0, 0, 1, 1]}},
        "validation": {"documents": 1, "sentences": 2, "tokens": 100, "shards": [{}],
          "by_source": {"<books>": {"tokens": 100}}, "document_tokens": {"by_power_of_two": [0, 0, 0, 0, 1]}}}})json");
  ASSERT_TRUE(is_preparation(folder_ / "text"));
  const std::string html = preparation_body(folder_ / "text", ShardsOf::kAnybody);
  EXPECT_THAT(html, HasSubstr("&lt;books&gt;, kept: 0.9"));
  EXPECT_THAT(html, HasSubstr("&lt;books&gt;, white space: 0.1"));
  EXPECT_THAT(html, HasSubstr("&lt;books&gt;, validation: 100"));
  EXPECT_THAT(html, HasSubstr("4 to 7"));
  EXPECT_THAT(html, HasSubstr("16 to 31"));
  EXPECT_THAT(html, Not(HasSubstr("2 to 3<")));
  EXPECT_THAT(html, HasSubstr("4.00 bytes a token"));
  EXPECT_THAT(html, HasSubstr("b1.txt is torn."));
  write("text/manifest.json", "{\"tool\": 1}");
  EXPECT_THROW((void)preparation_body(folder_ / "text", ShardsOf::kAnybody), InputError);
}

TEST_F(Report, has_the_share_of_each_corpus_and_its_epochs) {
  make_run("run");
  const std::string html = page({"run"});
  EXPECT_THAT(html, HasSubstr("<td>&lt;books&gt;</td>"));
  EXPECT_THAT(html, HasSubstr("value=\"0.2500\""));
  EXPECT_THAT(html, HasSubstr("25.0 %"));
  EXPECT_THAT(html, HasSubstr("1,200"));
  EXPECT_THAT(html, HasSubstr(">1.5</td>"));  // 200 sequences, three quarters of them from 100
}

TEST_F(Report, of_a_run_shows_curves_marks_machine_and_command) {
  make_run("r");
  const std::string html = page({"r"});
  for (const char* id : {"curve-loss", "curve-mlm-loss", "curve-learning-rate", "curve-gradient-norm",
                         "curve-tokens-per-second", "curve-epochs", "residuals"})
    EXPECT_EQ(occurrences(html, fmt::format("<figure id=\"{}\">", id)), 1U) << id;
  EXPECT_THAT(html, HasSubstr("200 of 400 (50\u00a0%)"));
  EXPECT_THAT(html, HasSubstr("loss 7.1"));
  EXPECT_THAT(html, HasSubstr("perplexity 1212"));
  EXPECT_THAT(html, HasSubstr("2 ranks × 3 threads"));
  EXPECT_THAT(html, HasSubstr("1.892M"));
  EXPECT_THAT(html, HasSubstr("stopped"));
  EXPECT_THAT(html, HasSubstr("nystrom pretrain &lt;b&gt;.yaml"));
  EXPECT_THAT(html, HasSubstr("HDF5 1.10, oneDNN 3"));
  EXPECT_THAT(html, HasSubstr("resumed at step 101, 2026-01-02"));
  EXPECT_THAT(html, HasSubstr("<title>step-00000100.h5</title>"));
  EXPECT_THAT(html, HasSubstr("<code>optimizer.learning_rate</code></td><td>0.001</td>"));
  EXPECT_THAT(html, Not(HasSubstr("<code>optimizer.beta1</code>")));  // its default
  EXPECT_THAT(html, Not(HasSubstr("corrupt")));                       // a torn last line is none
}

TEST_F(Report, has_no_script_and_asks_the_network_for_nothing) {
  make_run("r");
  const std::string html = page({"r"});
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const char* part :
       {"<script", "http:", "https:", "url(", "@import", "<img", "<link", " style=", "onload"})
    EXPECT_THAT(html, Not(HasSubstr(part)));
}

TEST_F(Report, ids_are_there_once) {
  make_run("r");
  const std::string html = page({"r"});
  std::map<std::string, int> ids;
  const std::regex id(" id=\"([^\"]*)\"");
  for (std::sregex_iterator i(html.begin(), html.end(), id), end; i != end; ++i) ++ids[(*i)[1]];
  EXPECT_GT(ids.size(), 8U);
  for (const auto& [name, times] : ids) EXPECT_EQ(times, 1) << name;
}

TEST_F(Report, of_several_runs_compares_them) {
  make_run("a", 1e-3);
  make_run("b", 2e-3);
  const std::string html = page({"a", "b"});
  EXPECT_THAT(html, HasSubstr("2 runs compared"));
  EXPECT_THAT(
      html,
      HasSubstr(
          "<tr class=\"differs\"><td class=\"key\"><code>optimizer.learning_rate</code></td><td>0.001</td>"
          "<td>0.002</td>"));
  EXPECT_EQ(occurrences(html, "class=\"differs\""),
            1U);  // the run directories differ too, as they must
  EXPECT_THAT(html, HasSubstr("Dashed with dots: validation."));
  make_run("c/a", 3e-3);
  const std::string same_names = page({"a", "c/a"});
  EXPECT_THAT(same_names, HasSubstr(folder_ / "c/a"));
}

TEST_F(Report, draws_one_curve_as_a_picture) {
  make_run("a");
  std::vector<ReportedRun> runs{read_reported_run(folder_ / "a")};
  const std::string svg = curve_svg(runs, "mlm_loss");
  EXPECT_THAT(
      svg,
      HasSubstr("Masked language model: loss: training from 8.957 to 7.033, validation from 8.6 to 7.1"));
  EXPECT_THAT(svg, HasSubstr(">validation</text>"));
  try {
    (void)curve_svg(runs, "nothing");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("unknown curve nothing; the curves are gradient_norm, learning_rate, loss"));
  }
}

TEST_F(Report, speed_is_the_mean_of_late_steps) {
  std::string metrics;
  for (int step = 1; step <= 200; ++step)
    metrics += fmt::format("{{\"step\": {}, \"tokens_per_second\": {}}}\n", step,
                           step <= 190   ? 1
                           : step == 200 ? 190
                                         : 10);
  write("r/metrics.jsonl", metrics);
  EXPECT_DOUBLE_EQ(*progress_of(read_reported_run(folder_ / "r")).tokens_per_second, (9 * 10 + 190) / 10.0);
}

TEST_F(Report, escapes_what_comes_from_files) {
  const std::string evil = "<img src=x onerror=alert(1)>";
  make_run(evil + "/" + evil);
  const std::string name = evil + "/" + evil;
  write(
      name + "/metrics.jsonl",
      "{\"step\": 1, \"<b>x\": 1.5, \"epochs_of\": {\"<i>\": 1}}\n{\"step\": 2, \"<b>x\": 2.5, \"epochs_of\": {\"<i>\": 1}}\n");
  write(name + "/config.yaml", "seed: <script>alert(1)</script>\n");
  write(name + "/run.json",
        R"([{"date": "<script>", "host": "<b>", "command": ["<b>", "\"><b>"], "cpu": "<b>"}])");
  write(
      name + "/results.json",
      R"({"task": "<script>", "model": "<b>", "best_by": "<b>", "<b>": {"<b>": 1.0, "x": null}, "undefined": {"<b>": {"x": "<b>"}}})");
  write(name + "/evaluations.json", R"([{"step": 1, "epoch": 1, "training_loss": 1, "validation_loss": 1,
                                         "scores": {"<b>": {"<b>": 0.5}}}])");
  write(
      name + "/details.json",
      R"({"confusion": {"<b>": {"labels": ["<b>", "<i>", "<u>"], "counts": [[1, 2, 0], [3, 4, 0], [1, 1, 1]]}}, "points": {"<b>": [[1, 2], [2, 3]]}})");
  write(name + "/checkpoints/step-1.h5", "");
  const std::string html = page({name, name});
  for (const std::string& text : {html, page({name})})
    for (const char* part : {"<script", "<img", "<b>", "<i>", "<u>"}) EXPECT_THAT(text, Not(HasSubstr(part)));
}

TEST_F(Report, of_corrupt_files_shows_what_is_left) {
  write("r/metrics.jsonl", std::string("\0\xff{{{\n[1]\n{\"step\": 3, \"loss\": 2}\n", 33));
  write("r/run.json", "{");
  write("r/config.yaml", "there_is_no: such key");
  for (const char* name : {"results.json", "evaluations.json", "details.json"})
    write(std::string("r/") + name, "[[[");
  const std::string html = page({"r"});
  EXPECT_THAT(html, HasSubstr("run.json is corrupt."));
  EXPECT_THAT(html, HasSubstr("The configuration is shown unparsed: "));
  EXPECT_THAT(html, HasSubstr("2 of 3 lines of"));
  EXPECT_THAT(page({"absent"}), HasSubstr("<dt>State</dt><dd>stopped"));
}

TEST(TaskDetails, bins_of_confidence_have_means_and_an_error_of_their_distance) {
  const auto judged = [](double confidence, bool right) {
    return Judgement{.is_right = right, .confidence = confidence};
  };
  // 0.95 and 1 are in the last tenth, 0.5 begins the sixth.
  const auto bins =
      calibration_of({judged(0.95, true), judged(1, false), judged(0.5, true), judged(0.6, true)});
  ASSERT_EQ(bins.size(), kCalibrationBins);
  EXPECT_EQ(bins[9].count, 2);
  EXPECT_DOUBLE_EQ(bins[9].confidence, 0.975);
  EXPECT_DOUBLE_EQ(bins[9].accuracy, 0.5);
  EXPECT_EQ(bins[5].count, 1);
  EXPECT_DOUBLE_EQ(calibration_error(bins), (2 * 0.475 + 0.5 + 0.4) / 4);
  EXPECT_TRUE(calibration_of({judged(std::nan(""), true)}).empty());
  EXPECT_TRUE(calibration_of({}).empty());
  EXPECT_TRUE(std::isnan(calibration_error({})));
}

TEST(TaskDetails, judge_predictions_by_their_table) {
  const auto classes =
      judgements_of({{"id", "prediction", "label", "probability:cat", "probability:dog"},
                     {{"x", "dog", "cat", "0.25", "0.75"}, {"y", "cat", "cat", "0.5", "0.5"}}});
  ASSERT_EQ(classes.size(), 2U);
  EXPECT_EQ(classes[0].id, "x");
  EXPECT_FALSE(classes[0].is_right);
  EXPECT_EQ(classes[0].confidence, 0.75);
  EXPECT_DOUBLE_EQ(classes[0].loss, std::log(4.0));
  EXPECT_TRUE(classes[1].is_right);
  const auto numbers = judgements_of({{"id", "prediction", "label"}, {{"0", "2.5", "1"}}});
  ASSERT_EQ(numbers.size(), 1U);
  EXPECT_EQ(numbers[0].loss, 2.25);
  EXPECT_TRUE(std::isnan(numbers[0].confidence));
  EXPECT_TRUE(judgements_of({{"id", "prediction", "probability:a"}, {{"0", "a", "1"}}}).empty());  // no truth
  EXPECT_TRUE(judgements_of({{"id", "prediction", "label", "probability:a", "probability:b"},
                             {{"0", "a,b", "a", "1", "1"}}})
                  .empty());  // sets of labels
}

TEST(TaskDetails, have_the_wrong_predictions_of_the_largest_losses) {
  std::vector<Judgement> judgements(3 * kMaxWorst);
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    judgements[i].is_right = i % 2 == 0;
    judgements[i].loss = static_cast<double>(i);
  }
  const auto worst = worst_of(judgements);
  ASSERT_EQ(worst.size(), kMaxWorst);
  EXPECT_EQ(worst[0], judgements.size() - 1);
  EXPECT_EQ(worst[1], judgements.size() - 3);

  TaskDetails details;
  details.calibrations = {{"test", std::vector<CalibrationBin>(kCalibrationBins, {3, 0.5, 0.25})}};
  details.worst = {{"test", {{"7", "a <b> text", "cat", "dog", 4.5}}}};
  const TaskDetails read = read_task_details(task_details_text(details));
  ASSERT_EQ(read.calibrations.size(), 1U);
  EXPECT_EQ(read.calibrations[0].second[9].count, 3);
  EXPECT_EQ(read.calibrations[0].second[9].accuracy, 0.25);
  ASSERT_EQ(read.worst.size(), 1U);
  EXPECT_EQ(read.worst[0].second[0].text, "a <b> text");
  EXPECT_EQ(read.worst[0].second[0].loss, 4.5);
  EXPECT_TRUE(read_task_details("{\"calibration\": {\"v\": [[1, 2, 3]]}}").calibrations.empty());
}

TEST_F(Report, of_a_task_has_classes_confusion_and_early_end) {
  make_run("r", 1e-3, 60);
  write("r/results.json",
        R"({"accuracy": 0.75, "task": "my task", "model": "m.h5", "seed": 1, "steps": 60, "best_step": 30,
        "best_by": "accuracy", "validation": {"accuracy": 0.8, "f1": null}, "undefined": {"validation": {"f1": "why not"}}})");
  write("r/evaluations.json", R"([
    {"step": 30, "epoch": 1, "training_loss": 1.0, "validation_loss": 1.1, "scores": {"validation": {"accuracy": 0.8, "f1": 0.5}}},
    {"step": 60, "epoch": 2, "training_loss": 0.5, "validation_loss": 1.2, "scores": {"validation": {"accuracy": 0.7, "f1": 0.6}}}])");
  write("r/details.json",
        R"({"confusion": {"validation": {"labels": ["cat", "dog"], "counts": [[30, 10], [5, 55]]}},
                              "points": {"test": [[1, 1.5], [2, 1.75], [3, 3]]},
                              "calibration": {"test": [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0],
                                                       [10, 0.55, 0.5], [0, 0, 0], [0, 0, 0], [0, 0, 0], [30, 0.95, 0.75]]},
                              "worst": {"test": [{"id": "17", "truth": "cat", "prediction": "dog", "loss": 3.25,
                                                  "text": "a <cat>"}]}})");
  const std::string html = page({"r"});
  EXPECT_THAT(html, HasSubstr("Reliability, test: expected calibration error 0.1625"));
  EXPECT_EQ(occurrences(html.substr(html.find("id=\"calibration-0\"")), "<circle class=\"dot c0"),
            3U);  // 2, and the legend's
  EXPECT_THAT(html, HasSubstr("Worst examples, test: 1"));
  EXPECT_THAT(
      html,
      HasSubstr("<td>17</td><td>cat</td><td>dog</td><td class=\"number\">3.25</td><td>a &lt;cat&gt;</td>"));
  EXPECT_THAT(html, HasSubstr("The best accuracy, 0.8, was reached at step 30 (epoch 1)."));
  EXPECT_THAT(html, HasSubstr("Training ended early, after step 60 of 400"));
  EXPECT_THAT(html, HasSubstr("undefined: why not"));
  EXPECT_THAT(html,
              HasSubstr("<td>cat</td><td class=\"number\">0.8571</td><td class=\"number\">0.7500</td>"));
  EXPECT_THAT(html, HasSubstr("<title>truth cat, prediction dog: 10</title>"));
  EXPECT_THAT(html, HasSubstr("Confusion, validation"));
  EXPECT_THAT(html, HasSubstr("Predictions, test"));
  EXPECT_THAT(html, HasSubstr("accuracy 0.8"));
}

TEST_F(Report, of_a_grid_shows_its_best_point) {
  write("g/grid.json", R"({"points": {
     "learning_rate=1e-5,dropout=0": {"runs": ["learning_rate=1e-5,dropout=0,seed=1"], "validation accuracy": {"median": 0.5, "values": [0.5]}},
     "learning_rate=1e-5,dropout=0.1": {"runs": ["x y"], "validation accuracy": {"median": 0.75, "values": [0.7, 0.8, null]}},
     "learning_rate=2e-5,dropout=0": {"runs": ["b"], "validation accuracy": {"median": 0.6, "values": [0.6]}},
     "learning_rate=2e-5,dropout=0.1": {"runs": ["c"], "validation accuracy": {"median": null, "values": [null]}}},
     "best": {"point": "learning_rate=1e-5,dropout=0.1", "by": "validation accuracy", "median": 0.75}})");
  ASSERT_TRUE(is_grid_directory(folder_ / "g"));
  const std::string html = grid_body(folder_ / "g");
  EXPECT_EQ(occurrences(html, "class=\"cell\""), 4U);
  EXPECT_EQ(occurrences(html, "class=\"framed\""), 1U);
  EXPECT_THAT(html, HasSubstr("is <strong>learning_rate=1e-5,dropout=0.1</strong>"));
  EXPECT_THAT(
      html,
      HasSubstr("<tr class=\"chosen\"><td>learning_rate=1e-5,dropout=0.1</td><td class=\"number\">0.75</td>"
                "<td class=\"number\">0.7</td><td class=\"number\">0.8</td>"));
  EXPECT_THAT(html, HasSubstr("href=\"./x%20y/report.html\""));
  write("g/grid.json",
        R"({"points": {"learning_rate=1e-5": {"validation f1": {"median": 0.5, "values": [0.5]}},
                                      "learning_rate=3e-4": {"validation f1": {"median": 0.6, "values": [0.6]}}}})");
  EXPECT_THAT(grid_body(folder_ / "g"), HasSubstr("class=\"plot\""));
  ReportFile(folder_ / "g", [](const std::string& why) { FAIL() << why; }).write();
  EXPECT_THAT(read_bytes(folder_ / "g/report.html"), HasSubstr("Grid of 2 points"));
  for (const char* damaged : {"", "{", "{\"points\": {}}", "{\"points\": 3}", "{\"points\": {\"a\": 3}}"}) {
    write("g/grid.json", damaged);
    EXPECT_THROW((void)grid_body(folder_ / "g"), InputError) << damaged;
  }
}

TEST_F(Report, of_a_million_lines_is_small_and_quick) {
  std::string metrics;
  for (int step = 1; step <= 1'000'000; ++step)
    metrics +=
        fmt::format("{{\"step\": {}, \"loss\": {:.9f}, \"gradient_norm\": {:.9f}, \"seconds\": {}.5}}\n",
                    step, 5 + 1.0 / step + (step % 7) * 0.01, 1 + (step % 11) * 0.1, step);
  write("r/metrics.jsonl", metrics);
  const std::string html = page({"r"});
  EXPECT_LT(html.size(), std::size_t{600} << 10U);
  EXPECT_THAT(html, HasSubstr("Points are means of 2048 steps, shaded from minimum to maximum."));
}

TEST_F(Report, file_is_written_at_validations_and_at_the_end) {
  make_run("r");
  std::vector<std::string> warnings;
  ReportFile file(folder_ / "r", [&](const std::string& sentence) { warnings.push_back(sentence); });
  file.validated({});
  EXPECT_THAT(read_bytes(folder_ / "r/report.html"), HasSubstr("200 of 400"));
  write("r/lock", "");
  write("r/metrics.jsonl", "{\"step\": 1, \"loss\": 3}\n");
  file.finished(StopReason::kStopped);
  EXPECT_THAT(read_bytes(folder_ / "r/report.html"), HasSubstr("1 of 400"));
  EXPECT_THAT(read_bytes(folder_ / "r/report.html"), HasSubstr("stopped"));
  EXPECT_TRUE(warnings.empty());
}

TEST_F(Report, that_cannot_be_written_is_one_warning) {
  std::vector<std::string> warnings;
  ReportFile file(folder_ / "absent/r", [&](const std::string& sentence) { warnings.push_back(sentence); });
  file.validated({});
  file.write();
  file.finished(StopReason::kDone);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], HasSubstr("report.html"));
  EXPECT_THAT(warnings[0], HasSubstr("The run continues without its report."));
}

}  // namespace
}  // namespace nystrom
