#include "kernels/units.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "kernels/cpu/products/amx.h"
#include "kernels/cpu/products/units.h"
#include "kernels/tensor/cpu_features.h"

namespace nystrom {
namespace {

using Loop = double (*)(std::int64_t rounds);

Loop loop_of(DType type) {
  if (type != DType::kBF16) return &multiply_fp32;
  if (amx_is_usable()) return &multiply_tiles;
  return CpuFeatures::detect().avx512_bf16 ? &multiply_bf16 : nullptr;
}

}  // namespace

double unit_flops(Context& context, DType type) {
  const Loop loop = loop_of(type);
  if (loop == nullptr) return 0;
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t kRounds = 20'000;      // some 50 to 100 us
  constexpr std::int64_t kChunksPerThread = 8;  // as many as parallel_for makes: a late thread gets fewer
  double best = 0;
  for (const auto start = Clock::now(); Clock::now() - start < std::chrono::milliseconds(50);) {
    const auto before = Clock::now();
    std::atomic<double> operations = 0;
    parallel_for(context, kChunksPerThread * context.threads(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) operations += loop(kRounds);
    });
    best = std::max(best, operations / std::chrono::duration<double>(Clock::now() - before).count());
  }
  return best;
}

}  // namespace nystrom
