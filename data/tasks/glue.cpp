// GLUE (Wang et al., arXiv 1804.07461) from its official folders. Quotes are data in all of its files.

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "data/tasks/examples.h"
#include "data/tasks/own_files.h"
#include "data/tasks/sequence_split.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

/// One file of a task: which split it is, what it is called, and its leaderboard file for predictions.
struct GlueFile {
  Split split;
  const char* name;
  const char* file;
  const char* leaderboard = "";
};

struct GlueTask {
  const char* name;
  Names first, second;  ///< columns of the texts
  Names label;          ///< column of the label
  Names written;        ///< labels as the files have them; empty: numbers
  Names labels;         ///< and their names for people
  Names metrics;
  std::vector<GlueFile> files;
};

const Names kAccuracy{"accuracy"}, kAccuracyF1{"f1", "accuracy"};
const Names kEntailment2{"entailment", "not_entailment"};
const Names kEntailment3{"contradiction", "entailment", "neutral"};

std::vector<GlueFile> usual_files(const char* leaderboard) {
  return {{Split::kTrain, "train", "train.tsv"},
          {Split::kValidation, "validation", "dev.tsv"},
          {Split::kTest, "test", "test.tsv", leaderboard}};
}

const std::vector<GlueTask>& glue_tasks() {
  static const std::vector<GlueTask> tasks{
      {"CoLA",
       {"sentence"},
       {},
       {"label"},
       {"0", "1"},
       {"unacceptable", "acceptable"},
       {"matthews_correlation", "accuracy"},
       usual_files("CoLA.tsv")},
      {"SST-2",
       {"sentence"},
       {},
       {"label"},
       {"0", "1"},
       {"negative", "positive"},
       kAccuracy,
       usual_files("SST-2.tsv")},
      {"MRPC",
       {"#1 String", "sentence1"},
       {"#2 String", "sentence2"},
       {"Quality", "label"},
       {"0", "1"},
       {"not_equivalent", "equivalent"},
       kAccuracyF1,
       usual_files("MRPC.tsv")},
      {"QQP",
       {"question1"},
       {"question2"},
       {"is_duplicate"},
       {"0", "1"},
       {"not_duplicate", "duplicate"},
       kAccuracyF1,
       usual_files("QQP.tsv")},
      {"STS-B",
       {"sentence1"},
       {"sentence2"},
       {"score"},
       {},
       {},
       {"pearson", "spearmanr"},
       usual_files("STS-B.tsv")},
      {"MNLI",
       {"sentence1"},
       {"sentence2"},
       {"gold_label"},
       kEntailment3,
       kEntailment3,
       kAccuracy,
       {{Split::kTrain, "train", "train.tsv"},
        {Split::kValidation, "validation_matched", "dev_matched.tsv"},
        {Split::kValidation, "validation_mismatched", "dev_mismatched.tsv"},
        {Split::kTest, "test_matched", "test_matched.tsv", "MNLI-m.tsv"},
        {Split::kTest, "test_mismatched", "test_mismatched.tsv", "MNLI-mm.tsv"}}},
      {"QNLI",
       {"question"},
       {"sentence"},
       {"label"},
       kEntailment2,
       kEntailment2,
       kAccuracy,
       usual_files("QNLI.tsv")},
      {"RTE",
       {"sentence1"},
       {"sentence2"},
       {"label"},
       kEntailment2,
       kEntailment2,
       kAccuracy,
       usual_files("RTE.tsv")},
      {"WNLI",
       {"sentence1"},
       {"sentence2"},
       {"label"},
       {"0", "1"},
       {"not_entailment", "entailment"},
       kAccuracy,
       usual_files("WNLI.tsv")},
      // The diagnostic set: predictions of a model for MNLI. Its labels are not published in this file's
      // form.
      {"AX",
       {"sentence1"},
       {"sentence2"},
       {"gold_label"},
       kEntailment3,
       kEntailment3,
       {"matthews_correlation"},
       {}},
  };
  return tasks;
}

const GlueTask& find_task(const std::string& name) {
  const auto& all = glue_tasks();
  const auto found = std::ranges::find(all, name, &GlueTask::name);
  if (found != all.end()) return *found;
  Names names;
  for (const auto& task : all) names.emplace_back(task.name);
  refuse("`task.name` is {}; GLUE's tasks are {}.", name, fmt::join(names, ", "));
}

class Glue final : public Task {
 public:
  explicit Glue(const TaskConfig& config) : config_(config), task_(find_task(config.name)) {
    info_.name = task_.name;
    info_.answer = task_.labels.empty() ? AnswerKind::kValue : AnswerKind::kClass;
    info_.labels = task_.labels;
    info_.metrics = task_.metrics;
    if (!fs::is_directory(config.path))
      refuse("`task.path` ({}) is not a directory; give the directory with the files of {}.", config.path,
             task_.name);
  }

  Splits load(Split split, const TextEncoder& encoder) override {
    Splits splits;
    if (is("MRPC") && !exists("train.tsv") && exists(kMicrosoftTrain)) {
      if (split != Split::kTest || exists(kMicrosoftTest)) splits.push_back(load_microsoft(split, encoder));
      return splits;
    }
    for (const GlueFile& file : task_.files)
      if (file.split == split && (split == Split::kTrain || exists(file.file)))
        splits.push_back(load_file(file, path_of(file.file), encoder));
    if (split == Split::kValidation && holds_out_fraction())
      splits.push_back(load_file({split, "validation", "train.tsv"}, path_of("train.tsv"), encoder));
    if (split == Split::kTest && (is("MNLI") || is("AX"))) load_diagnostic(encoder, splits);
    if (split == Split::kTrain && splits.empty())
      refuse("{} has no training split: fine-tune on MNLI, and predict or evaluate with that model.",
             task_.name);
    return splits;
  }

 private:
  static constexpr const char* kMicrosoftTrain = "msr_paraphrase_train.txt";
  static constexpr const char* kMicrosoftTest = "msr_paraphrase_test.txt";
  static constexpr const char* kMicrosoftDevelopment = "dev_ids.tsv";

  [[nodiscard]] bool is(std::string_view name) const { return task_.name == name; }
  [[nodiscard]] std::string path_of(const char* file) const {
    return (fs::path(config_.path) / file).string();
  }
  [[nodiscard]] bool exists(const char* file) const { return fs::exists(path_of(file)); }

  /// Of the training split, where there is no file for validation.
  [[nodiscard]] bool holds_out_fraction() const {
    return config_.validation_fraction != 0 && exists("train.tsv") &&
           std::ranges::none_of(task_.files, [this](const GlueFile& file) {
             return file.split == Split::kValidation && exists(file.file);
           });
  }

  /// Columns: first text, second text, label, id; of MRPC's training split also one that WNLI's has not.
  [[nodiscard]] RecordRequest request(const GlueFile& file) const {
    const bool test = file.split == Split::kTest;
    RecordRequest request{.columns = {{task_.first},
                                      {task_.second, task_.second.empty()},
                                      {task_.label, test},
                                      {{"index", "id", "pairID"}, true}},
                          .malformed = config_.malformed};
    if (is("MRPC") && file.split == Split::kTrain) {
      request.columns.push_back({{"index"}, true});
      request.columns.push_back({{"Quality"}, true});
    }
    if (is("CoLA") && !test) {  // source, label, the author's mark, sentence; no header
      request.header = false;
      request.columns[0].index = 3;
      request.columns[2].index = 1;
    }
    return request;
  }

  std::unique_ptr<TaskSplit> load_file(const GlueFile& file, const std::string& path,
                                       const TextEncoder& encoder) {
    Records records = read_records(path, request(file));
    if (is("MRPC") && file.split == Split::kTrain && records.present[4] && !records.present[5])
      refuse("{} has the columns of WNLI, not of MRPC; check `task.name` and `task.path`.", path);
    if (file.split == Split::kTest) settle_labels(records, 2, file.split, config_.malformed);
    std::vector<TextExample> examples;
    std::int64_t undecided = 0;
    for (std::size_t i = 0; i < records.rows.size(); ++i) {
      if (records.rows[i].cells[2] == "-") {  // annotators of MNLI disagreed
        ++undecided;
        continue;
      }
      examples.push_back(example_of(records, i, file.split == Split::kTest));
    }
    if (file.split != Split::kTest && holds_out_fraction()) keep_split(examples, config_, file.split);
    auto loaded = std::make_unique<SequenceSplit>(file.name, info_, std::move(examples), encoder, form(file));
    loaded->note(records);
    if (undecided > 0)
      loaded->add_note(fmt::format("{}: {} examples without a label (`-`) were skipped.", path, undecided));
    return loaded;
  }

  [[nodiscard]] TextExample example_of(const Records& records, std::size_t i, bool test) const {
    const auto& cells = records.rows[i].cells;
    TextExample example{.id = test && records.present[3] ? cells[3] : std::string(), .text = cells[0]};
    if (!task_.second.empty()) example.pair = cells[1];
    if (!records.present[2]) return example;
    if (info_.answer == AnswerKind::kValue) {
      double score = 0;
      if (!parse_number(cells[2], score))
        refuse("{}: `{}` in column {} is not a number.", records.place(i), cells[2], task_.label[0]);
      example.values.push_back(static_cast<float>(score));
    } else {
      const auto found = std::ranges::find(task_.written, cells[2]);
      if (found == task_.written.end())
        refuse("{}: `{}` is not a label of {}; its labels are {}.", records.place(i), cells[2], task_.name,
               fmt::join(task_.written, ", "));
      example.label = static_cast<std::int32_t>(found - task_.written.begin());
    }
    return example;
  }

  [[nodiscard]] LeaderboardForm form(const GlueFile& file) const {
    return {
        .file = file.leaderboard,
        .label = [this](std::size_t i) { return task_.written.empty() ? std::string() : task_.written[i]; },
        .lowest = 0,
        .highest = 5};
  }

  /// AX's examples, next to MNLI's or in their own folder.
  void load_diagnostic(const TextEncoder& encoder, Splits& splits) {
    constexpr GlueFile kFile{Split::kTest, "diagnostic", "", "AX.tsv"};
    for (const char* place : {"AX.tsv", "diagnostic.tsv", "../AX/AX.tsv", "../AX/diagnostic.tsv",
                              "../AX/test.tsv", "../diagnostic/diagnostic.tsv"})
      if (exists(place)) return splits.push_back(load_file(kFile, path_of(place), encoder));
    if (is("AX")) {
      if (!exists("test.tsv")) refuse("{} has none of AX.tsv, diagnostic.tsv and test.tsv.", config_.path);
      splits.push_back(load_file(kFile, path_of("test.tsv"), encoder));
    }
  }

  /// MRPC as Microsoft published it: one training file, of which dev_ids.tsv names the pairs for validation,
  /// and a test file with labels.
  std::unique_ptr<TaskSplit> load_microsoft(Split split, const TextEncoder& encoder) {
    const bool test = split == Split::kTest;
    RecordRequest columns{.columns = {{task_.first}, {task_.second}, {task_.label}, {{"#1 ID"}}, {{"#2 ID"}}},
                          .malformed = config_.malformed};
    const Records records = read_records(path_of(test ? kMicrosoftTest : kMicrosoftTrain), columns);
    const std::set<std::string> development = test ? std::set<std::string>() : development_pairs();
    std::vector<TextExample> examples;
    for (std::size_t i = 0; i < records.rows.size(); ++i) {
      const auto& cells = records.rows[i].cells;
      const bool held_out = development.contains(cells[3] + "\t" + cells[4]);
      if (test || held_out == (split == Split::kValidation))
        examples.push_back(example_of(records, i, false));
    }
    if (split == Split::kValidation && examples.empty())
      refuse("{} names none of the pairs of {}; its lines must be two numbers separated by a TAB.",
             path_of(kMicrosoftDevelopment), path_of(kMicrosoftTrain));
    const GlueFile& file = *std::ranges::find(task_.files, split, &GlueFile::split);
    auto loaded = std::make_unique<SequenceSplit>(file.name, info_, std::move(examples), encoder, form(file));
    loaded->note(records);
    return loaded;
  }

  [[nodiscard]] std::set<std::string> development_pairs() const {
    if (!exists(kMicrosoftDevelopment))
      refuse("{} has {} but not {}, which names the pairs for validation.", config_.path, kMicrosoftTrain,
             kMicrosoftDevelopment);
    Repairs repairs;
    std::set<std::string> pairs;
    for (const auto& line : split(read_text_file(path_of(kMicrosoftDevelopment), repairs), "\n"))
      if (!trimmed_cell(line).empty()) pairs.insert(trimmed_cell(line));
    return pairs;
  }

  TaskConfig config_;
  const GlueTask& task_;
};

}  // namespace

GlueColumns glue_columns(const std::string& task) {
  const GlueTask& found = find_task(task);
  return {found.first, found.second};
}

std::unique_ptr<Task> open_glue(const TaskConfig& config) {
  return std::make_unique<Glue>(config);
}

}  // namespace nystrom
