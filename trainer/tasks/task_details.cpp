#include "trainer/tasks/task_details.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/core/json.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;
using Points = std::vector<std::array<double, 2>>;

OrderedJson confusion_json(const Confusion& confusion) {
  return {{"labels", confusion.labels}, {"counts", confusion.counts}};
}

OrderedJson points_json(const Points& points) {
  OrderedJson json = OrderedJson::array();
  const std::size_t every = points.size() / (kMaxScatterPoints + 1) + 1;
  for (std::size_t i = 0; i < points.size(); i += every) json.push_back(points[i]);
  return json;
}

/// Throws OrderedJson::exception for anything but a square of counts.
Confusion confusion_of(const OrderedJson& json) {
  Confusion confusion{json.at("labels").get<std::vector<std::string>>(),
                      json.at("counts").get<std::vector<std::vector<std::int64_t>>>()};
  bool square = confusion.counts.size() == confusion.labels.size();
  for (const auto& row : confusion.counts) square = square && row.size() == confusion.labels.size();
  return square ? confusion : Confusion{};
}

OrderedJson calibration_json(const std::vector<CalibrationBin>& bins) {
  OrderedJson json = OrderedJson::array();
  for (const CalibrationBin& bin : bins) json.push_back({bin.count, bin.confidence, bin.accuracy});
  return json;
}

std::vector<CalibrationBin> calibration_from(const OrderedJson& json) {
  std::vector<CalibrationBin> bins;
  for (const OrderedJson& bin : json)
    bins.push_back({bin.at(0).get<std::int64_t>(), bin.at(1).get<double>(), bin.at(2).get<double>()});
  return bins.size() == kCalibrationBins ? bins : std::vector<CalibrationBin>();
}

OrderedJson worst_json(const std::vector<WorstExample>& examples) {
  OrderedJson json = OrderedJson::array();
  for (const WorstExample& one : examples)
    json.push_back({{"id", one.id},
                    {"truth", one.truth},
                    {"prediction", one.prediction},
                    {"loss", one.loss},
                    {"text", one.text}});
  return json;
}

std::vector<WorstExample> worst_from(const OrderedJson& json) {
  std::vector<WorstExample> examples;
  for (const OrderedJson& one : json)
    examples.push_back({.id = one.at("id").get<std::string>(),
                        .text = one.at("text").get<std::string>(),
                        .truth = one.at("truth").get<std::string>(),
                        .prediction = one.at("prediction").get<std::string>(),
                        .loss = one.at("loss").get<double>()});
  return examples;
}

}  // namespace

std::vector<Judgement> judgements_of(const PredictionTable& table) {
  constexpr std::string_view kProbability = "probability:";
  const auto column = [&](const std::string& name) {
    return static_cast<std::size_t>(std::ranges::find(table.columns, name) - table.columns.begin());
  };
  const std::size_t id = column("id"), prediction = column("prediction"), truth = column("label");
  if (std::max({id, prediction, truth}) >= table.columns.size()) return {};
  const bool classes = std::ranges::any_of(
      table.columns, [&](const std::string& name) { return name.starts_with(kProbability); });
  std::vector<Judgement> all;
  for (const auto& cells : table.rows) {
    Judgement one{.row = all.size(), .id = cells[id], .truth = cells[truth], .prediction = cells[prediction]};
    one.is_right = one.truth == one.prediction;
    double wanted = 0, given = 0;
    if (classes) {
      const std::size_t of_truth = column(std::string(kProbability) + one.truth),
                        of_prediction = column(std::string(kProbability) + one.prediction);
      if (std::max(of_truth, of_prediction) >= cells.size()) return {};  // sets of labels
      if (!parse_number(cells[of_truth], wanted) || !parse_number(cells[of_prediction], given)) return {};
      one.confidence = given;
      one.loss = -std::log(std::max(wanted, 1e-300));
    } else {
      if (!parse_number(one.truth, wanted) || !parse_number(one.prediction, given)) return {};
      one.confidence = std::nan("");
      one.loss = (wanted - given) * (wanted - given);
    }
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<CalibrationBin> calibration_of(const std::vector<Judgement>& judgements) {
  std::vector<CalibrationBin> bins(kCalibrationBins);
  for (const Judgement& one : judgements) {
    if (!(one.confidence >= 0 && one.confidence <= 1)) return {};
    const auto at = static_cast<std::size_t>(one.confidence * static_cast<double>(kCalibrationBins));
    CalibrationBin& bin = bins[std::min(at, kCalibrationBins - 1)];
    ++bin.count;
    bin.confidence += one.confidence;
    bin.accuracy += one.is_right ? 1 : 0;
  }
  if (judgements.empty()) return {};
  for (CalibrationBin& bin : bins) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return bins;
}

double calibration_error(const std::vector<CalibrationBin>& bins) {
  double sum = 0, count = 0;
  for (const CalibrationBin& bin : bins) {
    sum += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
    count += static_cast<double>(bin.count);
  }
  return count > 0 ? sum / count : std::nan("");
}

std::vector<std::size_t> worst_of(const std::vector<Judgement>& judgements) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < judgements.size(); ++i)
    if (!judgements[i].is_right) order.push_back(i);
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return judgements[i].loss; });
  order.resize(std::min(order.size(), kMaxWorst));
  return order;
}

std::string task_details_text(const TaskDetails& details) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [split, confusion] : details.confusions)
    if (confusion.labels.size() <= kMaxConfusionClasses) json["confusion"][split] = confusion_json(confusion);
  for (const auto& [split, points] : details.scatters) json["points"][split] = points_json(points);
  for (const auto& [split, bins] : details.calibrations) json["calibration"][split] = calibration_json(bins);
  for (const auto& [split, examples] : details.worst) json["worst"][split] = worst_json(examples);
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

TaskDetails read_task_details(const std::string& text) {
  const OrderedJson json = try_parse_json<OrderedJson>(text);
  TaskDetails details;
  if (!json.is_object()) return details;
  try {
    if (json.contains("confusion"))
      for (const auto& [split, confusion] : json["confusion"].items())
        details.confusions.emplace_back(split, confusion_of(confusion));
    if (json.contains("points"))
      for (const auto& [split, points] : json["points"].items())
        details.scatters.emplace_back(split, points.get<Points>());
    if (json.contains("calibration"))
      for (const auto& [split, bins] : json["calibration"].items())
        details.calibrations.emplace_back(split, calibration_from(bins));
    if (json.contains("worst"))
      for (const auto& [split, examples] : json["worst"].items())
        details.worst.emplace_back(split, worst_from(examples));
  } catch (const OrderedJson::exception&) {
    return {};
  }
  std::erase_if(details.calibrations, [](const auto& item) { return item.second.empty(); });
  std::erase_if(details.worst, [](const auto& item) { return item.second.empty(); });
  std::erase_if(details.confusions, [](const auto& item) { return item.second.labels.empty(); });
  std::erase_if(details.scatters, [](const auto& item) { return item.second.empty(); });
  return details;
}

}  // namespace nystrom
