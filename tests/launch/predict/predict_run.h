#pragma once
// Fixture of `nystrom predict`: fine-tunes a small model, predicts with it, reads what is printed.

#include "finetune_run.h"
#include "kernels/core/json.h"

namespace nystrom {

using Table = std::vector<std::vector<std::string>>;

/// Rows and cells of a file of tab-separated values.
inline Table table_of(const std::string& text) {
  Table table;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    table.emplace_back();
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');) table.back().push_back(cell);
  }
  return table;
}

/// The objects of JSON lines.
inline std::vector<Json> objects_of(const std::string& text) {
  std::vector<Json> objects;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) objects.push_back(parse_json<Json>(line));
  return objects;
}

class Predict : public Finetune {
 protected:
  void train(const std::string& sets = "") {
    const Outcome outcome = run("$nystrom finetune c.yaml --set training.epochs=2 " + sets);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  [[nodiscard]] Outcome predict(const std::string& rest) const {
    return run(
        "$nystrom predict --model run/checkpoints/best.h5 --set training.precision=fp32 --set "
        "run.threads=1 " +
        rest);
  }
  /// Removes the tables of classification, for tasks whose files have other forms.
  void remove_tables() const {
    for (const char* split : {"train", "dev", "test"})
      std::filesystem::remove(folder_ / (std::string("data/") + split + ".tsv"));
  }
  /// The same ids and answers as in a run's predictions.tsv, which has labels as well.
  void expect_written(const Table& table, const std::string& name) const {
    const Table written = table_of(read_bytes(folder_ / name));
    ASSERT_EQ(table.size(), written.size());
    for (std::size_t i = 1; i < table.size(); ++i) {
      EXPECT_EQ(table[i][0], written[i][0]);
      EXPECT_EQ(table[i][1], written[i][1]);
      EXPECT_NEAR(std::stod(table[i][2]), std::stod(written[i][3]), 1e-5);
    }
  }
};

}  // namespace nystrom
