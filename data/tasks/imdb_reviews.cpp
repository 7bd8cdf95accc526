#include "data/tasks/imdb_reviews.h"

#include <algorithm>
#include <filesystem>

#include "data/corpus/tar.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

std::string name_of(const std::string& half, const std::string& side, const fs::path& file) {
  return fmt::format("{}/{}/{}", half, side, file.filename().string());
}

Files tree_files(const std::string& path, const std::string& half) {
  Files files;
  for (const char* side : {"neg", "pos"}) {
    const fs::path folder = fs::path(path) / half / side;
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".txt")
        files[name_of(half, side, entry.path())] = read_file(entry.path().string());
  }
  return files;
}

Files archive_files(const std::string& path, const std::string& half) {
  constexpr std::int64_t kMaxReviewBytes = 16 << 20;  // bytes
  Files files;
  FileStream file(path);
  const auto content = decompressed(file);
  TarReader archive(*content, path);
  while (archive.next()) {
    const fs::path name(archive.name());
    const std::string side = name.parent_path().filename().string();
    const bool of_half = name.parent_path().parent_path().filename() == half;
    if (!of_half || (side != "neg" && side != "pos") || name.extension() != ".txt") continue;
    files[name_of(half, side, name)] = archive.content(kMaxReviewBytes);
  }
  return files;
}

}  // namespace

bool is_positive_review(const std::string& name) {
  return name.find("/pos/") != std::string::npos;
}

std::map<std::string, std::string> imdb_reviews(const std::string& path, const std::string& half) {
  if (!fs::exists(path)) refuse("`task.path` ({}) does not exist; give aclImdb or its tar.", path);
  const Stage stage(fmt::format("reading {}", path));
  Files files = fs::is_directory(path) ? tree_files(path, half) : archive_files(path, half);
  for (const bool side : {false, true})
    if (std::ranges::none_of(files, [&](const auto& file) { return is_positive_review(file.first) == side; }))
      refuse("{} has no {}/{}; give the directory aclImdb or its tar as `task.path`.", path, half,
             side ? "pos" : "neg");
  return files;
}

}  // namespace nystrom
