#pragma once
// Trajectory test: twenty steps of the program against PyTorch, on either backend.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "launch/models/model_source.h"
#include "model/exchange/safetensors.h"
#include "program.h"
#include "shared_folder.h"

namespace nystrom::testing {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// The recipe of trajectory.json as a configuration.
inline Json configuration(const fs::path& golden, const Json& recipe, std::int64_t micro_batch,
                          const std::string& run) {
  Json config;
  config["run"] = {{"directory", run}, {"threads", 1}};
  config["model"] = {{"from", (golden / "model").string()}, {"dropout", 0}};
  config["data"] = {{"shards", {(golden / "shards" / "*.hdf5").string()}}, {"shuffle", false}};
  config["objective"] = {{"mlm_weight", recipe["mlm_weight"]}, {"sop_weight", recipe["sop_weight"]}};
  config["training"] = {{"steps", recipe["steps"]},
                        {"global_batch", recipe["global_batch"]},
                        {"micro_batch", micro_batch},
                        {"precision", "fp32"},
                        {"clip_norm", recipe["clip_norm"]}};
  config["optimizer"] = {{"learning_rate", recipe["learning_rate"]},
                         {"beta1", recipe["beta1"]},
                         {"beta2", recipe["beta2"]},
                         {"epsilon", recipe["epsilon"]},
                         {"weight_decay", recipe["weight_decay"]}};
  config["schedule"] = {{"warmup_steps", recipe["warmup_steps"]}};
  return config;
}

inline Json parsed(const fs::path& path) {
  return parse_json<Json>(read_file(path.string()));
}

inline std::vector<Json> lines_of(const fs::path& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(parse_json<Json>(line));
  return lines;
}

/// |ours - reference| / |reference|, all weights taken as one vector.
inline double distance_of_weights(const std::string& checkpoint, const std::string& reference) {
  const SafetensorsFile expected(reference);
  const ModelSource source(checkpoint);
  double difference = 0, norm = 0;
  std::size_t met = 0;
  for (const TensorToWrite& tensor : source.stored_tensors()) {
    const StoredTensor* stored = expected.find(tensor.name);
    if (stored == nullptr) {
      ADD_FAILURE() << tensor.name << " is not in the reference";
      continue;
    }
    ++met;
    const std::vector<std::byte> bytes = tensor.bytes();
    std::vector<float> ours(bytes.size() / sizeof(float)), theirs(stored->elements());
    std::memcpy(ours.data(), bytes.data(), bytes.size());
    expected.read<float>(*stored, theirs);
    EXPECT_EQ(ours.size(), theirs.size()) << tensor.name;
    for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
      const double d = static_cast<double>(ours[i]) - static_cast<double>(theirs[i]);
      difference += d * d;
      norm += static_cast<double>(theirs[i]) * static_cast<double>(theirs[i]);
    }
  }
  EXPECT_EQ(met, expected.tensors().size());
  return std::sqrt(difference / norm);
}

/// Every number of every step is the reference's ("steps" of trajectory.json).
inline void expect_steps(const fs::path& run, const Json& reference) {
  const auto steps = lines_of(run / "metrics.jsonl");
  ASSERT_EQ(steps.size(), reference.size());
  const std::pair<const char*, double> tolerances[] = {
      {"loss", 1e-5},          {"mlm_loss", 1e-5}, {"sop_loss", 1e-5},           {"learning_rate", 1e-9},
      {"gradient_norm", 1e-4}, {"beta1", 1e-9},    {"adamw_learning_rate", 1e-9}};
  for (std::size_t s = 0; s < steps.size(); ++s) {
    EXPECT_EQ(steps[s]["step"], reference[s]["step"]);
    for (const auto& [key, tolerance] : tolerances) {
      ASSERT_EQ(steps[s].contains(key), reference[s].contains(key)) << key << " of step " << s + 1;
      if (!reference[s].contains(key)) continue;
      const double ours = steps[s][key], theirs = reference[s][key];
      EXPECT_NEAR(ours, theirs, tolerance * std::abs(theirs)) << key << " of step " << s + 1;
    }
  }
}

/// Runs the program in `folder` under mpirun, with these variables set; a failure shows its log.
inline void train_in(const TemporaryFolder& folder, int ranks, const Json& config,
                     const std::string& environment = {}) {
  std::ofstream(folder / "config.yaml") << config.dump(1);  // JSON is YAML
  const Outcome outcome = run_in(
      folder, environment + " OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 " +
                  "mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n " +
                  std::to_string(ranks) + " $nystrom pretrain config.yaml");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
}

class TrajectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    golden_ = shared_folder("golden/trajectory");
    if (golden_.empty())
      GTEST_SKIP() << "there are no reference numbers next to this checkout (NYSTROM_SHARED)";
    golden_ = fs::absolute(golden_);
    reference_ = parsed(golden_ / "trajectory.json");
  }

  /// The recipe as a configuration of this test.
  [[nodiscard]] Json recipe(std::int64_t micro_batch) const {
    return configuration(golden_, reference_["recipe"], micro_batch, folder_ / "run");
  }

  void train(int ranks, const Json& config, const std::string& environment = {}) {
    train_in(folder_, ranks, config, environment);
  }

  /// Every step's numbers and the last weights are PyTorch's.
  void expect_reference() {
    expect_steps(folder_ / "run", reference_["steps"]);
    EXPECT_LT(
        distance_of_weights(folder_ / "run/checkpoints/step-00000020.h5", golden_ / "final.safetensors"),
        1e-4);
  }

  fs::path golden_;
  Json reference_;
  TemporaryFolder folder_;
};

}  // namespace nystrom::testing
