// Whatever happens to a checkpoint's bytes is found, named, and survived by means of the one before.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "file_bytes.h"
#include "format_versions.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::ToyRun;

class Damage : public ::testing::Test {
 protected:
  /// Checkpoints of steps 2 and 4.
  Damage() {
    TrainerOptions all = testing::toy_trainer(4);
    all.checkpoint_folder = folder.path();
    all.save_every = 2;
    const auto comm = make_solo_comm();
    ToyRun run(all, *comm);
    (void)run.trainer->run();
    whole = testing::read_bytes(newest());
  }
  [[nodiscard]] std::string newest() const { return checkpoint_path(folder.path(), 4); }
  [[nodiscard]] std::string before() const { return checkpoint_path(folder.path(), 2); }

  /// The damaged newest one is named and the one before it taken; nothing reads it.
  void expect_passed_over(const std::string& bytes, const std::string& what) const {
    testing::write_bytes(newest(), bytes);
    const CheckpointSearch search = find_newest_checkpoint(folder.path());
    EXPECT_EQ(search.path, before()) << what;
    ASSERT_EQ(search.warnings.size(), 1U) << what;
    EXPECT_THAT(search.warnings[0], HasSubstr(newest())) << what;
    EXPECT_THROW(const CheckpointReader reader(newest()), InputError) << what;
  }

  TemporaryFolder folder;
  std::string whole;
};

/// Positions of the first bytes of each tensor's, attribute's and text's content, found by their names.
std::set<std::size_t> positions_of_names(const std::string& bytes) {
  std::set<std::size_t> found;
  for (const char* name :
       {"\x89HDF",   "OHDR",    "OCHK",       "FHDB",          "FHIB",           "SNOD",       "weights",
        "optimizer", "exp_avg", "exp_avg_sq", "settings",      "tokenizer",      "model",      "step",
        "samples",   "updates", "seed",       "configuration", "format_version", "hidden_size"})
    for (std::size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1))
      for (std::size_t i = 0; i < 12 && at + i < bytes.size(); i += 3) found.insert(at + i);
  return found;
}

TEST_F(Damage, bit_flip_in_any_region_is_detected_and_the_previous_checkpoint_used) {
  std::set<std::size_t> positions = positions_of_names(whole);  // the structure: superblock, headers, names
  EXPECT_GT(positions.size(), 100U);
  for (std::size_t at = 0; at < kCheckpointHeaderBytes; at += 4) positions.insert(at);  // the header
  const std::size_t left = 1000 - std::min<std::size_t>(positions.size(), 600);
  for (std::size_t i = 0; i < left; ++i)
    positions.insert(kCheckpointHeaderBytes + i * (whole.size() - kCheckpointHeaderBytes) / left);
  positions.insert(whole.size() - 1);
  EXPECT_GE(positions.size(), 900U);
  for (const std::size_t at : positions) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    expect_passed_over(bytes, fmt::format("byte {}", at));
  }
}

TEST_F(Damage, truncation_at_any_block_boundary_is_detected) {
  for (std::size_t size = 0; size < whole.size(); size += kCheckpointHeaderBytes)
    expect_passed_over(whole.substr(0, size), fmt::format("{} bytes", size));
  expect_passed_over(whole.substr(0, whole.size() - 1), "one byte less");
  expect_passed_over(whole + '\0', "one byte more");
}

TEST_F(Damage, format_1_is_read) {
  testing::write_bytes(newest(), testing::as_version_1(whole));
  verify_checkpoint(newest());
  EXPECT_EQ(CheckpointReader(newest()).state().step, 4);
  EXPECT_EQ(find_newest_checkpoint(folder.path()).path, newest());
  ASSERT_TRUE(read_checkpoint_header(newest()).has_value());
  EXPECT_EQ(read_checkpoint_header(newest())->version, 1);
}

TEST_F(Damage, bit_flip_in_format_1_is_detected) {
  const std::string old = testing::as_version_1(whole);
  for (std::size_t at = 0; at < kCheckpointHeaderBytes; ++at) {
    std::string bytes = old;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    expect_passed_over(bytes, fmt::format("byte {}", at));
  }
}

TEST_F(Damage, newer_format_is_distinguished_from_corruption) {
  const std::string later = testing::as_later_version(whole, 3);
  testing::write_bytes(newest(), later);
  const CheckpointSearch search = find_newest_checkpoint(folder.path());
  ASSERT_EQ(search.warnings.size(), 1U);
  EXPECT_THAT(search.warnings[0],
              HasSubstr("format 3, but this program reads formats up to 2; use a newer program"));
  std::string damaged = later;
  damaged[later.size() / 2] ^= 1;
  testing::write_bytes(newest(), damaged);
  EXPECT_THAT(find_newest_checkpoint(folder.path()).warnings.at(0), HasSubstr("is corrupt"));
}

TEST_F(Damage, a_header_without_a_digest_is_invalid) {
  std::string bytes = whole;
  const auto at = bytes.find("sha256");
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + kCheckpointHeaderBytes, '\0');
  expect_passed_over(bytes, "no digest");
  bytes = testing::as_later_version(whole, 3);
  bytes.replace(bytes.find("sha256"), 6, "SHA256");
  expect_passed_over(bytes, "no digest in a later version");
}

/// Checkpoints in their own folder; steps only.
class Keep : public Damage {
 protected:
  void add(std::int64_t step, std::optional<double> validation = {}) const {
    const std::string path = checkpoint_path(kept.path(), step);
    testing::write_bytes(path, whole);
    write_checkpoint_header(path, validation);
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(kept.path()))
      all.push_back(entry.path().stem().string().substr(11));
    std::ranges::sort(all);
    return all;
  }
  TemporaryFolder kept;
};

TEST_F(Keep, keeps_newest_every_kth_and_best) {
  add(10, 3.0);
  add(20, 1.0);
  add(30, 2.0);
  add(40, 1.5);
  add(50);
  add(60, 4.0);
  prune_checkpoints(kept.path(), {.newest = 2, .every = 30, .best = 2}, 60);
  EXPECT_THAT(names(), ElementsAre("20", "30", "40", "50", "60"));
  prune_checkpoints(kept.path(), {.newest = 1, .every = 0, .best = 1}, 60);
  EXPECT_THAT(names(), ElementsAre("20", "60"));
}

TEST_F(Keep, corrupt_ones_do_not_count_and_none_is_removed_before_a_valid_one_exists) {
  add(10);
  add(20);
  add(30);
  std::filesystem::resize_file(checkpoint_path(kept.path(), 30), whole.size() / 2);
  prune_checkpoints(kept.path(), {.newest = 2}, 30);
  EXPECT_THAT(names(), ElementsAre("10", "20", "30"));
  add(40);
  prune_checkpoints(kept.path(), {.newest = 2}, 40);
  EXPECT_THAT(names(), ElementsAre("20", "30", "40"));
  add(50);
  prune_checkpoints(kept.path(), {.newest = 2}, 50);
  EXPECT_THAT(names(), ElementsAre("40", "50"));
}

TEST_F(Keep, checkpoints_of_later_steps_are_neither_removed_nor_counted) {
  for (const std::int64_t step : {10, 20, 70, 80, 90}) add(step);
  prune_checkpoints(kept.path(), {.newest = 1}, 20);
  EXPECT_THAT(names(), ElementsAre("20", "70", "80", "90"));
}

TEST_F(Keep, run_keeps_its_best_by_validation_loss) {
  TrainerOptions all = testing::toy_trainer(8);
  all.checkpoint_folder = kept.path();
  all.save_every = 1;
  all.validate_every = 1;
  all.keep = {.newest = 1, .best = 1};
  const auto comm = make_solo_comm();
  ToyRun run(all, *comm);
  (void)run.trainer->run();
  const auto& reports = run.recorder.validations;
  const auto best = std::ranges::min_element(reports, {}, [](const auto& r) { return r.losses.loss; });
  std::set<std::string> expected{"08", fmt::format("{:02}", best->step)};
  const auto found = names();
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), expected);
  EXPECT_EQ(read_checkpoint_header(checkpoint_path(kept.path(), best->step))->validation, best->losses.loss);
}

}  // namespace
}  // namespace nystrom
