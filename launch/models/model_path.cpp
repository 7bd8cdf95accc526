#include "launch/models/model_path.h"

#include <filesystem>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

// A run of the best point; "" where `grid_json` names none.
std::string best_run(const std::string& grid_json) {
  const auto json = try_parse_json<nlohmann::json>(grid_json);
  const auto best = nlohmann::json::json_pointer("/best/point");
  if (!json.is_object() || !json.contains(best) || !json[best].is_string()) return {};
  const auto runs = nlohmann::json::json_pointer("/points") / json[best].get<std::string>() / "runs" / 0;
  return json.contains(runs) && json[runs].is_string() ? json[runs].get<std::string>() : std::string();
}

}  // namespace

ModelPath find_model(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) refuse("{} does not exist.", path);
  const fs::path folder = path;
  if (!fs::is_directory(folder, ignored) || fs::exists(folder / "config.json", ignored)) return {path, {}};
  if (const auto grid = try_read_file((folder / "grid.json").string())) {
    if (is_checkpoint((folder / "best/checkpoints/best.h5").string())) {
      ModelPath found = find_model((folder / "best").string());
      found.notes = {
          fmt::format("{} is the directory of a grid; its best run, {}, is used.", path, found.path)};
      return found;
    }
    const std::string run = best_run(*grid);
    refuse("{} is the directory of a grid; name one of its runs{}.", path,
           run.empty() ? "" : ", such as " + (folder / run).string());
  }
  const fs::path checkpoints = folder / "checkpoints";
  if (!fs::is_directory(checkpoints, ignored)) return {path, {}};
  const std::string best = (checkpoints / "best.h5").string();
  CheckpointSearch search;
  if (is_checkpoint(best))
    search.path = best;
  else
    search = find_newest_checkpoint(checkpoints.string());
  if (!search.path) refuse("{} is a run directory without a {}checkpoint.", path, search.any ? "valid " : "");
  ModelPath found{*search.path, std::move(search.warnings)};
  found.notes.push_back(fmt::format("{} is a run directory; its checkpoint {} is used.", path, found.path));
  return found;
}

}  // namespace nystrom
