#pragma once
// The cases of golden/optimizers: a recipe for each optimizer and schedule, and PyTorch's twenty steps.

#include <algorithm>

#include "trajectory.h"

namespace nystrom::testing {

struct OptimizerCase {
  fs::path folder;
  Json reference;

  [[nodiscard]] std::string name() const { return folder.filename().string(); }
  [[nodiscard]] bool averages() const { return fs::exists(folder / "ema.safetensors"); }
  [[nodiscard]] std::int64_t steps() const { return reference["recipe"]["training"]["steps"]; }

  /// The sections of the recipe, in a configuration that runs them.
  [[nodiscard]] Json configuration(std::int64_t micro_batch, const std::string& run) const {
    const auto path = [&](const char* key) {
      return fs::weakly_canonical(folder / std::string(reference[key])).string();
    };
    Json config = reference["recipe"];
    config["run"] = {{"directory", run}, {"threads", 1}};
    config["model"] = {{"from", path("model")}, {"dropout", 0}};
    config["data"] = {{"shards", {path("shards") + "/*.hdf5"}}, {"shuffle", false}};
    config["training"]["micro_batch"] = micro_batch;
    config["training"]["precision"] = "fp32";
    return config;
  }
};

/// All that are next to this checkout, by name.
inline std::vector<OptimizerCase> optimizer_cases() {
  std::vector<OptimizerCase> cases;
  const fs::path folder = shared_folder("golden/optimizers");
  if (folder.empty()) return cases;
  for (const auto& entry : fs::directory_iterator(fs::absolute(folder)))
    if (fs::exists(entry.path() / "trajectory.json"))
      cases.push_back({entry.path(), parsed(entry.path() / "trajectory.json")});
  std::ranges::sort(cases, {}, &OptimizerCase::name);
  return cases;
}

}  // namespace nystrom::testing
