// Charts, by their numbers: ticks, positions, shades.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "launch/chart/bar_chart.h"
#include "launch/chart/figure.h"
#include "launch/chart/heat_map.h"
#include "launch/chart/label.h"
#include "launch/chart/line_chart.h"
#include "launch/chart/scale.h"
#include "launch/chart/standalone.h"
#include "occurrences.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::occurrences;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> labels(Scale scale, double low, double high, int wanted = 5) {
  std::vector<std::string> found;
  for (const Tick& tick : ticks(scale, low, high, wanted)) found.push_back(tick.label);
  return found;
}

/// Coordinates of the first path of a line.
std::vector<double> path_of(const std::string& svg) {
  std::smatch match;
  if (!std::regex_search(svg, match, std::regex("<path class=\"line[^\"]*\" d=\"([^\"]*)\""))) return {};
  const std::string path = match[1];
  std::vector<double> numbers;
  const std::regex number("[0-9.]+");
  for (std::sregex_iterator i(path.begin(), path.end(), number), end; i != end; ++i)
    numbers.push_back(std::stod(i->str()));
  return numbers;
}

LineChart chart_of(std::vector<Point> points) {
  return {.title = "t",
          .x_name = "step",
          .y_name = "nats",
          .lines = {{.name = "a", .points = std::move(points)}}};
}

TEST(Ticks, are_round_and_within_the_ends) {
  EXPECT_THAT(labels(Scale::kLinear, 0, 3000), ElementsAre("0", "1000", "2000", "3000"));
  EXPECT_THAT(labels(Scale::kLinear, 130, 20900), ElementsAre("5k", "10k", "15k", "20k"));
  EXPECT_THAT(labels(Scale::kLinear, 4.93, 9.21), ElementsAre("5", "6", "7", "8", "9"));
  EXPECT_THAT(labels(Scale::kLinear, -1, 1), ElementsAre("-1.0", "-0.5", "0", "0.5", "1.0"));
}

TEST(Ticks, of_a_narrow_range_have_the_decimals_that_tell_them_apart) {
  EXPECT_THAT(labels(Scale::kLinear, 9.131, 9.172), ElementsAre("9.14", "9.15", "9.16", "9.17"));
  EXPECT_THAT(labels(Scale::kLinear, 1234000, 1236000),
              ElementsAre("1.2340M", "1.2345M", "1.2350M", "1.2355M", "1.2360M"));
}

TEST(Ticks, of_small_numbers_are_powers_of_ten) {
  EXPECT_THAT(labels(Scale::kLinear, 0, 5e-5), ElementsAre("0", "1e-5", "2e-5", "3e-5", "4e-5", "5e-5"));
}

TEST(Ticks, on_a_log_scale_are_powers_of_ten_and_their_twos_and_fives) {
  EXPECT_THAT(labels(Scale::kLog, 1, 1e6, 7), ElementsAre("1", "10", "100", "1000", "10k", "100k", "1M"));
  EXPECT_THAT(labels(Scale::kLog, 1.5, 60), ElementsAre("2", "5", "10", "20", "50"));
  EXPECT_THAT(labels(Scale::kLog, 1e-12, 1e12, 5).size(), 5U);
  EXPECT_THAT(labels(Scale::kLog, 4.9, 9.2), ElementsAre("5", "6", "7", "8", "9"));
}

TEST(Ticks, stay_few_whatever_the_range) {
  for (const double low : {-3e9, -7.3, 0.0, 1e-9, 0.12, 5.0, 12345.0})
    for (const double length : {1e-7, 0.03, 1.0, 7.0, 333.0, 1e8}) {
      if (length < 1e-9 * std::abs(low)) continue;
      const std::vector<Tick> found = ticks(Scale::kLinear, low, low + length, 5);
      EXPECT_GE(found.size(), 2U) << low << " " << length;
      EXPECT_LE(found.size(), 6U) << low << " " << length;
      for (const Tick& tick : found)
        EXPECT_TRUE(tick.value >= low - length * 1e-6 && tick.value <= low + length * 1.000001);
    }
}

TEST(NumberText, is_short) {
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(5.12345), "5.123");
  EXPECT_EQ(number_text(2e-5), "2e-5");
  EXPECT_EQ(number_text(123456), "123.5k");
  EXPECT_EQ(number_text(12500), "12.5k");
  EXPECT_EQ(number_text(1892426), "1.892M");
  EXPECT_EQ(number_text(-0.5), "-0.5");
  EXPECT_EQ(number_text(kNone), "undefined");
}

TEST(AxisPosition, is_linear_or_by_the_logarithm) {
  const Axis linear{.low = 10, .high = 20, .begin = 100, .end = 200};
  EXPECT_DOUBLE_EQ(linear.at(10), 100);
  EXPECT_DOUBLE_EQ(linear.at(15), 150);
  EXPECT_DOUBLE_EQ(linear.at(25), 200);
  const Axis log{.scale = Scale::kLog, .low = 1, .high = 10000, .begin = 0, .end = 4};
  EXPECT_NEAR(log.at(10), 1, 1e-12);
  EXPECT_NEAR(log.at(1000), 3, 1e-12);
}

TEST(AxisAround, moves_equal_ends_apart) {
  Extent one;
  one.add(4);
  one.add(kNone);
  const Axis axis = axis_around(one, Scale::kLinear, 0);
  EXPECT_LT(axis.low, 4);
  EXPECT_GT(axis.high, 4);
  Extent narrow;
  narrow.add(3e9);
  narrow.add(3e9 + 1e-6);
  EXPECT_GT(axis_around(narrow, Scale::kLinear, 0).high, 3.1e9);
  const Axis log = axis_around(one, Scale::kLog, 0);
  EXPECT_DOUBLE_EQ(log.low, 2);
  EXPECT_DOUBLE_EQ(log.high, 8);
  EXPECT_LT(axis_around(Extent(), Scale::kLinear, 0).low, axis_around(Extent(), Scale::kLinear, 0).high);
}

TEST(LineChart, draws_points_where_their_numbers_are) {
  LineChart chart = chart_of({{0, 0}, {50, 1}, {100, 2}});
  const std::vector<double> path = path_of(svg_of(chart));
  ASSERT_EQ(path.size(), 6U);
  EXPECT_NEAR((path[0] + path[4]) / 2, path[2], 0.11);  // a straight line
  EXPECT_NEAR((path[1] + path[5]) / 2, path[3], 0.11);
  EXPECT_GT(path[1], path[5]);  // up is up
  EXPECT_LT(path[4], kChartWidth);
  chart.lines[0].points = {{1, 1}, {10, 10}, {100, 100}};
  chart.x_scale = chart.y_scale = Scale::kLog;
  const std::vector<double> log = path_of(svg_of(chart));
  EXPECT_NEAR((log[0] + log[4]) / 2, log[2], 0.11);
  EXPECT_NEAR((log[1] + log[5]) / 2, log[3], 0.11);
}

TEST(LineChart, from_zero_begins_on_the_axis) {
  LineChart chart = chart_of({{1, 0}, {2, 8}});
  chart.from_zero = true;
  const std::string svg = svg_of(chart);
  std::smatch axis;
  ASSERT_TRUE(std::regex_search(svg, axis, std::regex("class=\"axis\" x1=\"58\" y1=\"([0-9.]+)\"")));
  EXPECT_NEAR(path_of(svg)[1], std::stod(axis[1]), 0.1);
}

TEST(LineChart, counts_have_whole_ticks) {
  LineChart chart = chart_of({{1, 1}, {3, 2}});
  EXPECT_THAT(svg_of(chart), HasSubstr(">1.5</text>"));
  chart.y_scale = Scale::kLog;
  chart.whole_x = true;
  const std::string svg = svg_of(chart);
  EXPECT_EQ(occurrences(svg, "class=\"tick across\""), 3U);
  EXPECT_THAT(svg, HasSubstr(">3</text>"));
}

TEST(LineChart, what_is_not_finite_interrupts_the_line) {
  const std::string svg = svg_of(chart_of({{1, 1}, {2, 2}, {3, kNone}, {4, 2}, {5, INFINITY}, {6, 1}}));
  const std::size_t begin = svg.find("d=\"M");
  EXPECT_EQ(occurrences(svg.substr(begin, svg.find("\"/>", begin) - begin), "M"), 3U);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(LineChart, a_log_scale_leaves_out_what_has_no_logarithm) {
  LineChart chart = chart_of({{0, 1}, {1, 0}, {2, 4}, {4, 2}});
  chart.x_scale = chart.y_scale = Scale::kLog;
  EXPECT_EQ(path_of(svg_of(chart)).size(), 4U);
  EXPECT_TRUE(has_points(chart));
  EXPECT_FALSE(has_points(chart_of({{1, kNone}})));
}

TEST(LineChart, a_band_goes_there_and_back) {
  LineChart chart = chart_of({{0, 1}, {1, 1}});
  chart.lines[0].band = {{0, 0, 2}, {1, 0.5, 1.5}};
  const std::string svg = svg_of(chart);
  std::smatch match;
  ASSERT_TRUE(std::regex_search(svg, match, std::regex("<polygon class=\"band c0\" points=\"([^\"]*)\"")));
  EXPECT_EQ(occurrences(match[1], ","), 4U);
}

TEST(LineChart, marks_are_at_their_steps) {
  LineChart chart = chart_of({{0, 1}, {100, 1}});
  chart.marks = {
      {50, "step-50.h5", Mark::Kind::kCheckpoint}, {25, "resumed", Mark::Kind::kResume}, {200, "beyond"}};
  const std::string svg = svg_of(chart);
  const std::vector<double> path = path_of(svg);
  EXPECT_THAT(svg,
              HasSubstr(fmt::format("<path class=\"checkpoint\" d=\"M{:.1f} ", (path[0] + path[2]) / 2)));
  EXPECT_THAT(svg,
              HasSubstr(fmt::format("class=\"resume\" x1=\"{:.1f}\"", path[0] + (path[2] - path[0]) / 4)));
  EXPECT_THAT(svg, Not(HasSubstr("beyond")));
}

TEST(LineChart, names_are_escaped) {
  LineChart chart = chart_of({{0, 1}, {1, 2}});
  chart.title = "\"><script>alert(1)</script>";
  chart.y_name = chart.x_name = "<b>";
  chart.marks = {{0.5, "<i>", Mark::Kind::kBest}};
  chart.lines[0].look = Line::Look::kDotted;
  const std::string svg = svg_of(chart);
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, Not(HasSubstr("<b>")));
  EXPECT_THAT(svg, Not(HasSubstr("<i>")));
  EXPECT_EQ(occurrences(svg, "<circle"), 2U);
}

TEST(Smoothing, is_a_moving_average_over_both_sides) {
  const std::vector<Point> points{{1, 8}, {2, 4}, {3, kNone}, {4, 4}};
  EXPECT_EQ(smoothed(points, 1)[1].y, 4);
  const std::vector<Point> smooth = smoothed(points, 2);  // weights 1/2, 1/4, ... to either side
  EXPECT_DOUBLE_EQ(smooth[0].y, (8 * 0.5 + (8 * 0.5 + 4 * 0.25 + 4 * 0.125)) / (0.5 + 0.875));
  EXPECT_DOUBLE_EQ(smooth[1].y, ((8 * 0.25 + 4 * 0.5) + (4 * 0.5 + 4 * 0.25)) / (0.75 + 0.75));
  EXPECT_TRUE(std::isnan(smooth[2].y));
  EXPECT_DOUBLE_EQ(smooth[3].y, ((8 * 0.125 + 4 * 0.25 + 4 * 0.5) + 4 * 0.5) / (0.875 + 0.5));
}

TEST(Smoothing, of_an_outlier_at_the_end_stays_near_what_was_before) {
  std::vector<Point> points;
  for (int i = 0; i < 100; ++i) points.push_back({1.0 * i, i == 99 ? 10.0 : 1.0});
  EXPECT_LT(smoothed(points, 10)[99].y, 3);
}

TEST(Smoothing, does_not_lag_behind_a_slope) {
  std::vector<Point> points;
  for (int i = 0; i < 200; ++i) points.push_back({1.0 * i, 3.0 * i});
  EXPECT_NEAR(smoothed(points, 10)[100].y, 300, 1e-3);
}

TEST(HeatMap, shades_from_the_least_to_the_most) {
  HeatMap map{.title = "m",
              .across = "p",
              .down = "t",
              .columns = {"a", "b"},
              .rows = {"a", "b"},
              .values = {{1, 2}, {3, kNone}},
              .texts = {{"1", "2"}, {"3", ""}}};
  const std::string svg = svg_of(map);
  EXPECT_THAT(svg, HasSubstr("fill-opacity=\"0.00\"><title>t a, p a: 1</title>"));
  EXPECT_THAT(svg, HasSubstr("fill-opacity=\"0.50\"><title>t a, p b: 2</title>"));
  EXPECT_THAT(svg, HasSubstr("fill-opacity=\"1.00\"><title>t b, p a: 3</title>"));
  EXPECT_EQ(occurrences(svg, "class=\"cell\""), 4U);
  EXPECT_THAT(svg, HasSubstr("class=\"cell-text on\""));
  map.from_zero = true;
  EXPECT_THAT(svg_of(map), HasSubstr("fill-opacity=\"0.33\"><title>t a, p a: 1</title>"));
  map.values = {{1, 10}, {100, 0}};
  map.from_zero = false;
  map.scale = Scale::kLog;
  EXPECT_THAT(svg_of(map), HasSubstr("fill-opacity=\"0.50\"><title>t a, p b: 2</title>"));
}

TEST(HeatMap, labels_that_do_not_fit_are_omitted_and_long_ones_truncated) {
  HeatMap map{.title = "m",
              .across = "p",
              .down = "t",
              .columns = {},
              .rows = {std::string(40, 'x')},
              .values = {{}}};
  for (int i = 0; i < 100; ++i) map.columns.push_back("label"), map.values[0].push_back(i);
  const std::string svg = svg_of(map);
  EXPECT_LT(occurrences(svg, ">label</text>"), 15U);
  EXPECT_EQ(occurrences(svg, "class=\"cell\""), 100U);
  EXPECT_THAT(svg, HasSubstr(">xxxxxxxxxxxxxxx…</text>"));
}

TEST(HeatMap, labels_wider_than_their_columns_are_in_two_lines) {
  HeatMap map{.title = "m",
              .across = "p",
              .down = "t",
              .columns = {"anger", "fear", "joy", "love", "sadness", "surprise"},
              .rows = {"surprise"},
              .values = {{1, 2, 3, 4, 5, 6}}};
  const std::string svg = svg_of(map);
  for (const std::string& label : map.columns) EXPECT_THAT(svg, HasSubstr(">" + label + "</text>"));
  EXPECT_EQ(occurrences(svg, "y=\"34\">"), 3U);
  EXPECT_EQ(occurrences(svg, "y=\"49\">"), 3U);
  map.columns.back() = "joy", map.columns[4] = "hope";
  EXPECT_EQ(occurrences(svg_of(map), "y=\"34\">"), 6U) << "one line where they fit";
}

TEST(HeatMap, wide_columns_have_all_their_labels_truncated_if_needed) {
  HeatMap map{.title = "m", .across = "p", .down = "t", .columns = {}, .rows = {"r"}, .values = {{}}};
  for (int i = 0; i < 8; ++i)
    map.columns.push_back(fmt::format("{}-label-{}", i, i)), map.values[0].push_back(i);
  const std::string svg = svg_of(map);
  for (int i = 0; i < 8; ++i) EXPECT_THAT(svg, HasSubstr(fmt::format(">{}-lab", i)));
}

TEST(ShortLabel, cuts_between_characters) {
  EXPECT_EQ(label_length("Größe"), 5U);
  EXPECT_EQ(short_label("Größe", 5), "Größe");
  EXPECT_EQ(short_label("Größen", 4), "Grö…");
  EXPECT_EQ(label_length("\xff\xfe"), 2U);
}

TEST(Standalone, is_a_document_with_its_legend) {
  LineChart chart = chart_of({{1, 1}, {2, 2}});
  chart.title = "<t>";
  const std::string alone = standalone_svg(chart);
  EXPECT_THAT(alone,
              ::testing::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 440 260\""));
  EXPECT_THAT(alone, HasSubstr("<title>&lt;t&gt;</title>"));
  chart.lines.push_back({.name = "<b>", .points = {{1, 2}, {2, 3}}, .color = 1, .look = Line::Look::kDotted});
  const std::string two = standalone_svg(chart);
  EXPECT_THAT(two, HasSubstr("viewBox=\"0 0 440 282\""));
  EXPECT_THAT(two, HasSubstr(">&lt;b&gt;</text>"));
  EXPECT_EQ(occurrences(two, "<circle"), 3U);
  for (int i = 0; i < 9; ++i)
    chart.lines.push_back({.name = fmt::format("a long name {}", i), .points = {{1, 2}}});
  EXPECT_THAT(standalone_svg(chart),
              Not(HasSubstr("viewBox=\"0 0 440 282\"")));  // further lines of the legend
}

TEST(Figure, has_a_view_for_each_scale_that_can_show_the_points) {
  const LineChart chart = chart_of({{1, 1}, {2, 2}});
  const std::string both = figure_of(chart, {.id = "f", .caption = "c", .log_x = chart});
  EXPECT_EQ(occurrences(both, "<svg class=\"plot\""), 3U);
  EXPECT_EQ(occurrences(both, "type=\"radio\""), 3U);
  EXPECT_EQ(occurrences(both, " checked"), 1U);
  EXPECT_EQ(
      occurrences(figure_of(chart_of({{1, 0}, {2, 2}}), {.id = "f", .caption = "c"}), "<svg class=\"plot\""),
      1U);
  EXPECT_EQ(figure_of(chart_of({}), {.id = "f", .caption = "c"}), "");
}

TEST(Figure, legend_leaves_out_lines_without_points) {
  LineChart chart = chart_of({{1, 1}, {2, 2}});
  chart.lines[0].name = "training";
  chart.lines.push_back({.name = "validation", .points = {}, .color = 1});
  chart.lines.push_back({.name = "gaps", .points = {{1, kNone}}, .color = 2});
  chart.lines.push_back({.name = "smooth", .points = {{1, 2}}, .color = 3});
  const std::string html = figure_of(chart, {.id = "f", .caption = "c"});
  EXPECT_THAT(html, HasSubstr("training"));
  EXPECT_THAT(html, HasSubstr("smooth"));
  EXPECT_THAT(html, Not(HasSubstr("validation")));
  EXPECT_THAT(html, Not(HasSubstr("gaps")));
}

TEST(Figure, legend_shows_areas_as_areas) {
  const std::string html = html_of({.id = "f",
                                    .caption = "c",
                                    .legend = {{.name = "a", .filled = true}, {.name = "b", .color = 1}},
                                    .views = {}});
  EXPECT_EQ(occurrences(html, "<rect class=\"fill c0\""), 1U);
  EXPECT_EQ(occurrences(html, "<path class=\"line c1\""), 1U);
}

TEST(Figure, legend_names_lines_that_have_names) {
  LineChart chart = chart_of({{1, 1}, {2, 2}});
  chart.lines.push_back({.name = "", .points = chart.lines[0].points, .look = Line::Look::kFaint});
  chart.lines.push_back({.name = "<b>", .points = chart.lines[0].points, .color = 1, .dashed = true});
  const std::string html = figure_of(chart, {.id = "f", .caption = "<c>", .note = "<n>"});
  EXPECT_EQ(occurrences(html, "<li>"), 2U);
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
  EXPECT_THAT(html, Not(HasSubstr("<c>")));
  EXPECT_THAT(html, Not(HasSubstr("<n>")));
}

/// Relative luminance of "#rrggbb" or "#rgb", as WCAG 2 defines it.
double luminance(const std::string& color) {
  const std::size_t digits = color.size() == 4 ? 1 : 2;
  double sum = 0;
  constexpr double kWeights[] = {0.2126, 0.7152, 0.0722};
  for (std::size_t i = 0; i < 3; ++i) {
    std::string part = color.substr(1 + i * digits, digits);
    if (digits == 1) part += part;
    const double share = std::stoi(part, nullptr, 16) / 255.0;
    sum += kWeights[i] * (share <= 0.03928 ? share / 12.92 : std::pow((share + 0.055) / 1.055, 2.4));
  }
  return sum;
}

/// The value that a variable of the style sheet has on light (0) or dark pages (1).
std::string color_of(const std::string& variable, int dark) {
  const std::string style(chart_style());
  const std::regex declaration("--" + variable + ":(#[0-9a-f]+)");
  std::sregex_iterator found(style.begin(), style.end(), declaration);
  if (dark == 1) ++found;
  return (*found)[1];
}

TEST(Palette, stands_out_from_light_and_dark_pages) {
  for (const int dark : {0, 1})
    for (const auto& [variable, least] : std::vector<std::pair<std::string, double>>{{"ink", 7},
                                                                                     {"muted", 4.5},
                                                                                     {"c0", 3},
                                                                                     {"c1", 3},
                                                                                     {"c2", 3},
                                                                                     {"c3", 3},
                                                                                     {"c4", 3},
                                                                                     {"c5", 3},
                                                                                     {"c6", 3}}) {
      const double a = luminance(color_of(variable, dark)), b = luminance(color_of("page", dark));
      const double contrast = (std::max(a, b) + 0.05) / (std::min(a, b) + 0.05);
      EXPECT_GE(contrast, least) << variable << (dark ? " dark" : " light");
    }
}

TEST(BarChart, stacks_the_parts_of_a_row) {
  const BarChart chart{.title = "Tokens <by> source",
                       .x_name = "tokens",
                       .series = {"train", "validation"},
                       .rows = {{"books", {30, 10}}, {"wiki", {20, 0}}}};
  ASSERT_TRUE(has_bars(chart));
  const std::string svg = svg_of(chart);
  EXPECT_THAT(svg, HasSubstr("aria-label=\"Tokens &lt;by&gt; source\""));
  // 40 tokens are 306 units: from 116.
  EXPECT_THAT(svg, HasSubstr("<rect class=\"bar c0\" x=\"116.00\" y=\"8.5\" width=\"229.50\""));
  EXPECT_THAT(svg, HasSubstr("<rect class=\"bar c1\" x=\"345.50\" y=\"8.5\" width=\"76.50\""));
  EXPECT_THAT(svg, HasSubstr("<rect class=\"bar c0\" x=\"116.00\" y=\"34.5\" width=\"153.00\""));
  EXPECT_THAT(svg, HasSubstr("<title>books, validation: 10</title>"));
  EXPECT_THAT(svg, Not(HasSubstr("wiki, validation")));
}

TEST(BarChart, has_shares_and_may_be_empty) {
  const BarChart shares =
      as_shares({.title = "", .x_name = "", .series = {"a", "b"}, .rows = {{"x", {3, 1}}, {"y", {0, 0}}}});
  EXPECT_EQ(shares.rows[0].values, (std::vector<double>{0.75, 0.25}));
  EXPECT_EQ(shares.rows[1].values, (std::vector<double>{0, 0}));
  EXPECT_FALSE(has_bars({.title = "", .x_name = "", .series = {"a"}, .rows = {{"x", {0}}}}));
}

}  // namespace
}  // namespace nystrom
