// The child process that validates files: what becomes of its sentences, its limits, and the view of stages.

#include "data/hdf5/child_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>
#include <ctime>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kFiles{"a.h5", "b.h5", "c.h5"};

/// What check_in_child says of kFiles; empty if all are valid.
template <typename Refusal = InputError>
std::string said(const std::function<void(const std::string&)>& check, const ChildLimits& limits = {}) {
  try {
    check_in_child(kFiles, limits, check);
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
  return "";
}

void use_the_cpu_forever() {
  while (std::clock() >= 0) {
  }
}

TEST(ChildCheck, valid_files_are_valid_and_a_refusal_keeps_its_sentence) {
  EXPECT_EQ(said([](const std::string&) {}), "");
  EXPECT_EQ(said([](const std::string& file) {
              if (file == "b.h5") refuse("{} is wrong.", file);
            }),
            "b.h5 is wrong.");
}

TEST(ChildCheck, a_crash_is_that_of_the_file_at_hand) {
  EXPECT_THAT(said([](const std::string& file) {
                if (file == "c.h5") ::raise(SIGKILL);
              }),
              HasSubstr("c.h5 makes the HDF5 library crash"));
}

TEST(ChildCheck, time_is_limited_on_the_cpu_and_for_each_file) {
  EXPECT_THAT(said(
                  [](const std::string& file) {
                    if (file == "b.h5") use_the_cpu_forever();
                  },
                  {.seconds = 0.1}),
              HasSubstr("b.h5 takes the HDF5 library too long to read; it is corrupt."));
}

// Three files that wait as long as the CPU's limit, each.
TEST(ChildCheck, a_file_that_waits_for_its_disk_is_not_corrupt) {
  const timespec wait{0, 200'000'000};
  EXPECT_EQ(said([&](const std::string&) { ::nanosleep(&wait, nullptr); }, {.seconds = 0.2}), "");
}

TEST(ChildCheck, a_disk_that_hangs_is_reported_as_such) {
  EXPECT_THAT(
      said<Error>([](const std::string&) { ::pause(); }, {.seconds = 0.02}),
      HasSubstr(
          "a.h5 could not be read in time, though it needs little of the CPU: its disk or file server"));
}

/// Notes by which process it was called.
class Processes final : public StageView {
 public:
  void begin(const Stage& /*stage*/) override { begun_ = ::getpid(); }
  void end() override {}
  [[nodiscard]] pid_t begun() const { return begun_; }

 private:
  pid_t begun_ = 0;
};

// A view's thread would leave its locks to the child as they were at the fork.
TEST(ChildCheck, a_stage_begins_after_the_fork) {
  Processes view;
  show_stages(&view);
  const pid_t parent = ::getpid();
  EXPECT_EQ(said([&](const std::string&) {
              if (view.begun() != 0) refuse("The stage began before the fork.");
            }),
            "");
  show_stages(nullptr);
  EXPECT_EQ(view.begun(), parent);
}

}  // namespace
}  // namespace nystrom
