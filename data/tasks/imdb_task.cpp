// The Large Movie Review Dataset (Maas et al. 2011): official halves for training and test, 25,000 reviews
// each.

#include <algorithm>
#include <filesystem>
#include <map>

#include "data/corpus/tar.h"
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
    if (!fs::exists(config_.path))
      refuse("`task.path` ({}) does not exist; give aclImdb or its tar.", config_.path);
    const Files files =
        fs::is_directory(config_.path) ? tree_files(half, repairs) : archive_files(half, repairs);
    std::vector<TextExample> examples;
    for (const auto& [name, text] : files) {
      TextExample example{.id = name, .text = plain(text)};
      example.label = name.find("/pos/") != std::string::npos ? 1 : 0;
      examples.push_back(std::move(example));
    }
    for (const std::int32_t side : {0, 1})
      if (std::ranges::count(examples, side, &TextExample::label) == 0)
        refuse("{} has no {}/{}; give the directory aclImdb or its tar as `task.path`.", config_.path, half,
               side == 0 ? "neg" : "pos");
    return examples;
  }

  /// "train/neg/0_3.txt" -> text
  using Files = std::map<std::string, std::string>;

  [[nodiscard]] Files tree_files(const std::string& half, Repairs& repairs) const {
    Files files;
    for (const char* side : {"neg", "pos"}) {
      const fs::path folder = fs::path(config_.path) / half / side;
      if (!fs::is_directory(folder)) continue;
      for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() != ".txt") continue;
        files[name_of(half, side, entry.path())] = read_text_file(entry.path().string(), repairs);
      }
    }
    return files;
  }

  [[nodiscard]] Files archive_files(const std::string& half, Repairs& repairs) const {
    constexpr std::int64_t kLongestReview = 16 << 20;  // bytes
    Files files;
    FileStream file(config_.path);
    const auto content = decompressed(file);
    TarReader archive(*content, config_.path);
    while (archive.next()) {
      const fs::path path(archive.name());
      const std::string side = path.parent_path().filename().string();
      const bool of_half = path.parent_path().parent_path().filename() == half;
      if (!of_half || (side != "neg" && side != "pos") || path.extension() != ".txt") continue;
      files[name_of(half, side, path)] = repair_utf8(archive.content(kLongestReview), repairs);
    }
    return files;
  }

  [[nodiscard]] static std::string name_of(const std::string& half, const std::string& side,
                                           const fs::path& file) {
    return fmt::format("{}/{}/{}", half, side, file.filename().string());
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
