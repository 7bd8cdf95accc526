#include "trainer/comm/tree_sum.h"

#include <algorithm>

namespace nystrom {
namespace {

constexpr std::int64_t kBlock = 8192;  // elements: those of a few ranks fit into a cache

template <class T>
void add(const T* more, T* sum, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) sum[i] += more[i];
}

/// Each sum is computed in fp32 and rounded once.
void add(const BF16* more, BF16* sum, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i)
    sum[i] = BF16(static_cast<float>(sum[i]) + static_cast<float>(more[i]));
}

template <class T>
void sum_of(std::span<const Tensor> sums) {
  const std::int64_t count = sums.front().numel();
  for (std::int64_t begin = 0; begin < count; begin += kBlock)
    for (std::size_t distance = 1; distance < sums.size(); distance *= 2)
      for (std::size_t r = 0; r + distance < sums.size(); r += 2 * distance)
        add(sums[r + distance].data<T>() + begin, sums[r].data<T>() + begin, std::min(kBlock, count - begin));
}

}  // namespace

void tree_sum(std::span<const Tensor> sums) {
  switch (sums.front().dtype) {
    case DType::kF32:
      return sum_of<float>(sums);
    case DType::kF64:
      return sum_of<double>(sums);
    case DType::kBF16:
      return sum_of<BF16>(sums);
    default:
      throw InternalError(fmt::format("ranks do not sum {}", name_of(sums.front().dtype)));
  }
}

}  // namespace nystrom
