// Text: the reviews of IMDB as bytes, with their tags.

#include <algorithm>
#include <filesystem>

#include "data/tasks/imdb_reviews.h"
#include "data/tasks/lra/find_folder.h"
#include "data/tasks/lra/reader.h"
#include "kernels/core/check.h"

namespace nystrom::lra {
namespace {

namespace fs = std::filesystem;

class TextReader final : public Reader {
 public:
  explicit TextReader(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] std::string found() const override { return fmt::format("IMDB as bytes, {}", path_); }
  [[nodiscard]] std::vector<Part> parts() const override { return {Part::kTrain, Part::kTest}; }
  [[nodiscard]] std::vector<std::string> labels() const override { return {"negative", "positive"}; }

  std::vector<std::string> read(Part part, const std::function<void(const Example&)>& take) const override {
    for (const auto& [name, text] : imdb_reviews(path_, part_name(part))) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
      take({.sequences = {std::span(bytes, text.size())}, .label = is_positive_review(name) ? 1 : 0});
    }
    return {};
  }

 private:
  std::string path_;
};

/// aclImdb's archive in a folder; empty: there is none.
fs::path archive_in(const fs::path& folder) {
  std::vector<fs::path> archives;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(folder, unreadable)) {
    const std::string name = entry.path().filename().string();
    const bool labelled = name.starts_with("aclImdb") && name.find("unsup") == std::string::npos;
    if (labelled && name.find(".tar") != std::string::npos) archives.push_back(entry.path());
  }
  return archives.empty() ? fs::path() : *std::ranges::min_element(archives);
}

bool has_reviews(const fs::path& folder) {
  return fs::is_directory(folder / "train" / "pos") || !archive_in(folder).empty();
}

}  // namespace

ReaderPtr open_text(const TaskConfig& config) {
  if (fs::is_regular_file(config.path)) return std::make_unique<TextReader>(config.path);
  const fs::path folder = find_folder(
      config.path, {.what = "IMDB", .contents = "the folder aclImdb and its tar", .matches = &has_reviews});
  const bool tree = fs::is_directory(folder / "train" / "pos");
  return std::make_unique<TextReader>((tree ? folder : archive_in(folder)).string());
}

}  // namespace nystrom::lra
