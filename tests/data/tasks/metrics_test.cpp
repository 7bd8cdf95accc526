// Metrics against the numbers of scikit-learn, scipy, seqeval and SQuAD's counting (make_metrics.py).

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/tasks/metrics/answers.h"
#include "data/tasks/metrics/classification.h"
#include "data/tasks/metrics/correlation.h"
#include "data/tasks/metrics/entities.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;
using Classes = std::vector<std::int32_t>;
using Tags = std::vector<std::string>;
constexpr double kClose = 1e-12;

Json numbers(const char* of) {
  std::ifstream file("tests/data/tasks/metrics.json");
  return Json::parse(file)[of];
}

TEST(Metrics, of_classes_agree_with_scikit_learn) {
  for (const Json& c : numbers("classes")) {
    const auto truth = c["truth"].get<Classes>(), predicted = c["predicted"].get<Classes>();
    EXPECT_NEAR(accuracy(truth, predicted), c["accuracy"], kClose);
    EXPECT_NEAR(f1_of_class(truth, predicted, 1), c["f1_of_1"], kClose);
    EXPECT_NEAR(f1_macro(truth, predicted), c["f1_macro"], kClose);
    EXPECT_NEAR(matthews_correlation(truth, predicted), c["matthews_correlation"], kClose);
  }
}

TEST(Metrics, of_values_agree_with_scipy_ties_included) {
  for (const Json& c : numbers("values")) {
    const auto x = c["x"].get<std::vector<double>>(), y = c["y"].get<std::vector<double>>();
    EXPECT_NEAR(pearson_correlation(x, y), c["pearson"], kClose);
    EXPECT_NEAR(spearman_correlation(x, y), c["spearman"], kClose);
  }
}

TEST(Metrics, of_entities_agree_with_seqeval) {
  for (const Json& c : numbers("entities")) {
    EntityCounts counts;
    for (std::size_t i = 0; i < c["truth"].size(); ++i)
      counts.add(c["truth"][i].get<Tags>(), c["predicted"][i].get<Tags>());
    EXPECT_NEAR(counts.f1(), c["f1"], kClose);
    EXPECT_NEAR(counts.precision(), c["precision"], kClose);
    EXPECT_NEAR(counts.recall(), c["recall"], kClose);
  }
}

TEST(Metrics, of_answers_agree_with_the_official_counting) {
  for (const Json& c : numbers("answers")) {
    const AnswerScore score = score_answer(c["predicted"].get<std::string>(), c["truths"].get<Tags>());
    EXPECT_NEAR(score.f1, c["f1"], kClose) << c;
    EXPECT_NEAR(score.exact, c["exact"], kClose) << c;
  }
}

TEST(Metrics, that_are_undefined_are_nan) {
  EXPECT_TRUE(std::isnan(matthews_correlation(Classes{1, 1, 1}, Classes{0, 1, 1})));
  EXPECT_TRUE(std::isnan(f1_of_class(Classes{0, 0}, Classes{0, 0}, 1)));
  EXPECT_TRUE(std::isnan(accuracy({}, {})));
  const std::vector<double> constant{0.1, 0.1, 0.1}, varied{1, 2, 4};
  EXPECT_TRUE(std::isnan(pearson_correlation(constant, varied)));
  EXPECT_TRUE(std::isnan(spearman_correlation(varied, constant)));
}

TEST(Entities, an_inside_tag_of_another_type_begins_an_entity) {
  const auto found = entities_of(Tags{"I-a", "I-b", "I-b", "O", "B-b", "B-b"});
  EXPECT_EQ(found, (std::vector<Entity>{{"a", 0, 1}, {"b", 1, 3}, {"b", 4, 5}, {"b", 5, 6}}));
}

}  // namespace
}  // namespace nystrom
