#include "model/layers/fixed_positions.h"

#include <algorithm>
#include <cmath>

#include "kernels/rotary.h"
#include "model/attention/registry.h"

namespace nystrom {
namespace {

constexpr std::int64_t kPositionOffset = 2;  // rows of a position table before position 0

/// Positions by these are the angles of channels 2 i of `width`, i below half of it (rounded up).
std::vector<double> divisors_of(std::int64_t width) {
  std::vector<double> divisors;
  for (std::int64_t i = 0; 2 * i < width; ++i)
    divisors.push_back(std::pow(10000.0, static_cast<double>(2 * i) / static_cast<double>(width)));
  return divisors;
}

void write_table(const Context& context, const std::vector<double>& values, const Tensor& to) {
  const HostValues host(to, context.memory());
  dispatch_float(to.dtype, [&]<class T>(T) {
    if constexpr (!std::is_same_v<T, BF16>)
      std::ranges::transform(values, host.view().span<T>().begin(),
                             [](double x) { return static_cast<T>(x); });
  });
  host.write_back();
}

}  // namespace

FixedPositions::FixedPositions(const ModelConfig& config, DType activation)
    : config_(config), statistics_(compute_dtype(activation)) {}

void FixedPositions::plan(Planner& planner) {
  filled_ = false;
  if (config_.network.positions == Positions::kSinusoidal)
    sinusoids_ = planner.saved("positions.sinusoids", statistics_,
                               {config_.max_positions + kPositionOffset, config_.hidden_size});
  if (config_.network.positions == Positions::kRotary)
    rotations_ =
        planner.saved("positions.rotations", statistics_, {config_.max_positions, config_.head_size()});
}

void FixedPositions::prepare(Context& context) {
  if (filled_) return;
  if (!sinusoids_.empty()) write_table(context, sinusoid_values(), sinusoids_);
  if (!rotations_.empty()) write_table(context, rotation_values(), rotations_);
  filled_ = true;
}

std::vector<double> FixedPositions::sinusoid_values() const {
  const std::int64_t width = config_.hidden_size;
  std::vector<double> values(static_cast<std::size_t>(sinusoids_.numel()));
  auto to = values.begin() + kPositionOffset * width;
  const auto divisors = divisors_of(width);
  for (std::int64_t p = 0; p < config_.max_positions; ++p)
    for (std::int64_t c = 0; c < width; ++c) {
      const double angle = static_cast<double>(p) / divisors[static_cast<std::size_t>(c / 2)];
      *to++ = c % 2 == 0 ? std::sin(angle) : std::cos(angle);
    }
  return values;
}

std::vector<double> FixedPositions::rotation_values() const {
  const auto divisors = divisors_of(config_.head_size());
  std::vector<double> values;
  for (std::int64_t p = 0; p < config_.max_positions; ++p) {
    for (const double divisor : divisors) values.push_back(std::cos(static_cast<double>(p) / divisor));
    for (const double divisor : divisors) values.push_back(std::sin(static_cast<double>(p) / divisor));
  }
  return values;
}

void FixedPositions::turn(Context& context, const Batch& batch, const Tensor& qkv, bool back) const {
  if (rotations_.empty()) return;
  const std::int64_t values = 1;  // the last projection
  rotate(context, {.heads = config_.attention.heads,
                   .turned = std::ssize(attention_entry(config_.attention.kind).projections) - values,
                   .positions = batch.inputs.positions,
                   .table = rotations_,
                   .qkv = qkv,
                   .back = back});
}

}  // namespace nystrom
