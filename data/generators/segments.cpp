#include "data/generators/segments.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "data/generators/lanczos.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

using std::numbers::pi;

std::vector<Pixel> disc(int radius) {
  std::vector<Pixel> points;
  for (int y = -radius; y <= radius; ++y)
    for (int x = -radius; x <= radius; ++x)
      if (y * y + x * x <= radius * radius) points.push_back({y, x});
  return points;
}

/// Bresenham's line.
std::set<Pixel> thin_line(Pixel at, Pixel end) {
  const int dy = std::abs(end.y - at.y), dx = std::abs(end.x - at.x);
  const int step_y = at.y < end.y ? 1 : -1, step_x = at.x < end.x ? 1 : -1;
  std::set<Pixel> points{at};
  for (int error = dx - dy; at != end; points.insert(at)) {
    const int twice = 2 * error;
    if (twice > -dy) {
      error -= dy;
      at.x += step_x;
    }
    if (twice < dx) {
      error += dx;
      at.y += step_y;
    }
  }
  return points;
}

/// Pixels within half of `thickness` of the line, between its ends.
std::set<Pixel> thick_line(Pixel begin, Pixel end, int thickness) {
  std::set<Pixel> points = thin_line(begin, end);
  const double dy = end.y - begin.y, dx = end.x - begin.x, length = std::hypot(dy, dx);
  const int reach = thickness;
  for (int y = std::min(begin.y, end.y) - reach; y <= std::max(begin.y, end.y) + reach; ++y)
    for (int x = std::min(begin.x, end.x) - reach; x <= std::max(begin.x, end.x) + reach; ++x) {
      const double along = ((y - begin.y) * dy + (x - begin.x) * dx) / length;
      const double aside = std::abs((y - begin.y) * dx - (x - begin.x) * dy) / length;
      if (along >= 0 && along <= length && aside <= thickness / 2.0) points.insert({y, x});
    }
  return points;
}

std::set<Pixel> dilated(const std::set<Pixel>& points, const std::vector<Pixel>& by) {
  std::set<Pixel> result;
  for (const Pixel point : points)
    for (const Pixel offset : by) result.insert(point + offset);
  return result;
}

std::vector<float> shrunk(const std::set<Pixel>& points, int from, int to) {
  std::vector<double> canvas(static_cast<std::size_t>(from * from));
  for (const Pixel point : points)
    if (point.y >= 0 && point.y < from && point.x >= 0 && point.x < from)
      canvas[static_cast<std::size_t>(point.y * from + point.x)] = 255;
  const auto pixel = [&](int y, int x) { return canvas[static_cast<std::size_t>(y * from + x)]; };
  std::vector<float> result;
  for (const double value : LanczosShrink(from, to).shrink({0, 0, to, to}, pixel))
    result.push_back(static_cast<float>(value / 255));
  return result;
}

}  // namespace

Pixel moved(Pixel from, double angle, double distance) {
  return {static_cast<int>(std::ceil(from.y + distance * std::sin(angle))),
          static_cast<int>(std::ceil(from.x + distance * std::cos(angle)))};
}

double opposite(double angle) {
  return angle < 0 ? angle + pi : angle - pi;
}

Segments::Segments(const PathfinderRule& rule, int margin)
    : length_(rule.segment_length),
      margin_(margin),
      half_(rule.segment_length + static_cast<int>(std::ceil(rule.thickness)) + margin),
      antialias_(rule.antialias),
      fine_thickness_(static_cast<int>(std::lround(rule.thickness * rule.antialias))),
      margin_disc_(disc(margin)) {
  for (int degrees = -180; degrees < 180; ++degrees) {
    const double angle = degrees * pi / 180;
    const SegmentPicture* look = picture(angle);
    seeds_.push_back({angle, look, room_of_seed(*look)});
  }
  find_ends();
}

const SegmentPicture* Segments::picture(double angle) {
  const Pixel centre{half_ * antialias_, half_ * antialias_};
  const Pixel end = moved(centre, angle, length_ * antialias_);
  auto found = pictures_.find(end);
  if (found == pictures_.end()) found = pictures_.emplace(end, draw(end)).first;
  return &found->second;
}

SegmentPicture Segments::draw(Pixel fine_end) const {
  const Pixel centre{half_ * antialias_, half_ * antialias_};
  const int fine = 2 * half_ * antialias_ + 1, size = 2 * half_ + 1;
  const std::set<Pixel> line =
      fine_thickness_ <= 1 ? thin_line(centre, fine_end) : thick_line(centre, fine_end, fine_thickness_);
  return {shrunk(line, fine, size), shrunk(dilated(line, disc(margin_ * antialias_)), fine, size)};
}

std::vector<Pixel> Segments::room_of_seed(const SegmentPicture& picture) const {
  const int reach = length_ + margin_, width = 2 * half_ + 1;
  std::vector<Pixel> room;
  for (int y = -half_; y <= half_; ++y)
    for (int x = -half_; x <= half_; ++x) {
      const float value = picture.room[static_cast<std::size_t>((y + half_) * width + x + half_)];
      // The original's window has the segment begin one pixel after its centre in both directions.
      const Pixel offset{y + 1, x + 1};
      if (value >= 1 && std::max(std::abs(offset.y), std::abs(offset.x)) <= reach) room.push_back(offset);
    }
  return room;
}

void Segments::find_ends() {
  const int reach = length_ + margin_;
  const double step = 1.0 / reach;  // an arc of one pixel
  std::set<Pixel> points;
  for (int i = 0; i * step < 2 * pi; ++i)
    points.insert({static_cast<int>(std::floor(reach * std::sin(i * step))),
                   static_cast<int>(std::floor(reach * std::cos(i * step)))});
  for (const Pixel point : points) {
    const double angle = std::atan2(point.y, point.x);
    ends_.push_back({point, angle, picture(opposite(angle))});
  }
}

}  // namespace nystrom
