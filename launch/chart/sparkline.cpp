#include "launch/chart/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

namespace nystrom {

std::string sparkline(const std::vector<double>& values, std::size_t columns) {
  static constexpr std::array kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<double> finite;
  std::ranges::copy_if(values, std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  const std::size_t count = std::min(columns, finite.size());
  std::vector<double> means;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i * finite.size() / count, end = (i + 1) * finite.size() / count;
    double sum = 0;
    for (std::size_t k = begin; k < end; ++k) sum += finite[k];
    means.push_back(sum / static_cast<double>(end - begin));
  }
  if (means.empty()) return "";
  const auto [least, most] = std::ranges::minmax(means);
  std::string text;
  for (const double mean : means) {
    const double share = most > least ? (mean - least) / (most - least) : 0;
    text += kBlocks[static_cast<std::size_t>(std::lround(share * (kBlocks.size() - 1)))];
  }
  return text;
}

}  // namespace nystrom
