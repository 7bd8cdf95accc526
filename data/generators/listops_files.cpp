#include "data/generators/listops_files.h"

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <unordered_set>

#include "data/generators/output_file.h"
#include "data/preparation/worker_pool.h"
#include "data/xxh3.h"
#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

struct Part {
  const char* file;
  std::int64_t rows;
};

/// One row after another into the file of its part.
class PartFiles {
 public:
  PartFiles(const std::string& folder, const ListOpsCounts& counts)
      : folder_(folder),
        parts_{Part{"basic_train.tsv", counts.train}, Part{"basic_val.tsv", counts.validation},
               Part{"basic_test.tsv", counts.test}} {
    for (const Part& part : parts_)
      if (const fs::path path = fs::path(folder) / part.file; fs::exists(path))
        refuse("{} exists; remove it, or name another directory.", path.string());
    fs::create_directories(folder);
  }

  void add(std::string_view line) {
    while (rows_ == parts_[part_].rows) next_part();
    if (!file_) open();
    file_->write(line);
    ++rows_;
  }
  /// Parts without rows are files too.
  void finish() {
    while (part_ < parts_.size()) next_part();
    for (auto& file : complete_) file->publish();
  }

 private:
  void open() {
    file_ = std::make_unique<OutputFile>((fs::path(folder_) / parts_[part_].file).string());
    file_->write("Source\tTarget\r\n");
  }
  void next_part() {
    if (!file_) open();
    complete_.push_back(std::move(file_));
    ++part_;
    rows_ = 0;
  }

  std::string folder_;
  std::array<Part, 3> parts_;
  std::size_t part_ = 0;
  std::int64_t rows_ = 0;
  std::unique_ptr<OutputFile> file_;
  std::vector<std::unique_ptr<OutputFile>>
      complete_;  // published together, so that no part is without the others
};

/// The rows of examples [first, first + count), each ended by CRLF.
std::string rows_of(const ListOpsGenerator& generator, std::uint64_t first, std::size_t count, int threads) {
  std::vector<std::string> rows(count);
  const auto write = [&](std::size_t i, int) {
    ListOpsExpression expression;
    generator.draw(first + i, expression);
    rows[i] = fmt::format("{}\t{}\r\n", listops_text(expression), *listops_value(expression));
  };
  parallel_for_each(threads, count, write);
  std::string text;
  for (const auto& row : rows) text += row;
  return text;
}

/// Takes rows that are new until there are enough.
class NewRows {
 public:
  explicit NewRows(std::int64_t wanted) : wanted_(wanted) {}

  [[nodiscard]] bool enough() const { return taken_ == wanted_; }
  [[nodiscard]] std::int64_t taken() const { return taken_; }
  [[nodiscard]] std::int64_t repeated() const { return repeated_; }

  template <class Take>
  void take(std::string_view block, const Take& take) {
    while (!block.empty() && !enough()) {
      const std::string_view row = block.substr(0, block.find('\n') + 1);
      block.remove_prefix(row.size());
      const bool is_new = seen_.insert(xxh3(row)).second;
      ++(is_new ? taken_ : repeated_);
      if (is_new) take(row);
    }
  }
  /// Refuses a rule that yields hardly any new ones.
  void check() const {
    constexpr std::int64_t kMaxRepeats = 100;  // for each new one
    if (repeated_ > kMaxRepeats * (taken_ + 100))
      refuse(
          "ListOps of this depth and these lengths has too few expressions for {} different ones: {} were found.",
          wanted_, taken_);
  }

 private:
  std::int64_t wanted_, taken_ = 0, repeated_ = 0;
  std::unordered_set<std::uint64_t> seen_;
};

}  // namespace

std::int64_t write_listops(const ListOpsGenerator& generator, const ListOpsCounts& counts,
                           const std::string& folder, const Workers& workers) {
  constexpr std::uint64_t kBlock = 1'000;  // examples of a rank at a time
  const auto rank = static_cast<std::uint64_t>(workers.rank),
             ranks = static_cast<std::uint64_t>(workers.ranks);
  std::optional<PartFiles> files;
  if (rank == 0) files.emplace(folder, counts);
  NewRows rows(counts.total());
  Stage stage("generating ListOps", static_cast<double>(counts.total()), "examples");
  for (std::uint64_t first = 0; !rows.enough(); first += kBlock * ranks) {
    const std::string mine = rows_of(generator, first + kBlock * rank, kBlock, workers.threads);
    for (const std::string& block : workers.gather(mine))
      rows.take(block, [&](std::string_view row) {
        if (files) files->add(row);
      });
    rows.check();
    stage.reach(static_cast<double>(rows.taken()));
    stage.count(rows.taken());
  }
  if (files) files->finish();
  return rows.repeated();
}

}  // namespace nystrom
