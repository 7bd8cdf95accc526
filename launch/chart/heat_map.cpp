#include "launch/chart/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/core/html.h"
#include "launch/chart/label.h"
#include "launch/chart/line_chart.h"

namespace nystrom {
namespace {

constexpr double kTop = 40, kLabelLine = 15, kRight = 8, kBottom = 50,
                 kLetter = 7.6;                       // width of a letter on a phone
constexpr std::size_t kMaxLabel = 16, kReadable = 4;  // letters

class Drawing {
 public:
  explicit Drawing(const HeatMap& map) : map_(map) {
    NYSTROM_CHECK(!map.rows.empty() && !map.columns.empty() && map.rows.size() <= kMaxCells &&
                      map.columns.size() <= kMaxCells && map.values.size() == map.rows.size(),
                  "a heat map of {} x {}", map.rows.size(), map.columns.size());
    Extent extent;
    for (const auto& row : map.values)
      for (const double value : row)
        if (map.scale == Scale::kLinear || value > 0) extent.add(value);
    if (map.from_zero) extent.add(0);
    shades_ = axis_around(extent, map.scale, 0);
    shades_.begin = 0, shades_.end = 1;
    measure();
  }

  std::string svg() {
    svg_ = fmt::format("<svg class=\"heat\" viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\">\n",
                       kChartWidth, bottom() + kBottom, html_escaped(map_.title));
    draw_labels();
    for (std::size_t r = 0; r < map_.rows.size(); ++r)
      for (std::size_t c = 0; c < map_.columns.size(); ++c) draw_cell(r, c);
    for (const auto& [r, c] : map_.framed)
      svg_ += fmt::format(
          "<rect class=\"framed\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n", x(c),
          y(r), width_, height_);
    draw_key();
    return svg_ + "</svg>\n";
  }

 private:
  void measure() {
    std::size_t longest = 1;
    for (const auto& row : map_.rows) longest = std::max(longest, label_length(short_label(row, kMaxLabel)));
    left_ = 12 + kLetter * static_cast<double>(longest);
    width_ = (kChartWidth - kRight - left_) / static_cast<double>(map_.columns.size());
    height_ = std::clamp(240.0 / static_cast<double>(map_.rows.size()), 5.0, 30.0);
    staggered_ = letters_of_column() >= kReadable && letters_of_column() < longest_column();
    top_ = kTop + (staggered_ ? kLabelLine : 0);
  }

  [[nodiscard]] double x(std::size_t column) const { return left_ + width_ * static_cast<double>(column); }
  [[nodiscard]] double y(std::size_t row) const { return top_ + height_ * static_cast<double>(row); }
  [[nodiscard]] double bottom() const { return y(map_.rows.size()); }

  void draw_labels() {
    svg_ += fmt::format("<text class=\"name\" x=\"4\" y=\"14\">{}</text>", html_escaped(map_.down));
    svg_ += fmt::format("<text class=\"name end\" x=\"{}\" y=\"14\">{}</text>\n", kChartWidth - kRight,
                        html_escaped(map_.across));
    const std::size_t down = every(map_.rows.size(), height_, 12);
    for (std::size_t r = 0; r < map_.rows.size(); r += down)
      svg_ += fmt::format("<text class=\"tick up\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", left_ - 5,
                          y(r) + height_ / 2 + 4, html_escaped(short_label(map_.rows[r], kMaxLabel)));
    draw_column_labels();
  }

  /// Letters that fit above a column.
  [[nodiscard]] std::size_t letters_of_column() const { return letters_in(width_ - 2); }

  [[nodiscard]] std::size_t longest_column() const {
    std::size_t longest = 1;
    for (const auto& column : map_.columns)
      longest = std::max(longest, label_length(short_label(column, kMaxLabel)));
    return longest;
  }

  static std::size_t letters_in(double width) {
    return static_cast<std::size_t>(std::max(0.0, width / kLetter));
  }

  /// All of them where they are readable, in two lines by turns if they are wider than a column; else every
  /// n-th.
  void draw_column_labels() {
    if (letters_of_column() < kReadable) return draw_some_column_labels();
    for (std::size_t c = 0; c < map_.columns.size(); ++c)
      if (staggered_)
        draw_staggered_label(c);
      else
        draw_column_label(x(c) + width_ / 2, top_ - 6, "across",
                          short_label(map_.columns[c], letters_of_column()));
  }

  void draw_some_column_labels() {
    const std::size_t step =
        every(map_.columns.size(), width_, kLetter * static_cast<double>(longest_column()) + 6);
    for (std::size_t c = 0; c < map_.columns.size(); c += step)
      draw_column_label(x(c) + width_ / 2, top_ - 6, "across", short_label(map_.columns[c], kMaxLabel));
  }

  /// As wide as two columns, within the picture: the last one ends at its edge.
  void draw_staggered_label(std::size_t c) {
    const bool first = c == 0, last = c + 1 == map_.columns.size();
    const double room = first  ? std::min(2 * width_, width_ + 2 * left_) - 4
                        : last ? 1.5 * width_ + kRight - 4
                               : 2 * width_ - 4;
    const double up = c % 2 == 0 ? kLabelLine : 0;
    draw_column_label(last ? kChartWidth - 2 : x(c) + width_ / 2, top_ - 6 - up, last ? "up" : "across",
                      short_label(map_.columns[c], std::min(letters_in(room), kMaxLabel)));
  }

  void draw_column_label(double at, double baseline, const char* anchor, const std::string& label) {
    svg_ += fmt::format("<text class=\"tick {}\" x=\"{:.1f}\" y=\"{}\">{}</text>\n", anchor, at, baseline,
                        html_escaped(label));
  }

  /// Labels are `size` long and their cells `room`: every n-th is written.
  static std::size_t every(std::size_t count, double room, double size) {
    const auto step = static_cast<std::size_t>(std::ceil(size / room));
    return std::clamp<std::size_t>(step, 1, count);
  }

  void draw_cell(std::size_t r, std::size_t c) {
    const double value = map_.values[r][c];
    const bool shown = std::isfinite(value) && (map_.scale == Scale::kLinear || value > 0);
    const double share = shown ? shades_.at(value) : 0;
    const std::string text = map_.texts.empty() ? number_text(value) : map_.texts[r][c];
    svg_ += fmt::format(
        "<rect class=\"cell\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" fill-opacity=\"{:.2f}\">"
        "<title>{}</title></rect>\n",
        x(c), y(r), width_, height_, share,
        html_escaped(
            fmt::format("{} {}, {} {}: {}", map_.down, map_.rows[r], map_.across, map_.columns[c], text)));
    if (map_.texts.empty() || height_ < 14 || kLetter * static_cast<double>(label_length(text)) > width_ - 2)
      return;
    svg_ +=
        fmt::format("<text class=\"cell-text{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                    share > 0.5 ? " on" : "", x(c) + width_ / 2, y(r) + height_ / 2 + 4, html_escaped(text));
  }

  /// The shades and what they stand for, below the cells.
  void draw_key() {
    constexpr int kSteps = 20;
    constexpr double kLength = 160;
    const double top = bottom() + 12, from = left_, length = std::min(kLength, kChartWidth - kRight - left_);
    for (int i = 0; i < kSteps; ++i)
      svg_ += fmt::format(
          "<rect class=\"cell key\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"10\" fill-opacity=\"{:.2f}\"/>",
          from + length * i / kSteps, top, length / kSteps, static_cast<double>(i) / (kSteps - 1));
    svg_ += fmt::format("\n<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", from, top + 24,
                        number_text(shades_.low, 3));
    svg_ += fmt::format("<text class=\"tick up\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", from + length,
                        top + 24, number_text(shades_.high, 3));
  }

  const HeatMap& map_;
  Axis shades_;
  double left_ = 0, top_ = 0, width_ = 0, height_ = 0;
  bool staggered_ = false;  ///< labels of columns are in two lines, by turns
  std::string svg_;
};

}  // namespace

std::string svg_of(const HeatMap& map) {
  return Drawing(map).svg();
}

}  // namespace nystrom
