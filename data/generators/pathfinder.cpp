#include "data/generators/pathfinder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include "data/generators/canvas.h"
#include "data/generators/lanczos.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

using std::numbers::pi;

constexpr int kTrials = 3, kDistractorTrials = 5, kRestarts = 100'000;
constexpr float kTaken = 0.3F, kCollision = 1.8F;

/// A segment on the canvas.
struct Stroke {
  Pixel at;
  const SegmentPicture* picture = nullptr;
};

struct Snake {
  std::vector<Stroke> strokes;
  Pixel origin, terminal, pivot;  // pivot: where the last segment hangs on the one before
  double angle = 0;               // of the last segment
};

/// Draws one picture; the random numbers are those of its example.
class Drawing {
 public:
  Drawing(const PathfinderRule& rule, const Segments& segments, Random& random)
      : rule_(rule), segments_(segments), random_(random), taken_(rule.size) {}

  /// Both targets; false if they did not find room.
  bool draw_targets();
  void draw_distractors();
  /// The two discs, and the picture as grey levels.
  [[nodiscard]] PathfinderPicture finish(int label);

 private:
  [[nodiscard]] std::optional<Snake> first_seed(int border);
  [[nodiscard]] std::optional<Snake> seed_beside(Pixel origin);
  [[nodiscard]] std::optional<Snake> seed(Pixel at, const Segments::Seed& look) const;
  [[nodiscard]] std::vector<Pixel> free_places(const std::vector<Pixel>& room, int border) const;
  [[nodiscard]] bool is_free(Pixel at, const std::vector<Pixel>& room, int border) const;
  [[nodiscard]] bool is_crowded() const;
  bool extend(Snake& snake);
  [[nodiscard]] std::vector<double> chances(Pixel pivot, double angle) const;
  [[nodiscard]] float taken_around(Pixel at) const;
  void take(const Stroke& stroke) { taken_.raise(stroke.at, stroke.picture->room, segments_.half()); }
  std::optional<Snake> draw_distractor();
  void clear_taken();
  void draw(const Snake& snake, double brightness, Canvas& picture) const;
  void draw_disc(Pixel at, Canvas& picture) const;
  [[nodiscard]] const Segments::Seed& any_direction() { return segments_.seeds()[random_.below(360)]; }

  const PathfinderRule& rule_;
  const Segments& segments_;
  Random& random_;
  Canvas taken_;
  std::array<Snake, 2> targets_;
  std::vector<Snake> distractors_;
};

bool Drawing::draw_targets() {
  clear_taken();
  std::optional<Snake> first = first_seed(2 * rule_.seed_distance);
  if (!first) return false;
  std::optional<Snake> second = seed_beside(first->origin);
  if (!second) return false;
  targets_ = {std::move(*first), std::move(*second)};
  for (int segment = 1; segment < rule_.contour; ++segment)
    for (Snake& snake : targets_)
      if (!extend(snake)) return false;
  take(targets_[1].strokes.back());  // the original leaves the first one's last segment out
  return true;
}

void Drawing::clear_taken() {
  taken_ = Canvas(rule_.size);
  const int inside = rule_.size - rule_.border;
  for (int y = 0; y < rule_.size; ++y)
    for (int x = 0; x < rule_.size; ++x)
      if (std::min(y, x) < rule_.border || std::max(y, x) >= inside) taken_[{y, x}] = 1;
}

bool Drawing::is_free(Pixel at, const std::vector<Pixel>& room, int border) const {
  return std::ranges::all_of(room, [&](Pixel offset) {
    const Pixel p = at + offset;
    if (!taken_.holds(p)) return true;
    const bool outside = std::min(p.y, p.x) < border || std::max(p.y, p.x) >= rule_.size - border;
    return !outside && taken_[p] <= kTaken;
  });
}

std::vector<Pixel> Drawing::free_places(const std::vector<Pixel>& room, int border) const {
  std::vector<Pixel> places;
  for (int y = 0; y < rule_.size; ++y)
    for (int x = 0; x < rule_.size; ++x)
      if (is_free({y, x}, room, border)) places.push_back({y, x});
  return places;
}

std::optional<Snake> Drawing::seed(Pixel at, const Segments::Seed& look) const {
  const Pixel head = moved(at, look.angle, rule_.segment_length);
  const Pixel pivot = moved(head, opposite(look.angle), rule_.segment_length + segments_.margin());
  if (!taken_.holds(head) || !taken_.holds(pivot)) return std::nullopt;
  return Snake{
      .strokes = {{at, look.picture}}, .origin = at, .terminal = {}, .pivot = pivot, .angle = look.angle};
}

std::optional<Snake> Drawing::first_seed(int border) {
  for (int trial = 0; trial < kTrials; ++trial) {
    const Segments::Seed& look = any_direction();
    const std::vector<Pixel> places = free_places(look.room, border);
    if (places.empty()) return std::nullopt;
    if (auto snake = seed(places[random_.below(places.size())], look)) return snake;
  }
  return std::nullopt;
}

std::optional<Snake> Drawing::seed_beside(Pixel origin) {
  for (int trial = 0; trial < kTrials; ++trial) {
    const Segments::Seed& look = any_direction();
    const double where = static_cast<double>(random_.below(360)) * pi / 180;
    const Pixel at{static_cast<int>(std::nearbyint(origin.y + rule_.seed_distance * std::sin(where))),
                   static_cast<int>(std::nearbyint(origin.x + rule_.seed_distance * std::cos(where)))};
    if (auto snake = seed(at, look)) return snake;
  }
  return std::nullopt;
}

float Drawing::taken_around(Pixel at) const {
  float most = 0;
  for (const Pixel offset : segments_.margin_disc())
    if (const Pixel p = at + offset; taken_.holds(p)) most = std::max(most, taken_[p]);
  return most;
}

/// Of each end that the next segment can have: how likely it is, where 0 is outside.
std::vector<double> Drawing::chances(Pixel pivot, double angle) const {
  std::vector<double> weights;
  for (const Segments::End& end : segments_.ends()) {
    const Pixel at = pivot + end.from_pivot;
    double weight = 0;
    if (taken_.holds(at)) {
      const double bend = std::abs(end.angle - angle);
      const double straight = std::min(rule_.continuity * std::min(bend, 2 * pi - bend), pi / 2);
      weight = (1 - static_cast<double>(taken_around(at))) * std::pow(std::max(std::cos(straight), 0.0), 2);
    }
    weights.push_back(weight);
  }
  return weights;
}

bool Drawing::extend(Snake& snake) {
  const Pixel pivot = moved(snake.pivot, snake.angle, rule_.segment_length + 2 * segments_.margin());
  const std::vector<double> weights = chances(pivot, snake.angle);
  double total = 0;
  for (const double weight : weights) total += weight;
  if (total < 1e-4) return false;
  for (int trial = 0; trial < kTrials; ++trial) {
    double left = random_.uniform() * total;
    std::size_t chosen = 0;
    while (chosen + 1 < weights.size() && left >= weights[chosen]) left -= weights[chosen++];
    const Segments::End& end = segments_.ends()[chosen];
    const Pixel head = pivot + end.from_pivot;
    if (taken_.highest_with(head, end.picture->room, segments_.half()) >= kCollision) continue;
    take(snake.strokes.back());
    snake.strokes.push_back({head, end.picture});
    snake.terminal = head;
    snake.pivot = pivot;
    snake.angle = end.angle;
    return true;
  }
  return false;
}

bool Drawing::is_crowded() const {
  const auto free = std::ranges::count_if(taken_.values(), [](float value) { return value <= kTaken; });
  return 100 * free < rule_.size * rule_.size;
}

std::optional<Snake> Drawing::draw_distractor() {
  if (is_crowded()) return std::nullopt;
  const Canvas before = taken_;
  std::optional<Snake> snake = first_seed(1);
  for (int segment = 1; snake && segment < rule_.distractor_length; ++segment)
    if (!extend(*snake)) snake.reset();
  if (snake)
    take(snake->strokes.back());
  else
    taken_ = before;
  return snake;
}

void Drawing::draw_distractors() {
  for (int i = 0; i < rule_.distractors; ++i)
    for (int trial = 0; trial < kDistractorTrials; ++trial)
      if (auto snake = draw_distractor()) {
        distractors_.push_back(std::move(*snake));
        break;
      }
}

void Drawing::draw(const Snake& snake, double brightness, Canvas& picture) const {
  for (const Stroke& stroke : snake.strokes)
    picture.raise(stroke.at, stroke.picture->light, segments_.half(), static_cast<float>(brightness));
}

void Drawing::draw_disc(Pixel at, Canvas& picture) const {
  constexpr int kLobes = 3;
  const int scale = rule_.antialias, reach = static_cast<int>(std::ceil(rule_.marker_radius)) + kLobes;
  const PixelWindow window{std::max(at.y - reach, 0), std::max(at.x - reach, 0),
                           std::min(at.y + reach + 1, rule_.size), std::min(at.x + reach + 1, rule_.size)};
  if (window.height() <= 0 || window.width() <= 0) return;
  const auto lit = [&](int y, int x) {
    return std::hypot(y - at.y * scale, x - at.x * scale) <= rule_.marker_radius * scale ? 255.0 : 0.0;
  };
  const auto values = LanczosShrink(rule_.size * scale, rule_.size).shrink(window, lit);
  auto value = values.begin();
  for (int y = window.top; y < window.bottom; ++y)
    for (int x = window.left; x < window.right; ++x)
      picture[{y, x}] = std::max(picture[{y, x}], static_cast<float>(*value++ / 255));
}

PathfinderPicture Drawing::finish(int label) {
  Canvas picture(rule_.size);
  for (const Snake& target : targets_) draw(target, rule_.target_brightness, picture);
  for (const Snake& distractor : distractors_) draw(distractor, rule_.distractor_brightness, picture);
  const auto first = static_cast<std::size_t>(random_.below(2));
  PathfinderPicture result{.pixels = {},
                           .label = label,
                           .margin = segments_.margin(),
                           .origin = targets_[first].origin,
                           .terminal = targets_[label == 1 ? first : 1 - first].terminal,
                           .restarts = 0,
                           .distractors = static_cast<int>(distractors_.size())};
  draw_disc(result.origin, picture);
  draw_disc(result.terminal, picture);
  const auto [least, most] = std::ranges::minmax(picture.values());
  for (const float value : picture.values())
    result.pixels.push_back(static_cast<std::uint8_t>((value - least) * 255 / (most - least) + 0.5F));
  return result;
}

}  // namespace

PathfinderGenerator::PathfinderGenerator(const PathfinderRule& rule, std::uint64_t seed)
    : rule_(rule), seed_(seed) {
  NYSTROM_CHECK(!rule.margins.empty(), "a rule without margins");
  segments_.reserve(rule.margins.size());
  for (const int margin : rule.margins) segments_.emplace_back(rule_, margin);
}

PathfinderPicture PathfinderGenerator::draw(std::uint64_t index) const {
  Random random(seed_, Purpose::kGeneration, index);
  const int label = static_cast<int>(random.below(2));
  Drawing drawing(rule_, segments_[random.below(segments_.size())], random);
  int restarts = 0;
  while (!drawing.draw_targets())
    if (++restarts == kRestarts)
      refuse(
          "Two Pathfinder contours of {} segments did not fit in {} images of {} pixels; choose a shorter contour or "
          "a larger image.",
          rule_.contour, restarts, rule_.size);
  drawing.draw_distractors();
  PathfinderPicture picture = drawing.finish(label);
  picture.restarts = restarts;
  return picture;
}

}  // namespace nystrom
