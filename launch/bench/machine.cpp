#include "launch/bench/machine.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "kernels/core/philox.h"
#include "kernels/core/stage.h"
#include "kernels/linear.h"
#include "kernels/matmul.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/copy.h"
#include "kernels/units.h"

namespace nystrom {
namespace {

/// A GPU's sizes grow until one call takes so long that starting and waiting do not count, or no more memory
/// is free.
constexpr double kLongEnoughSeconds = 1e-3;

double seconds_of(const Context& context, int times, const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) work();
  context.synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / times;
}

// Minimum over repetitions: a ceiling is the rate of an undisturbed machine.
double best_seconds(const Context& context, const auto& work) {
  constexpr double kBudgetSeconds = 0.3;
  const int at_once = context.cuda() == nullptr ? 1 : 4;
  seconds_of(context, 1, work);
  double best = 1e300, spent = 0;
  for (int i = 0; i < 3 || spent < kBudgetSeconds; ++i) {
    const double seconds = seconds_of(context, at_once, work);
    best = std::min(best, seconds);
    spent += at_once * seconds;
  }
  return best;
}

/// Normal numbers, a million of them again and again: a product of zeros draws less power, and can be faster.
OwnedTensor random_square(const Context& context, DType type, std::int64_t size) {
  constexpr std::int64_t kPattern = 1 << 20;
  const OwnedTensor pattern(type, {std::min(kPattern, size * size)});
  dispatch_float(type, [&]<class T>(T) {
    Random random(1, Purpose::kTest, 0);
    for (T& value : pattern.view().span<T>())
      value = static_cast<T>(static_cast<Compute<T>>(random.normal()));
  });
  OwnedTensor out(type, {size, size}, context.memory());
  for (std::int64_t begin = 0; begin < size * size; begin += kPattern)
    context.memory().write(
        static_cast<std::byte*>(out.view().address) + begin * static_cast<std::int64_t>(size_of(type)),
        pattern.view().address,
        static_cast<std::size_t>(std::min(kPattern, size * size - begin)) * size_of(type));
  return out;
}

double product_flops(Context& context, DType type, std::int64_t size) {
  const OwnedTensor x = random_square(context, type, size), w = random_square(context, type, size),
                    y(type, {size, size}, context.memory());
  const double flops =
      2.0 * static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size);
  return flops /
         best_seconds(context, [&] { linear_forward(context, x.view(), w.view(), Tensor{}, y.view()); });
}

double copy_rate(Context& context, std::int64_t bytes) {
  const OwnedTensor from(DType::kF32, {bytes / 4}, context.memory()),
      to(DType::kF32, {bytes / 4}, context.memory());
  return 2.0 * static_cast<double>(bytes) /
         best_seconds(context, [&] { copy_bytes(context, from.view(), to.view()); });
}

/// `rate(size)` at the first size, doubled up to `largest`, at which one call of `work(size)` takes long
/// enough.
double rate_of_large(std::int64_t smallest, std::int64_t largest, double work_of_smallest, double power,
                     const std::function<double(std::int64_t)>& rate) {
  double reached = 0, work = work_of_smallest;
  for (std::int64_t size = smallest; size <= largest; size *= 2, work *= power) {
    try {
      reached = rate(size);
    } catch (const OutOfMemory&) {
      if (reached == 0) throw;
      break;  // that of the size before
    }
    if (work / reached >= kLongEnoughSeconds) break;
  }
  return reached;
}

double product_ceiling(Context& context, DType type) {
  constexpr std::int64_t kSize = 1024, kMin = 256, kMax = 8192;
  if (context.cuda() == nullptr) return product_flops(context, type, kSize);
  constexpr double kWork = 2.0 * kMin * kMin * kMin;
  return rate_of_large(kMin, kMax, kWork, 8,
                       [&](std::int64_t size) { return product_flops(context, type, size); });
}

double copy_ceiling(Context& context) {
  constexpr std::int64_t kBytes = std::int64_t{1} << 28, kMin = std::int64_t{1} << 25,
                         kMax = std::int64_t{1} << 30;
  if (context.cuda() == nullptr) return copy_rate(context, kBytes);
  return rate_of_large(kMin, kMax, 2.0 * kMin, 2,
                       [&](std::int64_t bytes) { return copy_rate(context, bytes); });
}

// The number after `key` in a text of lines "key number", in a file; nothing without file, line or number.
std::optional<double> number_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (double value = 0; line.starts_with(key) && std::istringstream(line.substr(key.size())) >> value)
      return value;
  return std::nullopt;
}

}  // namespace

MachineCeiling measure_machine(Context& context, bool bf16) {
  const Stage stage("measuring the machine");
  MachineCeiling ceiling;
  ceiling.fp32_flops = product_ceiling(context, DType::kF32);
  if (bf16) ceiling.bf16_flops = product_ceiling(context, DType::kBF16);
  ceiling.copy_bytes = copy_ceiling(context);
  if (context.cuda() != nullptr) return ceiling;
  ceiling.bf16_products = bf16_products();
  ceiling.fp32_units = unit_flops(context, DType::kF32);
  if (bf16) ceiling.bf16_units = unit_flops(context, DType::kBF16);
  if (context.threads() > 1) {
    Context one(1);
    ceiling.threads_ratio = ceiling.fp32_units / unit_flops(one, DType::kF32);
  }
  return ceiling;
}

double units_seconds(const OpCount& count, const MachineCeiling& machine, DType precision) {
  const double rate = precision == DType::kBF16 ? machine.bf16_units : machine.fp32_units;
  if (rate <= 0) return 0;
  return (count.flops - count.fp32_flops) / rate + count.fp32_flops / machine.fp32_units;
}

double bound_seconds(const OpCount& count, const MachineCeiling& machine, DType precision) {
  const double rate = precision == DType::kBF16 ? machine.bf16_flops : machine.fp32_flops;
  const double arithmetic = (count.flops - count.fp32_flops) / rate + count.fp32_flops / machine.fp32_flops;
  return std::max(arithmetic, count.bytes / machine.copy_bytes);
}

std::function<std::optional<MachineRates>(Context&)> rates_at(DType precision) {
  return [bf16 = precision == DType::kBF16](Context& context) -> std::optional<MachineRates> {
    try {
      const MachineCeiling ceiling = measure_machine(context, bf16);
      return MachineRates{.flops = bf16 ? ceiling.bf16_flops : ceiling.fp32_flops,
                          .fp32_flops = ceiling.fp32_flops,
                          .bytes = ceiling.copy_bytes};
    } catch (const OutOfMemory&) {
      return std::nullopt;
    }
  };
}

double available_memory_bytes() {
  double available = number_in("/proc/meminfo", "MemAvailable:").value_or(0) * 1024;
  const std::string group = "/sys/fs/cgroup/";
  for (const auto& [limit, used] : {std::pair{"memory.max", "memory.current"},
                                    {"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"}}) {
    const auto most = number_in(group + limit, "");
    if (most) available = std::min(available, std::max(0.0, *most - number_in(group + used, "").value_or(0)));
  }
  return available;
}

double peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024.0;
}

}  // namespace nystrom
