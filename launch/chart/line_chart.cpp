#include "launch/chart/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/html.h"

namespace nystrom {
namespace {

constexpr double kLeft = 58, kRight = 20, kTop = 24, kBottom = 42;
constexpr int kTicksAcross = 5, kTicksUp = 5;

bool can_show(Scale scale, double value) {
  return std::isfinite(value) && (scale == Scale::kLinear || value > 0);
}

/// The plot's axes and what is drawn on them.
class Drawing {
 public:
  explicit Drawing(const LineChart& chart) : chart_(chart) {
    Extent across, up;
    for (const Line& line : chart.lines) {
      for (const Point& point : line.points)
        if (shows(point.x, point.y)) across.add(point.x), up.add(point.y);
      for (const Spread& spread : line.band)
        if (shows(spread)) up.add(spread.low), up.add(spread.high);
    }
    if (chart.from_zero && chart.y_scale == Scale::kLinear) up.add(0);
    x_ = axis_around(across, chart.x_scale, 0);
    y_ = axis_around(up, chart.y_scale, 0.05);
    if (chart.from_zero && chart.y_scale == Scale::kLinear) y_.low = std::min(up.low, 0.0);
    x_.begin = kLeft, x_.end = kChartWidth - kRight;
    y_.begin = kChartHeight - kBottom, y_.end = kTop;
  }

  std::string svg() {
    svg_ = fmt::format("<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                       kChartWidth, kChartHeight, html_escaped(chart_.title));
    draw_axes();
    for (const Line& line : chart_.lines) draw_band(line);
    for (const Mark& mark : chart_.marks) draw_mark(mark);
    for (const Line& line : chart_.lines)
      if (line.look == Line::Look::kFaint) draw_line(line);
    for (const Line& line : chart_.lines)
      if (line.look != Line::Look::kFaint) draw_line(line);
    return svg_ + "</svg>\n";
  }

 private:
  [[nodiscard]] bool shows(double x, double y) const {
    return can_show(chart_.x_scale, x) && can_show(chart_.y_scale, y);
  }

  [[nodiscard]] bool shows(const Spread& spread) const {
    return shows(spread.x, spread.low) && shows(spread.x, spread.high);
  }
  [[nodiscard]] std::string corner(double x, double y) const {
    return fmt::format("{:.1f},{:.1f} ", x_.at(x), y_.at(y));
  }

  void draw_axes() {
    for (const Tick& tick : ticks(chart_.y_scale, y_.low, y_.high, kTicksUp)) {
      const double at = y_.at(tick.value);
      svg_ += fmt::format("<line class=\"grid\" x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\"/>", x_.begin,
                          at, x_.end, at);
      svg_ += fmt::format("<text class=\"tick up\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", x_.begin - 6, at + 4,
                          tick.label);
    }
    for (const Tick& tick : ticks_across()) {
      const double at = x_.at(tick.value);
      svg_ += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\"/>", at,
                          y_.begin, y_.begin + 4);
      svg_ += fmt::format("<text class=\"tick across\" x=\"{:.1f}\" y=\"{}\">{}</text>\n", at, y_.begin + 17,
                          tick.label);
    }
    svg_ += fmt::format("<line class=\"axis\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", x_.begin,
                        y_.begin, x_.end, y_.begin);
    svg_ += fmt::format("<text class=\"name\" x=\"{}\" y=\"14\">{}</text>", 4, html_escaped(chart_.y_name));
    svg_ += fmt::format("<text class=\"name end\" x=\"{}\" y=\"{}\">{}</text>\n", x_.end, kChartHeight - 6,
                        html_escaped(chart_.x_name));
  }

  [[nodiscard]] std::vector<Tick> ticks_across() const {
    std::vector<Tick> found = ticks(chart_.x_scale, x_.low, x_.high, kTicksAcross);
    if (!chart_.whole_x) return found;
    std::erase_if(found,
                  [](const Tick& tick) { return std::abs(tick.value - std::round(tick.value)) > 1e-6; });
    if (x_.high - x_.low < kTicksAcross)  // they had decimals
      for (Tick& tick : found) tick.label = fmt::format("{:.0f}", tick.value);
    return found;
  }

  void draw_band(const Line& line) {
    std::string outline;  // along the upper edge, and back along the lower one
    for (const Spread& spread : line.band)
      if (shows(spread)) outline += corner(spread.x, spread.high);
    for (auto spread = line.band.rbegin(); spread != line.band.rend(); ++spread)
      if (shows(*spread)) outline += corner(spread->x, spread->low);
    if (!outline.empty())
      svg_ +=
          fmt::format("<polygon class=\"band c{}\" points=\"{}\"/>\n", line.color % kPaletteSize, outline);
  }

  void draw_mark(const Mark& mark) {
    if (!std::isfinite(mark.x) || !x_.contains(mark.x)) return;
    const double at = x_.at(mark.x);
    if (mark.kind == Mark::Kind::kCheckpoint) {
      svg_ += fmt::format("<path class=\"checkpoint\" d=\"M{:.1f} {} l-4 -8 h8 z\">{}</path>\n", at, y_.begin,
                          tooltip(mark.name));
      return;
    }
    const bool best = mark.kind == Mark::Kind::kBest;
    svg_ +=
        fmt::format("<line class=\"{0}\" x1=\"{1:.1f}\" y1=\"{2}\" x2=\"{1:.1f}\" y2=\"{3}\">{4}</line>\n",
                    best ? "best" : "resume", at, kTop, y_.begin, tooltip(mark.name));
    if (best)
      svg_ += fmt::format("<text class=\"name {}\" x=\"{:.1f}\" y=\"{}\">{}</text>\n",
                          at > kChartWidth / 2 ? "end" : "", at, 14, html_escaped(mark.name));
  }

  void draw_line(const Line& line) {
    const std::string classes =
        fmt::format("c{}{}{}", line.color % kPaletteSize, line.look == Line::Look::kFaint ? " faint" : "",
                    line.dashed || line.color >= kPaletteSize ? " dashed" : "");
    if (line.look != Line::Look::kDots) draw_path(line, classes);
    if (line.look == Line::Look::kDotted || line.look == Line::Look::kDots) draw_dots(line, classes);
  }

  void draw_path(const Line& line, const std::string& classes) {
    std::string path;
    bool pen_down = false;
    for (const Point& point : line.points) {
      if (!shows(point.x, point.y)) {
        pen_down = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x_.at(point.x), y_.at(point.y));
      pen_down = true;
    }
    if (!path.empty()) svg_ += fmt::format("<path class=\"line {}\" d=\"{}\"/>\n", classes, path);
  }

  void draw_dots(const Line& line, const std::string& classes) {
    const double radius = line.points.size() > 60 ? 1.8 : 3;
    for (const Point& point : line.points)
      if (shows(point.x, point.y))
        svg_ += fmt::format("<circle class=\"dot {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\">{}</circle>\n",
                            classes, x_.at(point.x), y_.at(point.y), radius,
                            tooltip(fmt::format("{} {}: {}", chart_.x_name, number_text(point.x, 7),
                                                number_text(point.y, 5))));
  }

  static std::string tooltip(const std::string& text) {
    return text.empty() ? std::string() : fmt::format("<title>{}</title>", html_escaped(text));
  }

  const LineChart& chart_;
  Axis x_, y_;
  std::string svg_;
};

/// Exponentially weighted sum of the points so far, and of their weights.
struct Average {
  double decay = 0, sum = 0, weight = 0;

  void add(double value) {
    sum = decay * sum + (1 - decay) * value;
    weight = decay * weight + (1 - decay);
  }
};

}  // namespace

bool has_points(const LineChart& chart) {
  return std::ranges::any_of(chart.lines, [&](const Line& line) {
    return std::ranges::any_of(line.points, [&](const Point& point) {
      return can_show(chart.x_scale, point.x) && can_show(chart.y_scale, point.y);
    });
  });
}

std::string svg_of(const LineChart& chart) {
  return Drawing(chart).svg();
}

std::vector<Point> smoothed(const std::vector<Point>& points, double window) {
  if (window <= 1) return points;
  Average from_left{.decay = 1 - 1 / window}, from_right = from_left;
  std::vector<Point> smooth = points;
  std::vector<double> weights(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!std::isfinite(points[i].y)) continue;
    from_left.add(points[i].y);
    smooth[i].y = from_left.sum;
    weights[i] = from_left.weight;
  }
  for (std::size_t i = points.size(); i-- > 0;) {
    if (!std::isfinite(points[i].y)) continue;
    from_right.add(points[i].y);
    smooth[i].y = (smooth[i].y + from_right.sum) / (weights[i] + from_right.weight);
  }
  return smooth;
}

}  // namespace nystrom
