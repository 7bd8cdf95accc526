#include "data/tasks/metrics/entities.h"

#include <algorithm>
#include <limits>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

struct Tag {
  char prefix = 'O';
  std::string type;

  Tag() = default;
  explicit Tag(const std::string& text) {
    if (text.empty()) return;
    prefix = text[0];
    if (prefix == 'O') return;
    const std::string rest = text.substr(1);
    const std::size_t dash = rest.find('-');
    type = dash == std::string::npos ? rest : rest.substr(dash + 1);
    if (type.empty()) type.push_back('_');
  }
  [[nodiscard]] bool is(const char* prefixes) const {
    return std::string(prefixes).find(prefix) != std::string::npos;
  }
};

bool ends(const Tag& last, const Tag& tag) {
  if (last.is("ES")) return true;
  if (last.is("BI") && tag.is("BSO")) return true;
  return !last.is("O.") && last.type != tag.type;
}

bool begins(const Tag& last, const Tag& tag) {
  if (tag.is("BS")) return true;
  if (last.is("ESO") && tag.is("EI")) return true;
  return !tag.is("O.") && last.type != tag.type;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? std::numeric_limits<double>::quiet_NaN()
                    : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::vector<Entity> entities_of(std::span<const std::string> tags) {
  std::vector<Entity> found;
  Tag last;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= tags.size(); ++i) {
    Tag tag = i < tags.size() ? Tag(tags[i]) : Tag();
    if (ends(last, tag)) found.push_back({last.type, begin, i});
    if (begins(last, tag)) begin = i;
    last = std::move(tag);
  }
  return found;
}

void EntityCounts::add(std::span<const std::string> truth, std::span<const std::string> predicted) {
  NYSTROM_CHECK(truth.size() == predicted.size(), "{} true tags, {} predicted", truth.size(),
                predicted.size());
  const auto true_ones = entities_of(truth), predicted_ones = entities_of(predicted);
  truths += static_cast<std::int64_t>(true_ones.size());
  predictions += static_cast<std::int64_t>(predicted_ones.size());
  for (const auto& entity : predicted_ones) right += std::ranges::count(true_ones, entity);
}

double EntityCounts::precision() const {
  return share(right, predictions);
}
double EntityCounts::recall() const {
  return share(right, truths);
}
double EntityCounts::f1() const {
  return share(2 * right, truths + predictions);
}

}  // namespace nystrom
