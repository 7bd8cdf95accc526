#include "kernels/tensor/buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace nystrom {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20U;
constexpr std::size_t kSpread = std::size_t{64} << 20U;  // bytes from which on all threads touch it

/// A page is on the memory node of the thread that first writes to it. Ops give each thread an equal part
/// of a tensor, in order, and so does this.
void zero_by_all_threads(std::byte* data, std::size_t size) {
  const auto pages = static_cast<std::int64_t>(size / kHugePage);
#pragma omp parallel for schedule(static)
  for (std::int64_t page = 0; page < pages; ++page)
    std::memset(data + static_cast<std::size_t>(page) * kHugePage, 0, kHugePage);
}

class HostMemory final : public Memory {
 public:
  [[nodiscard]] std::byte* allocate(std::size_t bytes, Contents) override {
    const bool large = bytes >= 2 * kHugePage;
    const std::size_t alignment = large ? kHugePage : kAlignment;
    const std::size_t size = align_up(bytes == 0 ? 1 : bytes, alignment);
    auto* data = static_cast<std::byte*>(std::aligned_alloc(alignment, size));
    if (data == nullptr)
      throw OutOfMemory(bytes, fmt::format("This machine has no {:.1f} MiB of memory left; use a smaller "
                                           "training.micro_batch or model.",
                                           mebibytes(bytes)));
    if (large) madvise(data, size, MADV_HUGEPAGE);  // fewer TLB misses; a refusal costs nothing
    if (size >= kSpread)
      zero_by_all_threads(data, size);
    else
      std::memset(data, 0, size);
    return data;
  }
  void release(std::byte* address) noexcept override { std::free(address); }
};

}  // namespace

Memory& Memory::host() {
  static HostMemory memory;
  return memory;
}

void Memory::read(void* host, const void* from, std::size_t bytes) const {
  std::memcpy(host, from, bytes);
}

void Memory::write(void* to, const void* host, std::size_t bytes) const {
  std::memcpy(to, host, bytes);
}

HostValues::HostValues(const Tensor& tensor, Memory& memory)
    : tensor_(tensor), view_(tensor), memory_(memory) {
  if (!memory.on_device() || tensor.empty()) return;
  copy_ = Buffer(tensor.bytes());
  memory.read(copy_.data(), tensor.address, tensor.bytes());
  view_.address = copy_.data();
}

void HostValues::write_back() const {
  if (view_.address != tensor_.address) memory_.write(tensor_.address, view_.address, tensor_.bytes());
}

Buffer::Buffer(std::size_t bytes, Memory& memory, Contents contents)
    : data_(memory.allocate(bytes, contents), Release(&memory)), bytes_(bytes) {}

}  // namespace nystrom
