#include "launch/bench/machine.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "kernels/linear.h"
#include "kernels/tensor/buffer.h"

namespace nystrom {
namespace {

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Minimum over repetitions: a ceiling is the rate of an undisturbed machine.
double best_seconds(const auto& work) {
  constexpr double kBudgetSeconds = 0.3;
  work();
  double best = 1e300, spent = 0;
  for (int i = 0; i < 3 || spent < kBudgetSeconds; ++i) {
    const double seconds = seconds_of(work);
    best = std::min(best, seconds);
    spent += seconds;
  }
  return best;
}

double product_flops(Context& context, DType type) {
  constexpr std::int64_t kSize = 1024;
  const OwnedTensor x(type, {kSize, kSize}), w(type, {kSize, kSize}), y(type, {kSize, kSize});
  const double flops = 2.0 * kSize * kSize * kSize;
  return flops / best_seconds([&] { linear_forward(context, x.view(), w.view(), Tensor{}, y.view()); });
}

double copy_bytes(Context& context) {
  constexpr std::int64_t kBytes = std::int64_t{1} << 28;
  const Buffer from(kBytes), to(kBytes);
  const double seconds = best_seconds([&] {
    parallel_for(context, kBytes, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(end - begin));
    });
  });
  return 2.0 * static_cast<double>(kBytes) / seconds;
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
  MachineCeiling ceiling;
  ceiling.fp32_flops = product_flops(context, DType::kF32);
  if (bf16) ceiling.bf16_flops = product_flops(context, DType::kBF16);
  ceiling.copy_bytes = copy_bytes(context);
  return ceiling;
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
