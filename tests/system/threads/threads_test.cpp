// All that runs concurrently with the training thread: the loader's producer, which reads HDF5 files; the
// writer of checkpoints, which writes one; the files of metrics. For ThreadSanitizer (preset `threads`), and
// a test by itself.

#include <gtest/gtest.h>

#include "shard_corpus.h"
#include "toy_run.h"
#include "trainer/batches/loader_source.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/run/run_files.h"

namespace nystrom {
namespace {

TEST(Threads, run_reads_shards_and_writes_checkpoints_concurrently) {
  const testing::TemporaryFolder folder;
  testing::write_shard(folder / "a.h5", testing::make_documents(60));
  LoaderOptions loader = testing::loader_options({folder / "a.h5"}, 24);
  loader.samples.vocabulary_size = testing::kVocabulary;
  loader.prefetch = 3;
  LoaderSource source(loader);

  ModelConfig model = testing::toy_model();
  model.vocabulary_size = testing::kVocabulary;
  Context context(1);
  Network network(model, HeadKind::kPretraining, DType::kF32, true);
  network.initialize(1);
  network.plan(source.limits(), context.threads());
  const auto comm = make_solo_comm();
  TrainerOptions options = testing::toy_trainer(12);
  options.checkpoint_folder = folder.path();
  options.save_every = 1;
  options.keep = {.newest = 2};
  testing::Recorder recorder;
  RunFiles files(folder.path(), 0, recorder);
  Trainer trainer(options, {context, *comm, network, source, nullptr, files.all()});
  EXPECT_EQ(trainer.run(), StopReason::kDone);
  EXPECT_EQ(recorder.saves.size(), 12U);
  verify_checkpoint(checkpoint_path(folder.path(), 12));
  EXPECT_TRUE(recorder.warnings.empty());
}

}  // namespace
}  // namespace nystrom
