#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "kernels/core/files.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/header.h"

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

/// Newest first; empty if the folder does not exist.
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

/// The checkpoints (newest first) that the policy does not keep. Nothing is removed until there are as many
/// valid ones as it asks for.
std::vector<Found> to_remove(const std::vector<Found>& newest_first, const KeepPolicy& keep) {
  std::vector<std::pair<double, std::int64_t>> scores;  // validation loss, step
  std::int64_t good = 0;
  std::set<std::int64_t> kept;
  for (const Found& found : newest_first) {
    const auto header = read_checkpoint_header(found.path);
    if (good < std::max<std::int64_t>(keep.newest, 1)) kept.insert(found.step);
    if (!header) continue;
    ++good;
    if (keep.every > 0 && found.step % keep.every == 0) kept.insert(found.step);
    if (header->validation && std::isfinite(*header->validation))
      scores.emplace_back(*header->validation, found.step);
  }
  std::ranges::sort(scores);
  scores.resize(std::min(scores.size(), static_cast<std::size_t>(std::max<std::int64_t>(keep.best, 0))));
  for (const auto& [loss, step] : scores) kept.insert(step);
  std::vector<Found> rest = newest_first;
  std::erase_if(rest, [&kept](const Found& found) { return kept.contains(found.step); });
  return rest;
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
    } catch (const Error& error) {  // corrupt, or unreadable
      const std::string what = error.what();
      search.warnings.push_back(fmt::format("{}{} It is skipped.", what, what.ends_with('.') ? "" : "."));
    }
  }
  return search;
}

void prune_checkpoints(const std::string& folder, const KeepPolicy& keep, std::int64_t step) {
  std::vector<Found> candidates = list(folder);
  std::erase_if(candidates, [step](const Found& found) { return found.step > step; });
  std::error_code ignored;  // retried after the next checkpoint
  for (const Found& found : to_remove(candidates, keep)) std::filesystem::remove(found.path, ignored);
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (is_temporary_name(entry.path().string())) std::filesystem::remove(entry.path(), ignored);
}

}  // namespace nystrom
