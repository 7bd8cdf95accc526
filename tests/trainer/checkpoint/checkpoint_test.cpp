#include "trainer/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "file_bytes.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/header.h"
#include "trainer/guards/consistency.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::ToyRun;

class Checkpoint : public ::testing::Test {
 protected:
  /// A run of two steps, saved.
  Checkpoint() : comm(make_solo_comm()), run(options(), *comm) {
    (void)run.trainer->run();
    path = checkpoint_path(folder.path(), 2);
  }
  TrainerOptions options() {
    TrainerOptions all = testing::toy_trainer(2);
    all.checkpoint_folder = folder.path();
    return all;
  }
  static std::string refusal(const std::string& file) {
    try {
      verify_checkpoint(file);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder;
  std::unique_ptr<Comm> comm;
  ToyRun run;
  std::string path;
};

TEST_F(Checkpoint, a_state_that_is_missing_is_refused_with_the_key_that_it_follows_from) {
  const CheckpointReader reader(path);
  ParameterStore& store = run.network.parameters();
  const OwnedTensor values(DType::kF32, {store.flat_size()});
  const auto refused = [&](std::string_view state) -> std::string {
    try {
      reader.load_state(state, store.all(), values, Memory::host());
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refused("exp_avg"), "");
  EXPECT_THAT(refused("ema"),
              HasSubstr("has no optimizer state `ema`; it was written without `training.ema_decay`."));
  EXPECT_THAT(refused("momentum"), HasSubstr("it was written with another `optimizer.kind`."));
}

TEST_F(Checkpoint, round_trip_is_bit_exact) {
  const CheckpointReader reader(path);
  EXPECT_EQ(reader.state().step, 2);
  EXPECT_EQ(reader.state().samples, 16);
  EXPECT_EQ(reader.state().updates, 2);
  EXPECT_GT(reader.state().seconds, 0);
  EXPECT_EQ(reader.identity().seed, 3U);
  EXPECT_EQ(reader.identity().configuration, "seed: 3\n");
  EXPECT_EQ(reader.identity().settings, options().identity.settings);
  EXPECT_EQ(reader.identity().tokenizer, std::string("toy\0tokenizer", 13));
  EXPECT_EQ(reader.identity().tokenizer_kind, "toy");
  EXPECT_EQ(reader.head(), HeadConfig(HeadKind::kPretraining));
  const ModelConfig& model = reader.model();
  EXPECT_EQ(model.vocabulary_size, testing::kToyVocabulary);
  EXPECT_EQ(model.attention.landmarks, 4);
  EXPECT_EQ(model.attention.taps, 3);
  EXPECT_EQ(model.dropout, 0.1);

  ToyRun other(testing::toy_trainer(2), *comm);
  auto optimizer = make_optimizer({}, other.network.parameters());
  reader.load_weights(other.network.parameters());
  reader.load_optimizer(other.network.parameters(), *optimizer);
  EXPECT_EQ(other.weights(), run.weights());
  EXPECT_EQ(optimizer->updates(), 2);
  double moments = 0;
  for (const auto& state : optimizer->states())
    for (const float value : state.values.span<float>()) moments += std::abs(value);
  EXPECT_GT(moments, 0);
}

TEST_F(Checkpoint, reads_single_tensors_by_hugging_face_name) {
  const CheckpointReader reader(path);
  const std::string name = "nystromformer.encoder.layer.1.attention.self.conv.weight";
  const auto values = reader.read_tensor(name);
  const Parameter* parameter = run.network.parameters().find(name);
  ASSERT_NE(parameter, nullptr);
  const auto all = run.weights();
  EXPECT_EQ(values, std::vector<float>(all.begin() + parameter->offset,
                                       all.begin() + parameter->offset + parameter->numel()));
  EXPECT_EQ(reader.tensors().size(), run.network.parameters().count());
  EXPECT_THROW((void)reader.read_tensor("no.such.tensor"), InputError);
}

TEST_F(Checkpoint, equal_state_gives_equal_bytes) {
  const auto optimizer = make_optimizer({}, run.network.parameters());
  const RunState state{.step = 1, .samples = 2, .updates = 1, .seconds = 3};
  for (const char* name : {"a.h5", "b.h5"})
    write_checkpoint((folder / name), run.network, *optimizer, state, options().identity);
  EXPECT_EQ(testing::read_bytes((folder / "a.h5")), testing::read_bytes((folder / "b.h5")));
}

TEST_F(Checkpoint, records_what_wrote_it_without_comparing_it) {
  EXPECT_EQ(CheckpointReader(path).identity().provenance, "") << "as in files of version 0.1.0";
  const auto optimizer = make_optimizer({}, run.network.parameters());
  for (const char* name : {"a", "b"}) {
    RunIdentity identity = options().identity;
    identity.provenance = fmt::format("{{\"host\": \"{}\"}}", name);
    write_checkpoint(folder / (name + std::string(".h5")), run.network, *optimizer, {.step = 1}, identity);
  }
  const CheckpointReader a(folder / "a.h5"), b(folder / "b.h5");
  EXPECT_EQ(a.identity().provenance, "{\"host\": \"a\"}");
  EXPECT_NE(b.identity().provenance, a.identity().provenance);
  EXPECT_EQ(b.identity().settings, a.identity().settings);
  for (const auto& tensor : a.tensors()) EXPECT_EQ(b.read_tensor(tensor.name), a.read_tensor(tensor.name));
  EXPECT_EQ(digest_of(b.identity()), digest_of(a.identity())) << "ranks on two hosts are the same run";
}

TEST_F(Checkpoint, flipped_bit_anywhere_is_detected) {
  const std::string whole = testing::read_bytes(path);
  const std::string damaged = (folder / "damaged.h5");
  const std::size_t stride = whole.size() / 400 + 1;
  std::vector<std::size_t> positions;
  for (std::size_t at = 0; at < kCheckpointHeaderBytes; at += 3) positions.push_back(at);
  for (std::size_t at = kCheckpointHeaderBytes; at < whole.size(); at += stride) positions.push_back(at);
  positions.push_back(whole.size() - 1);
  for (const std::size_t at : positions) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    testing::write_bytes(damaged, bytes);
    EXPECT_THAT(refusal(damaged), HasSubstr(damaged)) << "byte " << at;
    EXPECT_THROW(const CheckpointReader reader(damaged), InputError) << "byte " << at;
  }
}

TEST_F(Checkpoint, truncated_or_extended_file_is_detected) {
  const std::string whole = testing::read_bytes(path);
  const std::string damaged = (folder / "damaged.h5");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{18}, std::size_t{511},
                                 std::size_t{512}, std::size_t{513}, whole.size() / 2, whole.size() - 1}) {
    testing::write_bytes(damaged, whole.substr(0, size));
    EXPECT_THAT(refusal(damaged), HasSubstr(damaged)) << size << " bytes";
  }
  testing::write_bytes(damaged, whole + '\0');
  EXPECT_THAT(refusal(damaged), HasSubstr("is corrupt"));
}

TEST_F(Checkpoint, latest_valid_checkpoint_is_found_and_corrupt_ones_are_named) {
  const std::string whole = testing::read_bytes(path);
  std::string bytes = whole;
  bytes[bytes.size() / 2] ^= 1;
  testing::write_bytes(checkpoint_path(folder.path(), 30), bytes);
  testing::write_bytes(checkpoint_path(folder.path(), 40), whole.substr(0, 700));
  testing::write_bytes(checkpoint_path(folder.path(), 1), whole);
  testing::write_bytes((folder / "step-notanumber.h5"), whole);
  const CheckpointSearch search = find_newest_checkpoint(folder.path());
  EXPECT_EQ(search.path, path);
  EXPECT_TRUE(search.any);
  ASSERT_EQ(search.warnings.size(), 2U);
  EXPECT_THAT(search.warnings[0], HasSubstr("step-00000040.h5"));
  EXPECT_THAT(search.warnings[1], HasSubstr("step-00000030.h5"));
}

TEST_F(Checkpoint, empty_or_missing_directory_has_no_checkpoint) {
  EXPECT_FALSE(find_newest_checkpoint((folder / "missing")).any);
  const TemporaryFolder empty;
  EXPECT_FALSE(find_newest_checkpoint(empty.path()).path.has_value());
}

TEST_F(Checkpoint, pruning_keeps_the_newest_and_removes_temporary_files) {
  for (const std::int64_t step : {1, 3, 10})
    std::filesystem::copy_file(path, checkpoint_path(folder.path(), step));
  const std::string left = path + ".tmp-0123456789abcdef";
  testing::write_bytes(left, "half");
  prune_checkpoints(folder.path(), {.newest = 2}, 10);
  EXPECT_TRUE(std::filesystem::exists(checkpoint_path(folder.path(), 10)));
  EXPECT_TRUE(std::filesystem::exists(checkpoint_path(folder.path(), 3)));
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(folder.path(), 2)));
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(folder.path(), 1)));
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST_F(Checkpoint, every_mismatched_tensor_is_named) {
  ModelConfig model = testing::toy_model();
  model.layers = 1;
  model.attention.taps = 5;
  Network other(model, HeadKind::kMaskedLm, DType::kF32, true);
  try {
    CheckpointReader(path).load_weights(other.parameters());
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path));
    EXPECT_THAT(error.what(),
                HasSubstr("layer.0.attention.self.conv.weight is [2, 1, 3, 1], not [2, 1, 5, 1]"));
    EXPECT_THAT(error.what(), HasSubstr("is unknown to this model"));
    EXPECT_THAT(error.what(), HasSubstr("more"));
  }
}

TEST_F(Checkpoint, unwritable_directory_leaves_no_files) {
  const auto optimizer = make_optimizer({}, run.network.parameters());
  EXPECT_THROW(write_checkpoint((folder / "missing/step-00000001.h5"), run.network, *optimizer, {}, {}),
               Error);
  EXPECT_FALSE(std::filesystem::exists((folder / "missing")));
}

/// Files of this process may not grow beyond this many bytes, as if the disk were full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(Checkpoint, full_disk_leaves_only_the_older_valid_checkpoint) {
  const std::string before = testing::read_bytes(path);
  const auto optimizer = make_optimizer({}, run.network.parameters());
  for (std::size_t bytes = 0; bytes < before.size(); bytes += before.size() / 20 + 1) {
    const FullDisk full(bytes);
    EXPECT_THROW(write_checkpoint(path, run.network, *optimizer, {}, {}), Error) << bytes << " bytes";
  }
  EXPECT_EQ(testing::read_bytes(path), before);
  const auto files = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  write_checkpoint(path, run.network, *optimizer, {}, {});
  verify_checkpoint(path);
}

TEST_F(Checkpoint, other_files_are_not_taken_for_checkpoints) {
  EXPECT_TRUE(is_checkpoint(path));
  testing::write_bytes((folder / "other"), "something else");
  EXPECT_FALSE(is_checkpoint((folder / "other")));
  EXPECT_FALSE(is_checkpoint((folder / "missing")));
  EXPECT_FALSE(is_checkpoint(folder.path()));
}

}  // namespace
}  // namespace nystrom
