#pragma once
// details.json of a fine-tuning run: what its report shows in addition to results.json.

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

/// One prediction with its truth.
struct Judgement {
  std::size_t row = 0;  ///< of the split
  std::string id = {}, truth = {}, prediction = {};
  bool is_right = false;
  double confidence = 0;  ///< probability of the prediction; NaN of numbers
  double loss = 0;        ///< -log of the truth's probability; the squared error of a number
};

/// Of a split's predictions (TaskSplit::predictions), row by row; none unless they are classes with a
/// probability each, or numbers, and the table has their truth.
[[nodiscard]] std::vector<Judgement> judgements_of(const PredictionTable& table);

/// Of predictions whose confidence is in one tenth of [0, 1].
struct CalibrationBin {
  std::int64_t count = 0;
  double confidence = 0, accuracy = 0;  ///< means; 0 of none
};

/// An example that was judged worst.
struct WorstExample {
  std::string id, text, truth, prediction;  ///< text: its beginning; may be empty
  double loss = 0;
};

struct TaskDetails {
  std::vector<std::pair<std::string, Confusion>> confusions = {};  ///< by split
  /// Truth and prediction of each example, by split.
  std::vector<std::pair<std::string, std::vector<std::array<double, 2>>>> scatters = {};

  /// Of classes: a bin for each tenth of confidence, by split.
  std::vector<std::pair<std::string, std::vector<CalibrationBin>>> calibrations = {};
  std::vector<std::pair<std::string, std::vector<WorstExample>>> worst = {};  ///< worst first, by split

  [[nodiscard]] bool empty() const { return confusions.empty() && scatters.empty() && worst.empty(); }
};

/// Classes beyond this have no confusion in the file; of more examples, every n-th.
inline constexpr std::size_t kMaxConfusionClasses = 1000, kMaxScatterPoints = 5000;

inline constexpr std::size_t kCalibrationBins = 10, kMaxWorst = 20;

/// Empty where predictions have no confidence.
[[nodiscard]] std::vector<CalibrationBin> calibration_of(const std::vector<Judgement>& judgements);
/// Expected calibration error (Guo et al., arXiv 1706.04599): the mean over predictions of |accuracy -
/// confidence| of their bins. NaN of none.
[[nodiscard]] double calibration_error(const std::vector<CalibrationBin>& bins);
/// Indexes of the wrong ones (of numbers: all) of the largest losses, worst first, at most kMaxWorst.
[[nodiscard]] std::vector<std::size_t> worst_of(const std::vector<Judgement>& judgements);

[[nodiscard]] std::string task_details_text(const TaskDetails& details);
/// Invalid text reads as no details.
[[nodiscard]] TaskDetails read_task_details(const std::string& text);

}  // namespace nystrom
