#include <cstring>

#include "kernels/cpu/ops.h"

namespace nystrom::cpu {

void fill_zero(Context& context, const Tensor& x) {
  constexpr std::int64_t kGrain = 1 << 18;
  parallel_for(
      context, static_cast<std::int64_t>(x.bytes()), kGrain, [&](std::int64_t begin, std::int64_t end) {
        std::memset(static_cast<std::byte*>(x.address) + begin, 0, static_cast<std::size_t>(end - begin));
      });
}

}  // namespace nystrom::cpu
