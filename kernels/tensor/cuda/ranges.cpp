#include "kernels/tensor/cuda/ranges.h"

#if __has_include(<nvtx3/nvToolsExt.h>)

#include <nvtx3/nvToolsExt.h>

#include <algorithm>
#include <array>

namespace nystrom::cuda {

void push_range(std::string_view name) noexcept {
  std::array<char, 64> text{};  // ends with a zero
  std::copy_n(name.begin(), std::min(name.size(), text.size() - 1), text.begin());
  nvtxRangePushA(text.data());
}

void pop_range() noexcept {
  nvtxRangePop();
}

}  // namespace nystrom::cuda

#else

namespace nystrom::cuda {

void push_range(std::string_view) noexcept {}
void pop_range() noexcept {}

}  // namespace nystrom::cuda

#endif
