// The Large Movie Review Dataset (Maas et al. 2011): official halves for training and test, 25,000 reviews
// each.

#include "data/tasks/imdb_reviews.h"
#include "data/tasks/own_files.h"
#include "data/tasks/sequence_split.h"

namespace nystrom {
namespace {

class Imdb final : public Task {
 public:
  explicit Imdb(const TaskConfig& config) : config_(config) {
    info_ = {.name = "IMDB",
             .answer = AnswerKind::kClass,
             .labels = {"negative", "positive"},
             .metrics = {"accuracy", "f1", "matthews_correlation"}};
    check_columns(config, {});
  }

  Splits load(Split split, const TextEncoder& encoder) override {
    Splits splits;
    if (split == Split::kValidation && config_.validation_fraction == 0) return splits;
    Records found{.path = config_.path, .rows = {}, .present = {}, .malformed = {}, .repairs = {}};
    std::vector<TextExample> examples = reviews(split == Split::kTest ? "test" : "train", found.repairs);
    if (split != Split::kTest) keep_split(examples, config_, split);
    auto loaded = std::make_unique<SequenceSplit>(split_name(split), info_, std::move(examples), encoder);
    loaded->note(found);
    splits.push_back(std::move(loaded));
    return splits;
  }

 private:
  /// One half, by name within negative, then positive.
  [[nodiscard]] std::vector<TextExample> reviews(const std::string& half, Repairs& repairs) const {
    std::vector<TextExample> examples;
    for (const auto& [name, bytes] : imdb_reviews(config_.path, half)) {
      TextExample example{.id = name, .text = plain(decode_text(bytes, Encoding::kUtf8, repairs))};
      example.label = is_positive_review(name) ? 1 : 0;
      examples.push_back(std::move(example));
    }
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
