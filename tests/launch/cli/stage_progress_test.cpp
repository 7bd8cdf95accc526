#include "launch/cli/stage_progress.h"

#include <gtest/gtest.h>

namespace nystrom {
namespace {

TEST(StageText, says_share_count_and_time_left) {
  EXPECT_EQ(stage_text({.stage = "predict", .share = 0.259, .counted = "12 examples", .seconds = 10}),
            "predict: 25 %, 12 examples, 0:29 left");
}

TEST(StageText, of_unknown_share_says_the_time_so_far) {
  EXPECT_EQ(stage_text({.stage = "training the tokenizer", .seconds = 12}), "training the tokenizer: 0:12");
  EXPECT_EQ(stage_text({.stage = "predict", .counted = "3 lines", .seconds = 4}), "predict: 3 lines, 0:04");
}

TEST(StageText, has_no_time_left_before_the_first_advance_and_at_the_end) {
  EXPECT_EQ(stage_text({.stage = "validation", .share = 0, .seconds = 5}), "validation: 0 %");
  EXPECT_EQ(stage_text({.stage = "validation", .share = 1, .seconds = 5}), "validation: 100 %");
}

TEST(StageText, what_an_earlier_start_did_took_this_one_no_time) {
  EXPECT_EQ(stage_text({.stage = "reading text", .share = 0.75, .seconds = 10, .resumed = 0.5}),
            "reading text: 75 %, 0:10 left");
}

}  // namespace
}  // namespace nystrom
