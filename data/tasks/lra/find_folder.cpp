#include "data/tasks/lra/find_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "kernels/core/check.h"
#include "kernels/core/sha256.h"

namespace nystrom::lra {
namespace {

namespace fs = std::filesystem;

/// Folders of very many files that hold no dataset.
bool is_inside(const std::string& name) {
  constexpr std::array kNames{"imgs", "metadata", "pos", "neg", "unsup"};
  return name.starts_with('.') || std::ranges::find(kNames, name) != kNames.end();
}

void search(const fs::path& folder, int levels, const Wanted& wanted, std::vector<fs::path>& found) {
  if (wanted.matches(folder)) return found.push_back(folder);
  if (levels == 0) return;
  std::vector<fs::path> below;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(folder, unreadable))
    if (entry.is_directory(unreadable) && !is_inside(entry.path().filename().string()))
      below.push_back(entry.path());
  std::ranges::sort(below);
  for (const auto& next : below) search(next, levels - 1, wanted, found);
}

/// Do all folders have the same key files?
bool are_copies(const std::vector<fs::path>& folders, const std::vector<std::string>& key_files) {
  return !key_files.empty() && std::ranges::all_of(key_files, [&](const std::string& name) {
    const std::string hash = sha256_of_file(folders.front() / name);
    return std::ranges::all_of(folders,
                               [&](const fs::path& folder) { return sha256_of_file(folder / name) == hash; });
  });
}

}  // namespace

fs::path find_folder(const std::string& path, const Wanted& wanted) {
  constexpr int kLevels = 5;
  if (!fs::exists(path)) refuse("`task.path` ({}) does not exist.", path);
  std::vector<fs::path> found;
  search(path, kLevels, wanted, found);
  if (found.empty())
    refuse("`task.path` ({}) has no {}, neither directly nor in a folder below it: {} are expected.", path,
           wanted.what, wanted.contents);
  if (found.size() == 1 || are_copies(found, wanted.key_files)) return found.front();
  std::vector<std::string> names;
  for (const auto& folder : found) names.push_back(folder.string());
  refuse("`task.path` ({}) has {} in several folders: {}. Name one of them.{}", path, wanted.what,
         fmt::join(names, ", "), wanted.hint.empty() ? "" : " " + wanted.hint);
}

}  // namespace nystrom::lra
