// A disk that is full, read-only, over quota, gone, or that cannot rename: at every single call that a
// checkpoint makes, and for whole programs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "failing_calls.h"
#include "file_bytes.h"
#include "kernels/core/json.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/metrics/append_file.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::ToyRun;

constexpr std::int64_t kForEver = 1'000'000'000;

/// Calls under a folder fail while this lives.
class Failing {
 public:
  Failing(const std::string& folder, std::int64_t first, std::int64_t last, int error,
          const char* only = nullptr) {
    failing_calls_arm(folder.c_str(), first, last, error, only);
  }
  ~Failing() { failing_calls_arm(nullptr, 1, 0, 0, nullptr); }
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
};

/// Every file in the folder is complete, and named as a checkpoint.
void expect_only_whole_checkpoints(const std::string& folder, const std::string& what) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_TRUE(entry.path().filename().string().starts_with("step-")) << entry.path() << ", " << what;
    EXPECT_NO_THROW(verify_checkpoint(entry.path())) << what;
  }
}

TrainerOptions saving_each_step(const std::string& folder, std::int64_t steps) {
  TrainerOptions options = testing::toy_trainer(steps);
  options.checkpoint_folder = folder;
  options.save_every = 1;
  return options;
}

/// All weights and moments of a checkpoint, one after another: what is there must be what was to be written.
std::vector<float> values_in(const std::string& path, ParameterStore& store) {
  const CheckpointReader reader(path);
  const auto optimizer = make_optimizer({}, store);
  reader.load_optimizer(store, *optimizer);
  std::vector<float> all;
  for (const auto& tensor : reader.tensors()) {
    const auto values = reader.read_tensor(tensor.name);
    all.insert(all.end(), values.begin(), values.end());
  }
  for (const auto& state : optimizer->states()) {
    const auto values = state.values.span<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// A run of two steps (a checkpoint in the background, then the last) in which call n fails. True if that
/// cost a checkpoint: HDF5 also makes calls whose failure it expects.
bool run_with_failing_call(std::int64_t n, std::int64_t calls_of_first, int error,
                           const std::vector<std::vector<float>>& expected) {
  const std::string what = fmt::format("call {}", n);
  const TemporaryFolder folder(testing::fast_place());
  const auto comm = make_solo_comm();
  ToyRun run(saving_each_step(folder.path(), 2), *comm);
  std::string problem;
  {
    const Failing failing(folder.path(), n, n, error);
    try {
      (void)run.trainer->run();
    } catch (const Error& failure) {
      problem = failure.what();
    }
  }
  EXPECT_EQ(run.weights(), expected.at(0)) << what;
  expect_only_whole_checkpoints(folder.path(), what);
  const bool first = n <= calls_of_first;
  verify_checkpoint(checkpoint_path(folder.path(), first ? 2 : 1));
  EXPECT_TRUE(first ? problem.empty() : run.recorder.warnings.empty()) << what << ": " << problem;
  const std::string said = first && !run.recorder.warnings.empty() ? run.recorder.warnings[0] : problem;
  for (const std::size_t step : {1U, 2U}) {
    const std::string path = checkpoint_path(folder.path(), static_cast<std::int64_t>(step));
    if (fs::exists(path)) {
      EXPECT_EQ(values_in(path, run.network.parameters()), expected.at(step)) << what;
    }
  }
  if (said.empty()) {
    verify_checkpoint(checkpoint_path(folder.path(), first ? 1 : 2));
    return false;
  }
  EXPECT_THAT(said, HasSubstr(fmt::format("step-0000000{}.h5 could not be written", first ? 1 : 2))) << what;
  EXPECT_THAT(said, HasSubstr(std::strerror(error))) << what;
  return true;
}

TEST(FullDisk, every_failing_call_is_survived_or_reported) {
  const auto comm = make_solo_comm();
  std::int64_t calls = 0, calls_of_first = 0, effective = 0;
  std::vector<std::vector<float>> expected;  // weights at the end, checkpoint 1, checkpoint 2
  {
    const TemporaryFolder folder(testing::fast_place());
    ToyRun run(saving_each_step(folder.path(), 2), *comm);
    {
      const Failing counted(folder.path(), 1, 0, 0);
      (void)run.trainer->run_until(1);
      calls_of_first = failing_calls_counted();
      (void)run.trainer->run();
      calls = failing_calls_counted();
    }
    expected = {run.weights(), values_in(checkpoint_path(folder.path(), 1), run.network.parameters()),
                values_in(checkpoint_path(folder.path(), 2), run.network.parameters())};
  }
  EXPECT_GT(calls_of_first, 50);
  EXPECT_GE(calls, 2 * calls_of_first);
  // Every single call where NYSTROM_ALL_CALLS is set (a minute or two); else each seventh.
  const std::int64_t stride = std::getenv("NYSTROM_ALL_CALLS") == nullptr ? 7 : 1;
  std::int64_t tried = 0;
  for (std::int64_t n = 1; n <= calls; n += stride, ++tried)
    effective += run_with_failing_call(n, calls_of_first, n % 2 == 0 ? ENOSPC : EIO, expected) ? 1 : 0;
  EXPECT_GE(effective, tried * 3 / 4);
}

TEST(FullDisk, persistent_failure_leaves_older_checkpoints_valid) {
  for (const int error : {ENOSPC, EDQUOT, EROFS}) {
    for (const std::int64_t first : {1, 2, 30, 60, 90}) {
      const TemporaryFolder folder(testing::fast_place());
      const auto comm = make_solo_comm();
      ToyRun run(saving_each_step(folder.path(), 4), *comm);
      (void)run.trainer->run_until(2);
      {
        const Failing failing(folder.path(), first, kForEver, error);
        EXPECT_THROW((void)run.trainer->run(), Error);
      }
      EXPECT_EQ(run.trainer->state().step, 4);
      verify_checkpoint(checkpoint_path(folder.path(), 2));
      expect_only_whole_checkpoints(folder.path(), std::strerror(error));
    }
  }
}

TEST(FullDisk, stale_rename_is_a_failed_checkpoint) {
  const TemporaryFolder folder;
  const auto comm = make_solo_comm();
  ToyRun run(saving_each_step(folder.path(), 3), *comm);
  {
    const Failing failing(folder.path(), 1, 1, ESTALE, "rename");
    (void)run.trainer->run();
  }
  ASSERT_EQ(run.recorder.warnings.size(), 1U);
  EXPECT_THAT(run.recorder.warnings[0], HasSubstr("cannot be renamed"));
  EXPECT_FALSE(fs::exists(checkpoint_path(folder.path(), 1)));
  expect_only_whole_checkpoints(folder.path(), "after a failed rename");
}

TEST(FullDisk, run_stops_after_failures_allowed_consecutive_failures) {
  const TemporaryFolder folder;
  const auto comm = make_solo_comm();
  TrainerOptions options = saving_each_step(folder.path(), 20);
  options.failures_allowed = 2;
  ToyRun run(options, *comm);
  (void)run.trainer->run_until(3);
  try {
    const Failing failing(folder.path(), 1, kForEver, ENOSPC);
    (void)run.trainer->run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("3 in a row failed, and `checkpoint.failures_allowed` is 2"));
    EXPECT_THAT(error.what(), HasSubstr("No space left on device"));
  }
  EXPECT_EQ(run.recorder.warnings.size(), 2U);
  EXPECT_LT(run.trainer->state().step, 10);
  verify_checkpoint(checkpoint_path(folder.path(), 3));
}

TEST(FullDisk, failures_that_are_not_consecutive_are_not_summed) {
  const TemporaryFolder folder;
  const auto comm = make_solo_comm();
  TrainerOptions options = saving_each_step(folder.path(), 9);
  options.failures_allowed = 1;
  ToyRun run(options, *comm);
  for (std::int64_t step = 2; step <= 8; step += 2) {
    (void)run.trainer->run_until(step - 1);
    const Failing failing(folder.path(), 1, 1, ESTALE, "rename");
    (void)run.trainer->run_until(step);
  }
  EXPECT_EQ(run.trainer->run(), StopReason::kDone);
  EXPECT_EQ(run.recorder.warnings.size(), 4U);
}

TEST(FullDisk, directory_deleted_during_the_run_is_reported) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "checkpoints");
  const auto comm = make_solo_comm();
  ToyRun run(saving_each_step(folder / "checkpoints", 4), *comm);
  (void)run.trainer->run_until(2);
  fs::remove_all(folder / "checkpoints");
  (void)run.trainer->run_until(3);
  ASSERT_EQ(run.recorder.warnings.size(), 1U);
  EXPECT_THAT(run.recorder.warnings[0], HasSubstr("No such file or directory"));
  EXPECT_THROW((void)run.trainer->run(), Error);
}

TEST(AppendFile, keeps_records_in_memory_while_the_disk_is_full) {
  const TemporaryFolder folder;
  std::vector<std::string> warnings;
  AppendFile file(folder / "log", AppendFile::Open::kAny,
                  [&](const std::string& sentence) { warnings.push_back(sentence); });
  file.append("one\n");
  {
    const Failing failing(folder.path(), 1, kForEver, ENOSPC);
    file.append("two\n");
    file.append("three\n");
    EXPECT_THROW(file.sync(), Error);
  }
  EXPECT_EQ(testing::read_bytes(folder / "log"), "one\n");
  file.append("four\n");
  file.sync();
  EXPECT_EQ(testing::read_bytes(folder / "log"), "one\ntwo\nthree\nfour\n");
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_THAT(warnings[0], HasSubstr("No space left on device"));
  EXPECT_THAT(warnings[1], HasSubstr("no record was lost"));
}

TEST(AppendFile, limits_the_memory_of_pending_records) {
  const TemporaryFolder folder;
  AppendFile file(folder / "log", AppendFile::Open::kAny);
  const Failing failing(folder.path(), 1, kForEver, ENOSPC);
  const std::string block(16 << 20, 'x');
  for (int i = 0; i < 4; ++i) file.append(block);
  EXPECT_THROW(file.append(block), Error);
}

TEST(AppendFile, files_respect_the_umask) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(027);
  const AppendFile file(folder / "log", AppendFile::Open::kNew);
  const auto comm = make_solo_comm();
  ToyRun run(saving_each_step(folder.path(), 1), *comm);
  (void)run.trainer->run();
  ::umask(before);
  for (const auto& path : {folder / "log", checkpoint_path(folder.path(), 1)})
    EXPECT_EQ(static_cast<unsigned>(fs::status(path).permissions()), 0640U) << path;
}

/// The toy job (30 steps, a checkpoint every second one) under a preloaded library; gives its exit status.
int run_job(const std::string& folder, const std::string& environment, std::string& output) {
  const std::string log = folder + ".log";
  const int status = std::system(
      fmt::format("OMP_NUM_THREADS=1 {} '{}' '{}' 30 > '{}' 2>&1", environment, NYSTROM_TOY_JOB, folder, log)
          .c_str());
  output = testing::read_bytes(log);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::vector<nlohmann::json> metrics_of(const std::string& directory) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(testing::read_bytes(directory + "/metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(parse_json<nlohmann::json>(line));
    std::erase_if(lines.back().get_ref<nlohmann::json::object_t&>(),
                  [](const auto& item) { return item.first.find("second") != std::string::npos; });
  }
  return lines;
}

TEST(FullDisk, program_on_a_full_disk_resumes_to_the_same_result) {
  const TemporaryFolder folder;
  std::string output;
  ASSERT_EQ(run_job(folder / "straight", "", output), 0) << output;
  for (const std::int64_t first : {1, 3, 9, 200, 700, 1500, 2200}) {
    const std::string run = folder / fmt::format("run-{}", first);
    const std::string environment =
        fmt::format("LD_PRELOAD='{}' FAILING_CALLS_FOLDER='{}' FAILING_CALLS_FIRST={} FAILING_CALLS_LAST={}",
                    NYSTROM_FAILING_CALLS, run, first, kForEver);
    EXPECT_THAT(run_job(run, environment, output), AnyOf(1, 2)) << "from call " << first;
    EXPECT_THAT(output, HasSubstr("No space left on device")) << "from call " << first;
    EXPECT_TRUE(find_newest_checkpoint(run + "/checkpoints").warnings.empty()) << "from call " << first;
    ASSERT_EQ(run_job(run, "", output), 0) << output;
    EXPECT_EQ(metrics_of(run), metrics_of(folder / "straight")) << "from call " << first;
    const CheckpointReader a(checkpoint_path(run + "/checkpoints", 30)),
        b(checkpoint_path(folder / "straight/checkpoints", 30));
    for (const auto& tensor : a.tensors())
      EXPECT_EQ(a.read_tensor(tensor.name), b.read_tensor(tensor.name)) << tensor.name;
  }
}

}  // namespace
}  // namespace nystrom
