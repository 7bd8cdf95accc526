#include "kernels/core/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace nystrom {
namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20U;
}

Buffer::Buffer(std::size_t bytes) : bytes_(bytes) {
  const bool large = bytes >= 2 * kHugePage;
  const std::size_t alignment = large ? kHugePage : kAlignment;
  const std::size_t size = align_up(bytes == 0 ? 1 : bytes, alignment);
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, size)));
  if (!data_)
    fail("This machine has no {:.1f} MiB of memory left; use a smaller training.micro_batch or model.",
         static_cast<double>(bytes) / 1048576.0);
  if (large) madvise(data_.get(), size, MADV_HUGEPAGE);  // fewer TLB misses; a refusal costs nothing
  std::memset(data_.get(), 0, size);
}

void Buffer::Release::operator()(std::byte* p) const noexcept {
  std::free(p);
}

}  // namespace nystrom
