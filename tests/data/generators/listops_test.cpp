// ListOps: values, the official form, and whether the samples have the distribution of the benchmark's rule.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "data/generators/listops.h"
#include "data/generators/listops_files.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "listops_levels.h"
#include "rank_threads.h"
#include "shared_folder.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

ListOpsExpression tokens_of(std::string_view text) {
  ListOpsExpression tokens;
  EXPECT_EQ(read_listops_text(text, tokens), "");
  return tokens;
}

std::optional<int> value_of(std::string_view text) {
  return listops_value(tokens_of(text));
}

std::vector<ListOpsExpression> drawn(const ListOpsRule& rule, std::uint64_t seed, std::size_t count) {
  const ListOpsGenerator generator(rule, seed);
  std::vector<ListOpsExpression> all(count);
  for (std::size_t i = 0; i < count; ++i) generator.draw(i, all[i]);
  return all;
}

std::string refusal(const ListOpsRule& rule) {
  try {
    ListOpsExpression expression;
    ListOpsGenerator(rule, 1).draw(0, expression);
  } catch (const InputError& error) {
    return error.what();
  }
  return "not refused";
}

TEST(ListOps, values_are_those_of_the_definitions) {
  EXPECT_EQ(value_of("7"), 7);
  EXPECT_EQ(value_of("[MIN 4 2 9 ]"), 2);
  EXPECT_EQ(value_of("[MAX 4 2 9 ]"), 9);
  EXPECT_EQ(value_of("[MED 4 2 9 ]"), 4);
  EXPECT_EQ(value_of("[MED 1 2 ]"), 1);  // 1.5
  EXPECT_EQ(value_of("[MED 9 3 8 3 ]"), 5);
  EXPECT_EQ(value_of("[SM 9 9 5 ]"), 3);
  EXPECT_EQ(value_of("[MAX 2 9 [MIN 4 7 ] 0 ]"), 9);
  EXPECT_EQ(value_of("[SM [MED 1 8 8 ] [MAX 3 [SM 6 6 ] ] ]"), 1);
}

TEST(ListOps, invalid_expressions_have_no_value) {
  for (const char* text : {"", "]", "[MAX", "[MAX ]", "[MAX 1", "1 2", "[MIN 1 ] 2", "[MIN 1 ] ]", "3 ]"})
    EXPECT_EQ(value_of(text), std::nullopt) << text;
}

TEST(ListOps, the_official_form_is_written_and_read) {
  const auto tokens = tokens_of("[MAX 3 [MIN 1 2 ] 4 ]");
  const std::string text = "( ( ( ( [MAX 3 ) ( ( ( [MIN 1 ) 2 ) ] ) ) 4 ) ] )";
  EXPECT_EQ(listops_text(tokens), text);
  EXPECT_EQ(tokens_of(text), tokens);
  EXPECT_EQ(tokens_of("[MAX 3 [MIN 1 2 X 4 X"), tokens);
  EXPECT_EQ(listops_text(tokens_of("5")), "5");
  ListOpsExpression unused;
  EXPECT_EQ(read_listops_text("( [MAX 12 ) ]", unused), "12");
  EXPECT_EQ(listops_depth(tokens), 3);
  for (const auto& expression : drawn({}, 3, 20)) EXPECT_EQ(tokens_of(listops_text(expression)), expression);
}

TEST(ListOps, files_of_another_generator_have_the_values_and_the_form_that_we_give_them) {
  const auto folder = testing::shared_folder("data/lra/listops");
  if (folder.empty()) GTEST_SKIP() << "There is no ../shared/data/lra/listops.";
  int rows = 0;
  for (const char* name : {"basic_train.tsv", "basic_val.tsv", "basic_test.tsv"}) {
    std::istringstream lines(read_file(folder / name));
    std::string line;
    std::getline(lines, line);
    for (; std::getline(lines, line); ++rows) {
      const auto tab = line.find('\t');
      const auto tokens = tokens_of(line.substr(0, tab));
      EXPECT_EQ(listops_value(tokens), std::stoi(line.substr(tab + 1)));
      EXPECT_EQ(listops_text(tokens), line.substr(0, tab));
    }
  }
  EXPECT_EQ(rows, 1200);
}

// The figures are those of 8,000 expressions of another program; ours have the same number, so that
// differences have 1.4 times the standard error of one side. Tolerances are three and a half of them.
TEST(ListOps, classes_lengths_and_depths_are_those_of_the_benchmark) {
  const auto all = drawn({}, 1, 8000);
  std::array<double, 10> share{};
  std::vector<double> lengths;
  for (const auto& expression : all) {
    share[static_cast<std::size_t>(*listops_value(expression))] += 100.0 / static_cast<double>(all.size());
    lengths.push_back(static_cast<double>(expression.size()));
    EXPECT_GT(expression.size(), 500U);
    EXPECT_LT(expression.size(), 2000U);
    EXPECT_EQ(listops_depth(expression), 10);
  }
  const std::array<double, 10> expected{16.6, 8.8, 7.3, 8.0, 9.0, 8.8, 8.2, 7.4, 8.7, 17.1};
  for (std::size_t c = 0; c < 10; ++c) {
    const double error = std::sqrt(2 * expected[c] * (100 - expected[c]) / 8000);
    EXPECT_NEAR(share[c], expected[c], 3.5 * error) << "class " << c;
  }
  std::ranges::sort(lengths);
  const double mean = std::accumulate(lengths.begin(), lengths.end(), 0.0) / 8000;
  double squares = 0;
  for (const double length : lengths) squares += length * length / 8000;
  const double error = std::sqrt(2 * (squares - mean * mean) / 8000);
  EXPECT_NEAR(mean, 1038, 3.5 * error);
  EXPECT_NEAR(lengths[4000], 958, 5 * error);  // a median's error is a quarter larger
  EXPECT_NEAR(lengths[400], 541, 10);
  EXPECT_NEAR(lengths[7600], 1800, 40);
  EXPECT_NEAR(squares / mean / mean, 1.14, 0.02);
}

TEST(ListOps, one_tree_in_twelve_has_the_length_of_the_benchmark) {
  const auto trees = drawn({.longer_than = 0, .shorter_than = 1'000'000}, 2, 6000);
  const auto kept =
      std::ranges::count_if(trees, [](const auto& t) { return t.size() > 500 && t.size() < 2000; });
  EXPECT_NEAR(static_cast<double>(kept) / 60, 8.2, 1.2);
}

// What the lines 17, 36, 61 and 76 of `nystrom table` mean: the share of right answers of who reads so many
// levels.
TEST(ListOps, levels_that_are_read_bound_the_accuracy) {
  testing::ListOpsPrior prior;
  for (const auto& expression : drawn({}, 11, 4000)) {
    std::size_t at = 0;
    prior.add(testing::listops_tree(expression, at));
  }
  constexpr std::array<double, 4> kExpected{0, 36.3, 61.1, 76.0};
  constexpr int kTrees = 2500;
  std::array<double, 4> right{};
  for (const auto& expression : drawn({}, 12, kTrees)) {
    std::size_t at = 0;
    const auto tree = testing::listops_tree(expression, at);
    for (int levels = 1; levels <= 3; ++levels) {
      const auto guess = prior.guess(tree, levels);
      const auto best = std::ranges::max_element(guess) - guess.begin();
      right[static_cast<std::size_t>(levels)] += best == tree.value ? 100.0 / kTrees : 0;
    }
  }
  for (std::size_t levels = 1; levels <= 3; ++levels)
    EXPECT_NEAR(right[levels], kExpected[levels], 3.5) << levels;
}

TEST(ListOps, an_example_depends_only_on_its_index) {
  const auto forward = drawn({}, 5, 30);
  const ListOpsGenerator generator({}, 5);
  ListOpsExpression expression;
  for (std::size_t i = 30; i-- > 0;) {
    generator.draw(i, expression);
    EXPECT_EQ(expression, forward[i]);
  }
  EXPECT_NE(drawn({}, 6, 1), drawn({}, 5, 1));
}

TEST(ListOps, short_and_shallow_expressions_follow_their_rule) {
  for (const auto& expression :
       drawn({.depth = 4, .arguments = 3, .lists = 0.6, .longer_than = 10, .shorter_than = 40}, 1, 500)) {
    EXPECT_GT(expression.size(), 10U);
    EXPECT_LT(expression.size(), 40U);
    EXPECT_LE(listops_depth(expression), 4);
  }
}

TEST(ListOps, rules_without_expressions_are_refused) {
  EXPECT_THAT(refusal({.depth = 2}), HasSubstr("have at most 12 tokens, none more than 500"));
  EXPECT_THAT(refusal({.longer_than = 500, .shorter_than = 501}),
              HasSubstr("more than 500 and fewer than 501"));
  EXPECT_THAT(refusal({.depth = 0}), HasSubstr("depth is 0"));
  EXPECT_THAT(refusal({.arguments = 1}), HasSubstr("at most 1 arguments"));
  EXPECT_THAT(refusal({.lists = 0}), HasSubstr("share of lists is 0"));
  EXPECT_THAT(refusal({.depth = 2, .longer_than = 1, .shorter_than = 3}), HasSubstr("none had more than 1"));
}

class ListOpsFiles : public ::testing::Test {
 protected:
  static constexpr ListOpsRule kShort{.longer_than = 50, .shorter_than = 100};
  static constexpr ListOpsCounts kCounts{.train = 2500, .validation = 30, .test = 40};

  [[nodiscard]] std::string bytes(const std::string& folder) const {
    std::string all;
    for (const char* name : {"basic_train.tsv", "basic_val.tsv", "basic_test.tsv"})
      all += read_file(folder_ / (folder + "/" + name));
    return all;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ListOpsFiles, have_the_official_layout) {
  EXPECT_EQ(write_listops({kShort, 1}, kCounts, folder_ / "a", {}), 0);
  const std::string test = read_file(folder_ / "a/basic_test.tsv");
  EXPECT_TRUE(test.starts_with("Source\tTarget\r\n( "));
  EXPECT_TRUE(test.ends_with("\r\n"));
  EXPECT_EQ(std::ranges::count(test, '\n'), 41);
  EXPECT_EQ(std::ranges::count(read_file(folder_ / "a/basic_train.tsv"), '\n'), 2501);
  try {
    write_listops({kShort, 1}, kCounts, folder_ / "a", {});
    ADD_FAILURE() << "existing files were written over";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a/basic_train.tsv exists"));
  }
}

TEST_F(ListOpsFiles, are_the_same_for_any_number_of_ranks_and_threads) {
  write_listops({kShort, 1}, kCounts, folder_ / "one", {});
  write_listops({kShort, 1}, kCounts, folder_ / "threads", {.threads = 3});
  testing::run_ranks(3, 1, [&](const Workers& workers) {
    write_listops({kShort, 1}, kCounts, folder_ / "ranks", workers);
  });
  EXPECT_EQ(bytes("threads"), bytes("one"));
  EXPECT_EQ(bytes("ranks"), bytes("one"));
}

TEST_F(ListOpsFiles, have_no_expression_twice) {
  const ListOpsRule tiny{.depth = 2, .arguments = 2, .longer_than = 0, .shorter_than = 5};
  EXPECT_GT(write_listops({tiny, 1}, {.train = 60, .validation = 20, .test = 20}, folder_ / "a", {}), 0);
  std::vector<std::string> rows;
  std::istringstream lines(bytes("a"));
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("Source")) rows.push_back(line);
  ASSERT_EQ(rows.size(), 100U);
  std::ranges::sort(rows);
  EXPECT_EQ(std::ranges::adjacent_find(rows), rows.end());
  try {
    write_listops({tiny, 1}, {.train = 600}, folder_ / "b", {});
    ADD_FAILURE() << "there are 410 expressions";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("too few expressions for 4600 different ones: 410 were found"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "b/basic_train.tsv"));
}

}  // namespace
}  // namespace nystrom
