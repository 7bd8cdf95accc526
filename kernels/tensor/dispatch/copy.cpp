#include "kernels/tensor/copy.h"

#include <cstring>

#ifdef NYSTROM_WITH_CUDA
#include "kernels/tensor/cuda/context.h"
#endif

namespace nystrom {

void copy_bytes(Context& context, const Tensor& from, const Tensor& to) {
  NYSTROM_CHECK(from.bytes() == to.bytes(), "{} bytes are copied to {}", from.bytes(), to.bytes());
#ifdef NYSTROM_WITH_CUDA
  if (context.cuda() != nullptr)
    return cuda::copy_on_device(context.cuda()->stream(), to.address, from.address, from.bytes());
#endif
  constexpr std::int64_t kGrain = 1 << 20;
  auto* const target = static_cast<std::byte*>(to.address);
  const auto* const source = static_cast<const std::byte*>(from.address);
  parallel_for(context, static_cast<std::int64_t>(from.bytes()), kGrain,
               [=](std::int64_t begin, std::int64_t end) {
                 std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin));
               });
}

}  // namespace nystrom
