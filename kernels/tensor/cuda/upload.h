#pragma once
// Upload to a GPU: two blocks in turns, a separate stream (kernels/tensor/upload.h).

#include <array>

#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/upload.h"

namespace nystrom::cuda {

class DeviceUpload final : public Upload {
 public:
  DeviceUpload(CudaContext& context, std::size_t bytes);

  std::byte* begin() override;
  std::byte* commit() override;

 private:
  struct Block {
    Block(PinnedMemory& pinned, DeviceMemory& device, std::size_t bytes);
    Buffer host, device;
    Event copied;    // the copy is done: the host may fill, ops may read
    Event computed;  // the ops that read the block are done
  };

  CudaContext& context_;
  PinnedMemory pinned_;
  DeviceMemory memory_;
  Stream stream_;
  std::array<Block, 2> blocks_;
  std::size_t turn_ = 1;
};

}  // namespace nystrom::cuda
