#include "kernels/core/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Shows the calling thread's stages while it lives.
class Seen final : public StageView {
 public:
  Seen() { show_stages(this); }
  ~Seen() override { show_stages(nullptr); }
  void begin(const Stage& stage) override { events.push_back("begin " + stage.name()); }
  void end() override { events.emplace_back("end"); }

  std::vector<std::string> events;
};

TEST(Stage, within_another_is_not_seen) {
  Seen seen;
  {
    const Stage outer("outer");
    const Stage inner("inner");
  }
  const Stage next("next");
  EXPECT_THAT(seen.events, ElementsAre("begin outer", "end", "begin next"));
}

TEST(Stage, of_another_thread_is_not_seen) {
  const Seen seen;
  std::thread([] { const Stage stage("elsewhere"); }).join();
  EXPECT_THAT(seen.events, IsEmpty());
}

TEST(Stage, knows_its_share_by_advances_of_any_thread) {
  Stage stage("reading", 8);
  EXPECT_EQ(stage.share(), 0);
  stage.advance();
  std::thread([&stage] { stage.advance(3); }).join();
  EXPECT_EQ(stage.share(), 0.5);
  stage.advance(100);
  EXPECT_EQ(stage.share(), 1);
}

TEST(Stage, of_unknown_size_has_no_share) {
  Stage stage("training"), input("predict", 1);
  stage.advance(5);
  input.reach(-1);
  EXPECT_LT(stage.share(), 0);
  EXPECT_LT(input.share(), 0);
  input.reach(0.25);
  EXPECT_EQ(input.share(), 0.25);
}

TEST(Stage, counts_in_its_unit) {
  Stage stage("predict", 1, "examples");
  EXPECT_EQ(stage.counted(), "");
  stage.count(12);
  EXPECT_EQ(stage.counted(), "12 examples");
}

}  // namespace
}  // namespace nystrom
