#include "kernels/tensor/upload.h"

#ifdef NYSTROM_WITH_CUDA
#include "kernels/tensor/cuda/upload.h"
#endif

namespace nystrom {
namespace {

/// Ops read what the host wrote.
class HostUpload final : public Upload {
 public:
  explicit HostUpload(std::size_t bytes) : block_(bytes) {}
  std::byte* begin() override { return block_.data(); }
  std::byte* commit() override { return block_.data(); }

 private:
  Buffer block_;
};

}  // namespace

std::unique_ptr<Upload> make_upload(const Context& context, std::size_t bytes) {
#ifdef NYSTROM_WITH_CUDA
  if (context.cuda() != nullptr) return std::make_unique<cuda::DeviceUpload>(*context.cuda(), bytes);
#endif
  (void)context;
  return std::make_unique<HostUpload>(bytes);
}

}  // namespace nystrom
