#include "trainer/tasks/task_details.h"

#include <cmath>

#include "kernels/core/json.h"

namespace nystrom {
namespace {

using Json = nlohmann::ordered_json;
using Points = std::vector<std::array<double, 2>>;

Json confusion_json(const Confusion& confusion) {
  return {{"labels", confusion.labels}, {"counts", confusion.counts}};
}

Json points_json(const Points& points) {
  Json json = Json::array();
  const std::size_t every = points.size() / (kMaxScatterPoints + 1) + 1;
  for (std::size_t i = 0; i < points.size(); i += every) json.push_back(points[i]);
  return json;
}

/// Throws Json::exception for anything but a square of counts.
Confusion confusion_of(const Json& json) {
  Confusion confusion{json.at("labels").get<std::vector<std::string>>(),
                      json.at("counts").get<std::vector<std::vector<std::int64_t>>>()};
  bool square = confusion.counts.size() == confusion.labels.size();
  for (const auto& row : confusion.counts) square = square && row.size() == confusion.labels.size();
  return square ? confusion : Confusion{};
}

}  // namespace

std::string task_details_text(const TaskDetails& details) {
  Json json = Json::object();
  for (const auto& [split, confusion] : details.confusions)
    if (confusion.labels.size() <= kMaxConfusionClasses) json["confusion"][split] = confusion_json(confusion);
  for (const auto& [split, points] : details.scatters) json["points"][split] = points_json(points);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

TaskDetails read_task_details(const std::string& text) {
  const Json json = try_parse_json<Json>(text);
  TaskDetails details;
  if (!json.is_object()) return details;
  try {
    if (json.contains("confusion"))
      for (const auto& [split, confusion] : json["confusion"].items())
        details.confusions.emplace_back(split, confusion_of(confusion));
    if (json.contains("points"))
      for (const auto& [split, points] : json["points"].items())
        details.scatters.emplace_back(split, points.get<Points>());
  } catch (const Json::exception&) {
    return {};
  }
  std::erase_if(details.confusions, [](const auto& item) { return item.second.labels.empty(); });
  std::erase_if(details.scatters, [](const auto& item) { return item.second.empty(); });
  return details;
}

}  // namespace nystrom
