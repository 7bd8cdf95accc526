#include <algorithm>
#include <charconv>
#include <filesystem>

#include "kernels/core/files.h"
#include "trainer/checkpoint.h"

namespace nystrom {
namespace {

constexpr std::string_view kStart = "step-", kEnd = ".h5";

struct Found {
  std::int64_t step;
  std::string path;
};

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kStart) || !name.ends_with(kEnd)) return std::nullopt;
  const char* begin = name.data() + kStart.size();
  const char* end = name.data() + name.size() - kEnd.size();
  std::int64_t step = 0;
  const auto [stop, error] = std::from_chars(begin, end, step);
  if (error != std::errc() || stop != end) return std::nullopt;
  return step;
}

/// Newest first. No folder, no checkpoints.
std::vector<Found> list(const std::string& folder) {
  std::vector<Found> found;
  std::error_code problem;
  for (std::filesystem::directory_iterator it(folder, problem), end; !problem && it != end;
       it.increment(problem))
    if (const auto step = step_of(it->path().filename().string()))
      found.push_back({*step, it->path().string()});
  if (problem && problem != std::errc::no_such_file_or_directory)
    refuse("{} cannot be read: {}.", folder, problem.message());
  std::ranges::sort(found, std::ranges::greater{}, &Found::step);
  return found;
}

}  // namespace

std::string checkpoint_path(const std::string& folder, std::int64_t step) {
  return fmt::format("{}/{}{:08}{}", folder, kStart, step, kEnd);
}

CheckpointSearch find_newest_checkpoint(const std::string& folder) {
  CheckpointSearch search;
  for (const Found& found : list(folder)) {
    search.any = true;
    try {
      verify_checkpoint(found.path);
      search.path = found.path;
      return search;
    } catch (const InputError& error) {
      search.warnings.push_back(fmt::format("{} It is passed over.", error.what()));
    }
  }
  return search;
}

void prune_checkpoints(const std::string& folder, std::int64_t keep) {
  const auto found = list(folder);
  std::error_code ignored;  // what cannot be removed now will be tried again
  for (std::size_t i = static_cast<std::size_t>(std::max<std::int64_t>(keep, 1)); i < found.size(); ++i)
    std::filesystem::remove(found[i].path, ignored);
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (is_temporary_name(entry.path().string())) std::filesystem::remove(entry.path(), ignored);
}

}  // namespace nystrom
