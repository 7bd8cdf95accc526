#include "kernels/tensor/tensor.h"

namespace nystrom {

std::string Shape::text() const {
  return fmt::format("[{}]", fmt::join(dims(), ", "));
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t count) const {
  NYSTROM_CHECK(shape.rank() > 0 && begin >= 0 && count >= 0 && begin + count <= shape[0],
                "rows [{}, {}) of a tensor {}", begin, begin + count, shape.text());
  Tensor part = *this;
  const std::int64_t row = shape[0] == 0 ? 0 : numel() / shape[0];
  part.shape[0] = count;
  if (address != nullptr)
    part.address = static_cast<std::byte*>(address) + static_cast<std::size_t>(begin * row) * size_of(dtype);
  return part;
}

Tensor Tensor::reshaped(Shape to) const {
  NYSTROM_CHECK(to.numel() == numel(), "a tensor {} taken as {}", shape.text(), to.text());
  return {address, dtype, to};
}

}  // namespace nystrom
