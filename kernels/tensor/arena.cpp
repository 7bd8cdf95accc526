#include "kernels/tensor/arena.h"

#include <algorithm>

namespace nystrom {

Tensor Planner::saved(std::string_view name, DType dtype, Shape shape) {
  return book(name, dtype, shape, true);
}

Tensor Planner::scratch(std::string_view name, DType dtype, Shape shape) {
  return book(name, dtype, shape, false);
}

Tensor Planner::book(std::string_view name, DType dtype, Shape shape, bool saved) {
  std::size_t& used = saved ? saved_ : scratch_;
  std::size_t& peak = saved ? saved_peak_ : scratch_peak_;
  const std::size_t offset = used + (saved ? 0 : scratch_base_);
  Tensor tensor(base_ == nullptr ? nullptr : base_ + offset, dtype, shape);
  used += align_up(tensor.bytes());
  peak = std::max(peak, used);
  bookings_.push_back({std::string(name), dtype, shape, saved});
  return tensor;
}

}  // namespace nystrom
