#include <cstring>

#include "kernels/fill.h"

namespace nystrom {

void fill_zero(Context& context, const Tensor& x) {
  const OpScope scope(context, "fill_zero", 0, static_cast<double>(x.bytes()));
  NYSTROM_ON_CUDA(fill_zero, context, x);
  constexpr std::int64_t kGrain = 1 << 18;
  parallel_for(
      context, static_cast<std::int64_t>(x.bytes()), kGrain, [&](std::int64_t begin, std::int64_t end) {
        std::memset(static_cast<std::byte*>(x.address) + begin, 0, static_cast<std::size_t>(end - begin));
      });
}

}  // namespace nystrom
