// The program, pretraining on two ranks, is killed again and again: a random rank, all, or the launcher; at
// random moments, while a checkpoint is written, when it gets its name. Started again with the same command
// each time, it ends with the same bits as one that was never killed.
//
//   NYSTROM_KILLS=100 build/tests/torture_test      (tests/system/reliability/torture.sh); 10 by default

#include <random>

#include "job_case.h"

namespace nystrom {
namespace {

using testing::Job;
using namespace std::chrono_literals;

constexpr int kSteps = 40;

class Torture : public testing::JobCase {
 protected:
  void SetUp() override {
    write_text();
    const std::string root = folder.path();
    std::ofstream(folder / "run.yaml")
        << "corpus: [{kind: lines, path: " << root << "/text.txt}]\n"
        << "tokenizer: {kind: bpe, vocabulary_size: 120}\n"
        << "output: {directory: " << root << "/prepared, validation_fraction: 0.2}\n"
        << "run: {directory: none, threads: 1}\n"
        << "model: {hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64, max_positions: 64,\n"
        << "        attention: {landmarks: 8, convolution: 3}}\n"
        << "data: {shards: [" << root << "/prepared/train/*.h5], validation: [" << root
        << "/prepared/validation/*.h5]}\n"
        << "training: {steps: " << kSteps << ", global_batch: 16, precision: fp32, check_every: 7}\n"
        << "checkpoint: {every_steps: 2, keep: 3}\n"
        << "evaluation: {every_steps: 5, batches: 2}\n"
        << "communication: {timeout: 60}\n";
    ASSERT_EQ(run({NYSTROM_PROGRAM, "prepare", folder / "run.yaml"}), 0) << said;
    ASSERT_EQ(run(job("straight")), 0) << said;
    length_ = seconds;
  }

  [[nodiscard]] Words job(const std::string& directory) const {
    return {NYSTROM_MPIRUN,
            "--oversubscribe",
            "--bind-to",
            "none",
            "-n",
            "2",
            NYSTROM_PROGRAM,
            "pretrain",
            folder / "run.yaml",
            "--set",
            "run.directory=" + (folder / directory)};
  }

  /// Waits for the moment; false where the job ended before it came.
  bool wait_for_moment(Job& job, const std::string& directory) {
    const auto within = [&](double most) { return std::uniform_real_distribution<double>(0, most)(random_); };
    const int kind = std::uniform_int_distribution<int>(0, 3)(random_);
    const auto milliseconds = [](double time) {
      return std::chrono::milliseconds(static_cast<std::int64_t>(1000 * time));
    };
    // At any moment from the start on; long before the job can have got far, it is killed at its start.
    if (kind < 2) return !job.wait_for(milliseconds(within(1.2 * length_)));
    // While a checkpoint has its temporary name, or as soon as one more has its own.
    if (job.wait_for(milliseconds(within(0.5 * length_)))) return false;
    const std::string checkpoints = (folder / directory) + "/checkpoints";
    const auto before = names_in(checkpoints);
    while (!job.wait_for(0ms)) {
      for (const auto& name : names_in(checkpoints)) {
        const bool temporary = name.find(".tmp-") != std::string::npos;
        if (kind == 2 ? temporary : !temporary && std::ranges::find(before, name) == before.end()) {
          std::this_thread::sleep_for(std::chrono::microseconds(static_cast<int>(within(3000))));
          return true;
        }
      }
    }
    return false;
  }

  static std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code gone;
    for (std::filesystem::directory_iterator it(directory, gone), end; !gone && it != end; it.increment(gone))
      names.push_back(it->path().filename().string());
    return names;
  }

  /// One rank, all at once, or the launcher alone.
  void strike(Job& job) {
    const auto ranks = job.ranks();
    switch (std::uniform_int_distribution<int>(0, 3)(random_)) {
      case 0:
        job.kill_all();
        break;
      case 1:
        job.signal(SIGKILL);
        break;
      default:
        if (ranks.empty()) {
          job.signal(SIGKILL);
          break;
        }
        ::kill(ranks[std::uniform_int_distribution<std::size_t>(0, ranks.size() - 1)(random_)], SIGKILL);
    }
  }

  void write_text() const {
    const char* words[] = {"river", "stone", "walks", "under", "light",
                           "seven", "birds", "and",   "the",   "slow"};
    std::ofstream file(folder / "text.txt");
    std::mt19937 random(1);
    for (int document = 0; document < 200; ++document) {
      for (int sentence = 0; sentence < 6; ++sentence) {
        file << "The";
        for (int word = 0; word < 7; ++word) file << ' ' << words[random() % 10];
        file << ". ";
      }
      file << '\n';
    }
  }

  double length_ = 0;
  std::mt19937 random_{20261122};
};

TEST_F(Torture, repeated_sigkill_ends_with_the_same_bits) {
  const char* wanted = std::getenv("NYSTROM_KILLS");
  const int most = wanted != nullptr ? std::atoi(wanted) : 10;
  int kills = 0, runs = 0;
  while (kills < most) {
    const std::string directory = "run-" + std::to_string(runs++);
    for (bool done = false; !done;) {
      Job job(this->job(directory), output());
      if (kills < most && wait_for_moment(job, directory)) {
        strike(job);
        ++kills;
        ASSERT_NE(job.wait(), 0) << "a killed job ended as if it were done";
        continue;
      }
      ASSERT_EQ(job.wait(), 0) << job.output();
      done = true;
    }
    testing::expect_same_end(folder / "straight", folder / directory, kSteps);
    if (HasFailure()) return;
    std::filesystem::remove_all(folder / directory);
  }
  std::printf("%d kills in %d runs of %d steps; each ended with the bits of one never killed\n", kills, runs,
              kSteps);
}

}  // namespace
}  // namespace nystrom
