#pragma once
// Which ends a Pathfinder picture joins, found in the picture alone: its discs are looked for, then every
// chain of segments that fits under the picture and leads from one disc to the other.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <utility>
#include <vector>

#include "data/generators/lanczos.h"
#include "data/generators/pathfinder.h"

namespace nystrom::testing {

class PathfinderTracer {
 public:
  PathfinderTracer(const PathfinderRule& rule, const Segments& segments,
                   const std::vector<std::uint8_t>& pixels)
      : rule_(rule), segments_(segments), pixels_(pixels) {
    draw_disc();
    find_discs();
  }

  [[nodiscard]] std::pair<Pixel, Pixel> discs() const { return {first_, second_}; }

  /// Does a contour of the rule's length join the discs?
  [[nodiscard]] bool joined() const { return leads(first_, second_) || leads(second_, first_); }

 private:
  /// Levels by which a picture may be darker than what is looked for: the border and rounding are worth that
  /// much.
  static constexpr int kDim = 4;

  struct Link {  // a segment: where it hangs, where it ends, its direction
    Pixel pivot, end;
    double angle = 0;
    auto operator<=>(const Link&) const = default;
  };

  [[nodiscard]] int level(Pixel p) const { return pixels_[static_cast<std::size_t>(p.y * rule_.size + p.x)]; }
  [[nodiscard]] bool holds(Pixel p) const {
    return std::min(p.y, p.x) >= 0 && std::max(p.y, p.x) < rule_.size;
  }

  /// A disc in the middle of its own picture, 0 to 255.
  void draw_disc() {
    reach_ = static_cast<int>(std::ceil(rule_.marker_radius)) + 3;
    const int size = 2 * reach_ + 1, scale = rule_.antialias;
    const auto lit = [&](int y, int x) {
      return std::hypot(y - reach_ * scale, x - reach_ * scale) <= rule_.marker_radius * scale ? 255.0 : 0.0;
    };
    disc_ = LanczosShrink(size * scale, size).shrink({0, 0, size, size}, lit);
  }
  template <class Visit>
  void for_each_disc_pixel(Pixel centre, const Visit& visit) const {
    auto value = disc_.begin();
    for (int y = -reach_; y <= reach_; ++y)
      for (int x = -reach_; x <= reach_; ++x, ++value)
        if (const Pixel p = centre + Pixel{y, x}; holds(p)) visit(level(p), *value);
  }
  /// The level of a disc's whole pixels, if there is one around `centre`; else 0.
  [[nodiscard]] int disc_level(Pixel centre) const {
    int darkest = 255;
    for_each_disc_pixel(
        centre, [&](int seen, double disc) { darkest = disc >= 254 ? std::min(darkest, seen) : darkest; });
    bool is_disc = true;
    for_each_disc_pixel(centre,
                        [&](int seen, double disc) { is_disc &= seen >= disc * darkest / 255 - kDim; });
    return is_disc ? darkest : 0;
  }
  void find_discs() {
    std::vector<std::pair<int, Pixel>> places;
    for (int y = 0; y < rule_.size; ++y)
      for (int x = 0; x < rule_.size; ++x) places.emplace_back(disc_level({y, x}), Pixel{y, x});
    std::ranges::sort(places, std::greater{});
    first_ = places.front().second;
    second_ = std::ranges::find_if(places, [&](const auto& place) {
                return std::hypot(place.second.y - first_.y, place.second.x - first_.x) > rule_.marker_radius;
              })->second;
    brightest_ = 255.0 / std::min(disc_level(first_), disc_level(second_));  // a disc's light is 1
  }

  /// Is the picture nowhere darker than a target's segment there would make it?
  [[nodiscard]] bool fits(Pixel at, const SegmentPicture& segment) const {
    const int half = segments_.half();
    auto light = segment.light.begin();
    for (int y = -half; y <= half; ++y)
      for (int x = -half; x <= half; ++x, ++light) {
        const Pixel p = at + Pixel{y, x};
        const double wanted = static_cast<double>(*light) * rule_.target_brightness * 255 / brightest_;
        if (holds(p) && level(p) < wanted - kDim) return false;
      }
    return true;
  }
  [[nodiscard]] bool may_bend(double from, double to) const {
    const double bend = std::abs(from - to);
    return rule_.continuity * std::min(bend, 2 * std::numbers::pi - bend) < std::numbers::pi / 2 - 1e-9;
  }
  [[nodiscard]] std::set<Link> first_links(Pixel disc) const {
    std::set<Link> links;
    for (const Segments::Seed& look : segments_.seeds()) {
      const Pixel head = moved(disc, look.angle, rule_.segment_length);
      const Pixel pivot = moved(head, opposite(look.angle), rule_.segment_length + segments_.margin());
      if (holds(head) && holds(pivot) && fits(disc, *look.picture)) links.insert({pivot, head, look.angle});
    }
    return links;
  }
  [[nodiscard]] std::set<Link> next_links(const std::set<Link>& links) const {
    std::set<Link> next;
    for (const Link& link : links) {
      const Pixel pivot = moved(link.pivot, link.angle, rule_.segment_length + 2 * segments_.margin());
      for (const Segments::End& end : segments_.ends())
        if (const Pixel at = pivot + end.from_pivot;
            holds(at) && may_bend(link.angle, end.angle) && fits(at, *end.picture))
          next.insert({pivot, at, end.angle});
    }
    return next;
  }
  [[nodiscard]] bool leads(Pixel from, Pixel to) const {
    std::set<Link> links = first_links(from);
    for (int segment = 1; segment < rule_.contour; ++segment) links = next_links(links);
    return std::ranges::any_of(links, [&](const Link& link) { return link.end == to; });
  }

  const PathfinderRule& rule_;
  const Segments& segments_;
  const std::vector<std::uint8_t>& pixels_;
  int reach_ = 0;
  std::vector<double> disc_;  // [2 reach_ + 1, 2 reach_ + 1]
  Pixel first_, second_;
  double brightest_ = 1;  // the light of level 255
};

}  // namespace nystrom::testing
