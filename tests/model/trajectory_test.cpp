// Twenty steps of the program, on any number of ranks and with any micro-batch, against PyTorch's.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "launch/model_source.h"
#include "model/safetensors.h"
#include "shared_folder.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::TemporaryFolder;

/// The recipe of trajectory.json as a configuration.
Json configuration(const fs::path& golden, const Json& recipe, std::int64_t micro_batch,
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

Json parsed(const fs::path& path) {
  return Json::parse(read_text_file(path.string()));
}

std::vector<Json> lines_of(const fs::path& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

/// |ours - reference| / |reference|, all weights taken as one vector.
double distance_of_weights(const std::string& checkpoint, const std::string& reference) {
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

using RanksAndMicroBatch = std::tuple<int, int>;

class Trajectory : public ::testing::TestWithParam<RanksAndMicroBatch> {
 protected:
  void SetUp() override {
    golden_ = testing::shared_folder("golden/trajectory");
    if (golden_.empty())
      GTEST_SKIP() << "there are no reference numbers beside this checkout (NYSTROM_SHARED)";
    golden_ = fs::absolute(golden_);
  }

  /// Runs the program under mpirun; its log is told where it fails.
  void train(int ranks, const Json& config) {
    std::ofstream(folder_ / "config.yaml") << config.dump(1);  // JSON is YAML
    const std::string command =
        "cd '" + folder_.path() +
        "' && OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 " +
        "mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n " + std::to_string(ranks) +
        " '" NYSTROM_PROGRAM "' pretrain config.yaml >log.txt 2>&1 </dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << read_text_file(folder_ / "log.txt");
  }

  fs::path golden_;
  TemporaryFolder folder_;
};

TEST_P(Trajectory, is_that_of_pytorch) {
  const auto [ranks, micro_batch] = GetParam();
  const Json reference = parsed(golden_ / "trajectory.json");
  train(ranks, configuration(golden_, reference["recipe"], micro_batch, folder_ / "run"));
  const auto steps = lines_of(folder_ / "run/metrics.jsonl");
  ASSERT_EQ(steps.size(), reference["steps"].size());
  const auto expect_relative = [&](std::size_t at, const char* key, double tolerance) {
    const double ours = steps[at][key], theirs = reference["steps"][at][key];
    EXPECT_NEAR(ours, theirs, tolerance * std::abs(theirs)) << key << " of step " << at + 1;
  };
  for (std::size_t s = 0; s < steps.size(); ++s) {
    EXPECT_EQ(steps[s]["step"], reference["steps"][s]["step"]);
    for (const char* key : {"loss", "mlm_loss", "sop_loss"}) expect_relative(s, key, 1e-5);
    for (const char* key : {"learning_rate", "gradient_norm"}) expect_relative(s, key, 1e-4);
  }
  EXPECT_LT(distance_of_weights(folder_ / "run/checkpoints/step-00000020.h5", golden_ / "final.safetensors"),
            1e-4);
}

INSTANTIATE_TEST_SUITE_P(, Trajectory,
                         ::testing::Combine(::testing::Values(1, 2, 3), ::testing::Values(1, 2, 8)),
                         [](const auto& one) {
                           return "on_" + std::to_string(std::get<0>(one.param)) +
                                  "_ranks_with_micro_batches_of_" + std::to_string(std::get<1>(one.param));
                         });

}  // namespace
}  // namespace nystrom
