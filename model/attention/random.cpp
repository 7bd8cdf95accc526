#include "model/attention/random.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/core/philox.h"

namespace nystrom {
namespace {

Random stream(const AttentionDraw& draw, std::int64_t index) {
  const auto sample = (static_cast<std::uint64_t>(draw.number) << 32U) + static_cast<std::uint32_t>(index);
  return {draw.seed, Purpose::kAttention, sample};
}

double dot(const double* a, const double* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// `count` orthonormal rows of `width`, uniform over all: Gram and Schmidt's of normal ones, twice, which is
/// as good as exact.
void draw_directions(Random& random, std::int64_t count, std::int64_t width, double* rows) {
  for (std::int64_t i = 0; i < count; ++i) {
    double* const row = rows + i * width;
    for (std::int64_t d = 0; d < width; ++d) row[d] = random.normal();
    for (int pass = 0; pass < 2; ++pass)
      for (std::int64_t j = 0; j < i; ++j) {
        const double along = dot(row, rows + j * width, width);
        for (std::int64_t d = 0; d < width; ++d) row[d] -= along * rows[j * width + d];
      }
    const double length = std::sqrt(dot(row, row, width));
    for (std::int64_t d = 0; d < width; ++d) row[d] /= length;
  }
}

}  // namespace

AttentionDraw draw_of(const Pass& pass, std::int64_t every) {
  if (!pass.training || every == 0) return {};
  return {pass.seed, 1 + pass.step / every};
}

void draw_features(const AttentionDraw& draw, const FeatureShape& shape, std::span<float> values) {
  const std::int64_t width = shape.width;
  std::vector<double> rows(static_cast<std::size_t>(width * width)), normals(static_cast<std::size_t>(width));
  auto to = values.begin();
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    Random random = stream(draw, shape.layer * shape.heads + head);
    for (std::int64_t done = 0; done < shape.features; done += width) {
      const std::int64_t count = std::min(width, shape.features - done);
      draw_directions(random, count, width, rows.data());
      for (std::int64_t i = 0; i < count; ++i) {
        for (double& x : normals) x = random.normal();
        const double length = std::sqrt(dot(normals.data(), normals.data(), width));
        for (std::int64_t d = 0; d < width; ++d)
          *to++ = static_cast<float>(length * rows[static_cast<std::size_t>(i * width + d)]);
      }
    }
  }
}

void draw_rotations(const AttentionDraw& draw, const RotationShape& shape, std::span<float> values) {
  auto to = values.begin();
  for (std::int64_t round = 0; round < shape.rounds; ++round)
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      Random random = stream(draw, (shape.layer * shape.heads + head) * shape.rounds + round);
      for (std::int64_t i = 0; i < shape.rotations * shape.width; ++i)
        *to++ = static_cast<float>(random.normal());
    }
}

void write_values(const Context& context, std::span<const float> values, const Tensor& to) {
  NYSTROM_CHECK(std::ssize(values) == to.numel(), "{} values for a tensor {}", values.size(),
                to.shape.text());
  const HostValues host(to, context.memory());
  dispatch_float(to.dtype, [&]<class T>(T) {
    std::ranges::transform(values, host.view().span<T>().begin(), [](float x) { return static_cast<T>(x); });
  });
  host.write_back();
}

}  // namespace nystrom
