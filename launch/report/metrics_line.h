#pragma once
// A line of metrics.jsonl, read in one pass: a run may have millions of them.

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace nystrom {

/// Numbers of a line. Names point into the line.
struct MetricsLine {
  std::int64_t step = 0;
  std::vector<std::pair<std::string_view, double>> numbers;  ///< all but step; null is NaN, true 1, false 0
  struct Array {
    std::string_view name;
    std::vector<double> values;
  };
  std::vector<Array> arrays;  ///< "pinv_residual": by layer
  struct Object {
    std::string_view name;
    std::vector<std::pair<std::string_view, double>> values;
  };
  std::vector<Object> objects;  ///< "epochs_of": by corpus
};

/// False for what MetricsFile does not write: a torn line, text of others. Members that are texts are left
/// out. `line` keeps its memory from call to call.
[[nodiscard]] bool read_metrics_line(std::string_view text, MetricsLine& line);

}  // namespace nystrom
