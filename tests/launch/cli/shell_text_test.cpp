#include "launch/cli/shell_text.h"

#include <gtest/gtest.h>

namespace nystrom {
namespace {

TEST(ShellText, quotes_what_a_shell_would_read) {
  EXPECT_EQ(shell_word("training.steps=10"), "training.steps=10");
  EXPECT_EQ(shell_word("data/été.yaml"), "data/été.yaml");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("data.shards=[a/*.h5]"), "'data.shards=[a/*.h5]'");
  EXPECT_EQ(shell_word("it's $HOME"), R"('it'\''s $HOME')");
}

TEST(ShellText, gives_a_configuration_with_its_overrides) {
  EXPECT_EQ(shell_text("run.yaml", {}), "run.yaml");
  EXPECT_EQ(shell_text("my run.yaml", {"seed=2", "grid={seed: [1, 2]}"}),
            "'my run.yaml' --set seed=2 --set 'grid={seed: [1, 2]}'");
}

}  // namespace
}  // namespace nystrom
