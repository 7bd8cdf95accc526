// Checkpoints are written during the run, and do not starve those who read HDF5 files meanwhile.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "data/hdf5/hdf5_file.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

using namespace std::chrono_literals;
using testing::TemporaryFolder;
using testing::ToyRun;

/// Lets no checkpoint get its name before the run has made two steps more (or a long time has passed).
class HoldsBack final : public Observer {
 public:
  void step(const StepReport& report) override {
    const std::lock_guard held(mutex_);
    step_ = report.step;
    moved_.notify_all();
  }
  void saving(std::int64_t step) override {
    std::unique_lock held(mutex_);
    if (moved_.wait_for(held, 60s, [&] { return step_ >= std::min<std::int64_t>(step + 2, 6); })) ++overtaken;
  }
  void saved(const SavedReport& report) override { saves.push_back(report); }

  int overtaken = 0;
  std::vector<SavedReport> saves;

 private:
  std::mutex mutex_;
  std::condition_variable moved_;
  std::int64_t step_ = 0;
};

TEST(Background, training_continues_while_a_consistent_checkpoint_is_written) {
  const TemporaryFolder folder, plain;
  const auto comm = make_solo_comm();
  TrainerOptions options = testing::toy_trainer(6);
  options.save_every = 3;
  options.checkpoint_folder = plain.path();
  ToyRun reference(options, *comm);
  (void)reference.trainer->run_until(3);

  options.checkpoint_folder = folder.path();
  HoldsBack observer;
  ToyRun parts(options, *comm);
  Trainer trainer(options, {parts.context, *comm, parts.network, parts.source, nullptr, observer});
  (void)trainer.run();
  EXPECT_EQ(observer.overtaken, 2);
  ASSERT_EQ(observer.saves.size(), 2U);
  EXPECT_EQ(observer.saves[0].step, 3);
  EXPECT_GT(observer.saves[0].bytes, 10000U);
  for (const auto& tensor : CheckpointReader(checkpoint_path(folder.path(), 3)).tensors())
    EXPECT_EQ(CheckpointReader(checkpoint_path(folder.path(), 3)).read_tensor(tensor.name),
              CheckpointReader(checkpoint_path(plain.path(), 3)).read_tensor(tensor.name))
        << tensor.name;
}

TEST(Background, checkpoint_in_progress_is_finished_when_the_run_fails) {
  const TemporaryFolder folder;
  const auto comm = make_solo_comm();
  TrainerOptions options = testing::toy_trainer(50);
  options.save_every = 1;
  options.checkpoint_folder = folder.path();
  struct Stops final : Observer {
    void step(const StepReport& report) override {
      if (report.step == 2) fail("stop here");
    }
  } observer;
  {
    ToyRun parts(options, *comm);
    Trainer trainer(options, {parts.context, *comm, parts.network, parts.source, nullptr, observer});
    EXPECT_THROW((void)trainer.run(), Error);
  }
  verify_checkpoint(checkpoint_path(folder.path(), 1));
}

TEST(Background, reader_waits_for_one_slice_not_for_the_whole_file) {
  const TemporaryFolder folder;
  const auto comm = make_solo_comm();
  ModelConfig model = testing::toy_model();
  model.vocabulary_size = 60000;
  model.hidden_size = 256;  // 61 MB of embeddings, and twice that of moments
  Network network(model, HeadKind::kMaskedLm, DType::kF32, true);
  const auto optimizer = make_optimizer({}, network.parameters());
  std::atomic<bool> done = false;
  int reads = 0;
  double longest = 0;
  const auto seconds = [](auto since) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
  };
  std::thread reader([&] {
    while (!done) {
      const auto start = std::chrono::steady_clock::now();
      const auto held = hdf5::lock();
      longest = std::max(longest, seconds(start));
      ++reads;
    }
  });
  const auto start = std::chrono::steady_clock::now();
  write_checkpoint((folder / "a.h5"), network, *optimizer, {}, {});
  const double all = seconds(start);
  done = true;
  reader.join();
  EXPECT_GT(reads, 100);  // about 180 slices
  EXPECT_LT(longest, all / 4) << "of " << all << " s";
}

TEST(Background, pause_is_the_time_to_copy) {
  const TemporaryFolder folder;
  const auto comm = make_solo_comm();
  TrainerOptions options = testing::toy_trainer(6);
  options.save_every = 3;
  options.checkpoint_folder = folder.path();
  HoldsBack observer;
  ToyRun parts(options, *comm);
  Trainer trainer(options, {parts.context, *comm, parts.network, parts.source, nullptr, observer});
  (void)trainer.run();
  ASSERT_EQ(observer.saves.size(), 2U);
  EXPECT_LT(observer.saves[0].pause_seconds, observer.saves[0].seconds);
}

}  // namespace
}  // namespace nystrom
