#include "kernels/tensor/cuda/upload.h"

namespace nystrom::cuda {

DeviceUpload::Block::Block(PinnedMemory& pinned, DeviceMemory& device_memory, std::size_t bytes)
    : host(bytes, pinned), device(bytes, device_memory) {}

DeviceUpload::DeviceUpload(CudaContext& context, std::size_t bytes)
    : context_(context), blocks_{Block(pinned_, memory_, bytes), Block(pinned_, memory_, bytes)} {}

// All ops on the block of last time have been asked for by now.
std::byte* DeviceUpload::begin() {
  context_.stream().record(blocks_[turn_].computed);
  turn_ = 1 - turn_;
  blocks_[turn_].copied.synchronize();
  return blocks_[turn_].host.data();
}

std::byte* DeviceUpload::commit() {
  Block& block = blocks_[turn_];
  stream_.wait(block.computed);
  copy_to_device(stream_, block.device.data(), block.host.data(), block.host.bytes());
  stream_.record(block.copied);
  context_.stream().wait(block.copied);
  return block.device.data();
}

}  // namespace nystrom::cuda
