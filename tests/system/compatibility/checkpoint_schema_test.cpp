// Checkpoint compatibility: the file that today's program writes has the layout of one that an older program
// wrote, and such a file resumes. checkpoint_schema.txt is the listing of the older program's checkpoint of
// the same case (case.sh); it was recorded with this test:
//
//   NYSTROM_LIST_CHECKPOINT=run/checkpoints/step-00000004.h5 build/tests/checkpoint_schema_test >
//   checkpoint_schema.txt
//
// That the bits are the same too is compared by resume.sh, which needs both programs on one machine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <sstream>

#include "checkpoint_listing.h"
#include "data/hdf5/hdf5_file.h"
#include "program.h"

namespace nystrom {
namespace {

using testing::CheckpointListing;
using testing::Outcome;
using testing::read_bytes;
using testing::run_in;
using testing::TemporaryFolder;

// What later programs added; older ones ignore it, and newer ones do without it.
const std::string kAdded[] = {"/ attribute provenance string"};
const std::string kSettings = "/settings ", kTokenizer = "tokenizer=";  // the digest depends on the machine

/// The listing, and a line for each key of the stored configuration.
std::vector<std::string> listing_of(const std::string& path) {
  std::vector<std::string> lines = CheckpointListing(path).lines();
  std::erase_if(lines, [](const std::string& line) { return line.starts_with(kSettings); });
  for (const std::string& setting : hdf5::File::open(path).read_strings("settings"))
    lines.push_back(kSettings + (setting.starts_with(kTokenizer) ? kTokenizer : setting));
  return lines;
}

std::vector<std::string> recorded() {
  std::vector<std::string> lines;
  std::istringstream text(read_bytes(NYSTROM_SOURCE "/tests/system/compatibility/checkpoint_schema.txt"));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

bool is_setting(const std::string& line) {
  return line.starts_with(kSettings);
}

class CheckpointSchema : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome outcome = run_in(folder_, ". " NYSTROM_SOURCE
                                            "/tests/system/compatibility/case.sh && "
                                            "$nystrom prepare config.yaml && $nystrom pretrain config.yaml");
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    today_ = listing_of(folder_ / "run/checkpoints/step-00000004.h5");
    recorded_ = recorded();
    ASSERT_GT(recorded_.size(), 100U);
  }

  TemporaryFolder folder_;
  std::vector<std::string> today_, recorded_;
};

TEST_F(CheckpointSchema, groups_attributes_and_tensors_are_unchanged) {
  std::erase_if(today_, is_setting);
  std::erase_if(recorded_, is_setting);
  std::ranges::copy(kAdded, std::back_inserter(recorded_));
  std::ranges::sort(recorded_);
  EXPECT_EQ(today_, recorded_);
}

// A newer program may have more keys; one that is gone or has another default makes an old run refuse to
// resume.
TEST_F(CheckpointSchema, stored_configuration_has_every_key_and_value_of_the_old_one) {
  std::erase_if(recorded_, std::not_fn(is_setting));
  EXPECT_THAT(today_, ::testing::IsSupersetOf(recorded_));
}

}  // namespace
}  // namespace nystrom

int main(int count, char** words) {
  if (const char* path = std::getenv("NYSTROM_LIST_CHECKPOINT")) {
    for (const std::string& line : nystrom::listing_of(path)) std::puts(line.c_str());
    return 0;
  }
  ::testing::InitGoogleTest(&count, words);
  return RUN_ALL_TESTS();
}
