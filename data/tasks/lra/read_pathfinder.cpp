// Pathfinder: imgs/<batch>/sample_<i>.png and metadata/<batch>.npy, which is text: folder, file, number,
// label, continuity, length of the contour and so on, between blanks.

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "data/pictures/png.h"
#include "data/tasks/lra/find_folder.h"
#include "data/tasks/lra/reader.h"
#include "data/tasks/records.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom::lra {
namespace {

namespace fs = std::filesystem;

/// The number that a file's name is; others come last.
std::int64_t number_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  return problem == std::errc() && end == stem.data() + stem.size() ? number : INT64_MAX;
}

std::vector<fs::path> metadata_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder / "metadata"))
    if (entry.path().extension() == ".npy") files.push_back(entry.path());
  std::ranges::sort(files, {}, [](const fs::path& file) { return std::pair(number_of(file), file); });
  if (files.empty()) refuse("{} has no .npy files.", (folder / "metadata").string());
  return files;
}

std::vector<std::string> lines_of(const fs::path& file) {
  const std::string text = read_file(file.string());
  if (text.starts_with("\x93NUMPY"))
    refuse("{} is a NumPy array; the benchmark's files of that name are text, a line for each picture.",
           file.string());
  return split_lines(text);
}

/// Fields of a line of metadata.
struct Sample {
  std::string picture;  // relative to the level's folder
  int label = 0;
  std::string contour;
};

std::optional<Sample> sample_of(const std::string& line) {
  std::vector<std::string> fields;
  for (auto& field : split(line, " "))
    if (!field.empty()) fields.push_back(std::move(field));
  const bool valid = fields.size() >= 4 && (fields[3] == "0" || fields[3] == "1") &&
                     !fields[1].starts_with('/') && fields[0].starts_with("imgs/") &&
                     line.find("..") == std::string::npos;
  if (!valid) return std::nullopt;
  return Sample{fields[0] + "/" + fields[1], fields[3] == "1" ? 1 : 0, fields.size() > 5 ? fields[5] : ""};
}

class PathfinderReader final : public Reader {
 public:
  PathfinderReader(fs::path folder, Malformed malformed) : folder_(std::move(folder)), malformed_(malformed) {
    find_size();
  }

  [[nodiscard]] std::string found() const override {
    return fmt::format("Pathfinder, {} x {} pixels, {}", side_, side_, folder_.string());
  }
  [[nodiscard]] std::vector<Part> parts() const override { return {Part::kAll}; }
  [[nodiscard]] std::int64_t pixels() const override { return side_ * side_; }
  [[nodiscard]] std::int64_t width() const override { return side_; }
  [[nodiscard]] std::vector<std::string> labels() const override { return {"apart", "joined"}; }

  std::vector<std::string> read(Part, const std::function<void(const Example&)>& take) const override {
    Skipped skipped(malformed_);
    std::string other_contour;
    for (const auto& file : metadata_files(folder_)) {
      std::int64_t number = 0;
      for (const auto& line : lines_of(file)) {
        const std::string place = fmt::format("{}, line {}", file.string(), ++number);
        if (const auto sample = sample_of(line)) {
          read_sample(*sample, place, take, skipped);
          if (other_contour.empty() && !agrees(sample->contour)) other_contour = sample->contour;
        } else {
          skipped.add(place, "the folder, the file, the number and the label 0 or 1 are expected");
        }
      }
    }
    std::vector<std::string> notes = skipped.sentences();
    if (!other_contour.empty())
      notes.push_back(fmt::format(
          "{} is named for another contour length than the {} segments in its metadata: is it the right folder?",
          folder_.string(), other_contour));
    return notes;
  }

 private:
  /// The side of the first picture that can be read.
  void find_size() {
    for (const auto& file : metadata_files(folder_))
      for (const auto& line : lines_of(file))
        if (const auto sample = sample_of(line))
          if (const auto picture = try_read(folder_ / sample->picture)) {
            side_ = picture->width;
            return;
          }
    refuse("{} has no picture that can be read.", folder_.string());
  }
  /// Nothing, and the reason, if it is not a picture.
  static std::optional<GreyPicture> try_read(const fs::path& path, std::string* problem = nullptr) {
    try {
      return read_png(path.string());
    } catch (const InputError& error) {
      std::string why = error.what();
      if (why.ends_with('.')) why.pop_back();
      if (problem != nullptr) *problem = std::move(why);
      return std::nullopt;
    }
  }

  void read_sample(const Sample& sample, const std::string& place,
                   const std::function<void(const Example&)>& take, Skipped& skipped) const {
    const fs::path path = folder_ / sample.picture;
    std::error_code missing;
    if (fs::file_size(path, missing) == 0 && !missing)
      return skipped.add_known(path.string(), "the file is empty");
    std::string problem;
    const std::optional<GreyPicture> picture = try_read(path, &problem);
    if (picture && (picture->width != side_ || picture->height != side_))
      problem = fmt::format("{} has {} x {} pixels instead of {} x {}", path.string(), picture->width,
                            picture->height, side_, side_);
    if (problem.empty())
      take({.sequences = {picture->pixels}, .label = sample.label});
    else
      skipped.add(place, problem);
  }
  /// Is the folder called after contours of this length, or not after a length at all?
  [[nodiscard]] bool agrees(const std::string& contour) const {
    const std::string name = folder_.filename().string(), prefix = "curv_contour_length_";
    if (contour.empty() || !name.starts_with(prefix)) return true;
    return name.substr(prefix.size()) == contour;
  }

  fs::path folder_;
  Malformed malformed_;
  std::int64_t side_ = 0;
};

}  // namespace

ReaderPtr open_pathfinder(const TaskConfig& config) {
  const auto matches = [](const fs::path& folder) {
    return fs::is_directory(folder / "metadata") && fs::is_directory(folder / "imgs");
  };
  return std::make_unique<PathfinderReader>(
      find_folder(
          config.path,
          {.what = "Pathfinder",
           .contents = "imgs/ and metadata/",
           .matches = matches,
           .hint =
               "The benchmark's Pathfinder is pathfinder32/curv_contour_length_14, its Path-X "
               "pathfinder128/curv_contour_length_14. (Its release has two folders pathfinder128, of which one is "
               "wrong.)"}),
      config.malformed);
}

}  // namespace nystrom::lra
