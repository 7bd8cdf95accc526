#pragma once
// NVTX ranges, which NVIDIA's profilers show with the kernels that were launched within them. Nothing where
// the toolkit has no NVTX3, as in the emulation.

#include <string_view>

namespace nystrom::cuda {

void push_range(std::string_view name) noexcept;
void pop_range() noexcept;

}  // namespace nystrom::cuda
