// The Large Movie Review Dataset (Maas et al. 2011): official halves for training and test, 25,000 reviews
// each.

#include <algorithm>
#include <filesystem>

#include "data/tasks/own_files.h"
#include "data/tasks/sequence_split.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

class Imdb final : public Task {
 public:
  explicit Imdb(const TaskConfig& config) : config_(config) {
    info_ = {.name = "IMDB",
             .answer = AnswerKind::kClass,
             .labels = {"negative", "positive"},
             .metrics = {"accuracy", "f1", "matthews_correlation"}};
    check_columns(config, {});
  }

  Splits load(Part part, const Encoder& encoder) override {
    Splits splits;
    if (part == Part::kValidation && config_.validation_fraction == 0) return splits;
    std::vector<TextExample> examples = reviews(part == Part::kTest ? "test" : "train");
    if (part != Part::kTest) {
      auto held_out = take_fraction(examples, config_.validation_fraction, config_.seed);
      if (part == Part::kValidation) examples = std::move(held_out);
    }
    splits.push_back(std::make_unique<SequenceSplit>(split_name(part), info_, std::move(examples), encoder));
    return splits;
  }

 private:
  /// One half, by name within negative, then positive.
  [[nodiscard]] std::vector<TextExample> reviews(const std::string& half) const {
    std::vector<TextExample> examples;
    for (const char* side : {"neg", "pos"}) {
      const fs::path folder = fs::path(config_.path) / half / side;
      if (!fs::is_directory(folder))
        refuse("{} holds no {}/{}; give the folder aclImdb as task.path.", config_.path, half, side);
      std::vector<fs::path> files;
      for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().extension() == ".txt") files.push_back(entry.path());
      std::ranges::sort(files);
      for (const auto& file : files) {
        Repairs repairs;
        TextExample example{.id = fmt::format("{}/{}/{}", half, side, file.filename().string()),
                            .text = plain(read_text_file(file.string(), repairs))};
        example.label = std::string_view(side) == "pos" ? 1 : 0;
        examples.push_back(std::move(example));
      }
    }
    if (examples.empty()) refuse("{} holds no reviews in its {} half.", config_.path, half);
    return examples;
  }

  [[nodiscard]] static std::string plain(const std::string& text) {
    std::string blanked;
    for (const auto& part : split(text, "<br />")) {
      blanked += part;
      blanked.push_back(' ');
    }
    return blanked;
  }

  TaskConfig config_;
};

}  // namespace

std::unique_ptr<Task> open_imdb(const TaskConfig& config) {
  return std::make_unique<Imdb>(config);
}

}  // namespace nystrom
