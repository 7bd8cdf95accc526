// ListOps: basic_train.tsv, basic_val.tsv and basic_test.tsv with the columns Source and Target.

#include <algorithm>

#include "data/generators/listops.h"
#include "data/tasks/lra/find_folder.h"
#include "data/tasks/lra/reader.h"
#include "data/tasks/lra/rows.h"
#include "kernels/core/check.h"

namespace nystrom::lra {
namespace {

namespace fs = std::filesystem;

const char* listops_file(Part part) {
  return part == Part::kTrain ? "basic_train.tsv" : part == Part::kTest ? "basic_test.tsv" : "basic_val.tsv";
}

class ListOpsReader final : public Reader {
 public:
  ListOpsReader(fs::path folder, Malformed malformed) : folder_(std::move(folder)), malformed_(malformed) {}

  [[nodiscard]] std::string found() const override {
    return fmt::format("ListOps, {}", (folder_ / "basic_{train,val,test}.tsv").string());
  }
  [[nodiscard]] std::vector<Part> parts() const override {
    return {Part::kTrain, Part::kValidation, Part::kTest};
  }
  [[nodiscard]] std::vector<std::string> labels() const override {
    return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  }

  std::vector<std::string> read(Part part, const std::function<void(const Example&)>& take) const override {
    Rows rows((folder_ / listops_file(part)).string());
    std::vector<std::string_view> cells;
    if (!rows.next(cells) || cells != std::vector<std::string_view>{"Source", "Target"})
      refuse("{}, line 1: the columns are not Source and Target.", (folder_ / listops_file(part)).string());
    Skipped skipped(malformed_);
    Doubts doubts;
    ListOpsExpression tokens;
    while (rows.next(cells)) {
      const std::string problem = parse(cells, tokens);
      if (!problem.empty()) {
        skipped.add(rows.place(), problem);
        continue;
      }
      const int label = cells[1][0] - '0';
      doubts.count(rows, tokens, label);
      take({.sequences = {tokens}, .label = label});
    }
    std::vector<std::string> notes = skipped.sentences();
    doubts.report(notes);
    return notes;
  }

 private:
  /// The problem of a row; empty: none.
  static std::string parse(const std::vector<std::string_view>& cells, ListOpsExpression& tokens) {
    if (cells.size() != 2) return fmt::format("there are {} columns instead of two", cells.size());
    if (cells[1].size() != 1 || cells[1][0] < '0' || cells[1][0] > '9')
      return fmt::format("the target `{}` is not a digit", cells[1].substr(0, 20));
    const std::string_view unknown = read_listops_text(cells[0], tokens);
    if (!unknown.empty()) return fmt::format("`{}` is not a token of ListOps", unknown.substr(0, 20));
    return tokens.empty() ? "there is no expression" : "";
  }

  /// Rows that are read although something is wrong with them.
  struct Doubts {
    std::int64_t wrong = 0, broken = 0;
    std::string first_wrong, first_broken;

    void count(const Rows& rows, const ListOpsExpression& tokens, int label) {
      const std::optional<int> value = listops_value(tokens);
      if (!value && ++broken == 1) first_broken = rows.place();
      if (value && *value != label && ++wrong == 1) first_wrong = rows.place();
    }
    void report(std::vector<std::string>& notes) const {
      if (wrong > 0)
        notes.push_back(fmt::format("{} targets are not the values of their expressions; the first is {}.",
                                    wrong, first_wrong));
      if (broken > 0)
        notes.push_back(fmt::format(
            "{} rows are not valid expressions, as if brackets had been dropped; the first is {}.", broken,
            first_broken));
    }
  };

  fs::path folder_;
  Malformed malformed_;
};

}  // namespace

ReaderPtr open_listops(const TaskConfig& config) {
  const Wanted wanted{
      .what = "ListOps",
      .contents = "basic_train.tsv, basic_val.tsv and basic_test.tsv",
      .matches = [](const fs::path& folder) { return fs::exists(folder / "basic_train.tsv"); },
      .key_files = {"basic_train.tsv", "basic_val.tsv", "basic_test.tsv"}};
  const fs::path folder = find_folder(config.path, wanted);
  for (const Part part : {Part::kTrain, Part::kValidation, Part::kTest})
    if (!fs::exists(folder / listops_file(part)))
      refuse("{} is missing next to basic_train.tsv.", (folder / listops_file(part)).string());
  return std::make_unique<ListOpsReader>(folder, config.malformed);
}

}  // namespace nystrom::lra
