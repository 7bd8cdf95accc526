// Retrieval: pairs of papers of the ACL Anthology Network as bytes. Files without a header, in which nothing
// is quoted: label, two ids, two texts.

#include <array>
#include <filesystem>

#include "data/tasks/lra/find_folder.h"
#include "data/tasks/lra/reader.h"
#include "data/tasks/lra/rows.h"
#include "kernels/core/check.h"

namespace nystrom::lra {
namespace {

namespace fs = std::filesystem;

std::string retrieval_file(Part part) {
  return fmt::format("new_aan_pairs.{}.tsv", part == Part::kValidation ? "eval" : part_name(part));
}

constexpr std::array kRetrievalParts{Part::kTrain, Part::kValidation, Part::kTest};

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class RetrievalReader final : public Reader {
 public:
  RetrievalReader(fs::path folder, Malformed malformed) : folder_(std::move(folder)), malformed_(malformed) {}

  [[nodiscard]] std::string found() const override {
    return fmt::format("pairs of texts, {}", (folder_ / "new_aan_pairs.{train,eval,test}.tsv").string());
  }
  [[nodiscard]] std::vector<Part> parts() const override {
    return {kRetrievalParts.begin(), kRetrievalParts.end()};
  }
  [[nodiscard]] std::vector<std::string> labels() const override { return {"unrelated", "related"}; }

  std::vector<std::string> read(Part part, const std::function<void(const Example&)>& take) const override {
    Rows rows((folder_ / retrieval_file(part)).string());
    std::vector<std::string_view> cells;
    Skipped skipped(malformed_);
    while (rows.next(cells)) {
      const std::string problem = problem_of(cells);
      if (problem.empty())
        take({.sequences = {bytes_of(cells[3]), bytes_of(cells[4])}, .label = cells[0][0] == '1' ? 1 : 0});
      else
        skipped.add(rows.place(), problem);
    }
    return skipped.sentences();
  }

 private:
  static std::string problem_of(const std::vector<std::string_view>& cells) {
    if (cells.size() != 5)
      return fmt::format("there are {} columns instead of five (label, two ids, two texts)", cells.size());
    const std::string_view label = cells[0];
    if (label != "0.0" && label != "1.0" && label != "0" && label != "1")
      return fmt::format("the label `{}` is neither 0.0 nor 1.0", label.substr(0, 20));
    return cells[3].empty() || cells[4].empty() ? "a text is empty" : "";
  }

  fs::path folder_;
  Malformed malformed_;
};

}  // namespace

ReaderPtr open_retrieval(const TaskConfig& config) {
  const auto matches = [](const fs::path& folder) {
    return fs::exists(folder / retrieval_file(Part::kTrain));
  };
  const fs::path folder = find_folder(
      config.path, {.what = "pairs of the ACL Anthology Network",
                    .contents = "new_aan_pairs.train.tsv, new_aan_pairs.eval.tsv and new_aan_pairs.test.tsv",
                    .matches = matches});
  for (const Part part : kRetrievalParts)
    if (!fs::exists(folder / retrieval_file(part)))
      refuse("{} is missing next to {}.", (folder / retrieval_file(part)).string(),
             retrieval_file(Part::kTrain));
  return std::make_unique<RetrievalReader>(folder, config.malformed);
}

}  // namespace nystrom::lra
