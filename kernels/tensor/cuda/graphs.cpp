#include "kernels/tensor/cuda/graphs.h"

namespace nystrom::cuda {

// Relaxed: a library that loads a kernel for a new shape may ask the driver for memory; what waits for the
// stream is an error in every mode.
void DeviceGraphs::begin(std::size_t slot) {
  NYSTROM_CHECK(recording_ == nullptr, "slot {} is begun while another is recorded", slot);
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  if (!std::exchange(slots_[slot].used, true) || context_.profile() != nullptr || stream().timer() != nullptr)
    return;
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "beginning to record a graph");
  recording_ = &slots_[slot];
}

void DeviceGraphs::end() {
  if (recording_ == nullptr) return;
  Slot& slot = *std::exchange(recording_, nullptr);
  cudaGraph_t captured = nullptr;
  check(cudaStreamEndCapture(stream(), &captured), "recording a graph");
  const Recorded recorded(captured);
  if (!update(slot, recorded)) {
    cudaGraphExec_t made = nullptr;
    check(cudaGraphInstantiate(&made, recorded.get(), 0), "making a graph");
    slot.graph.reset(made);
  }
  check(cudaGraphLaunch(slot.graph.get(), stream()), "starting a graph");
}

bool DeviceGraphs::update(const Slot& slot, const Recorded& recorded) {
  if (slot.graph == nullptr) return false;
  cudaGraphExecUpdateResultInfo result{};
  if (cudaGraphExecUpdate(slot.graph.get(), recorded.get(), &result) == cudaSuccess) return true;
  // Drivers differ in what they say of a node that they cannot update. What is wrong with the device itself,
  // capturing the graph again tells as well.
  (void)cudaGetLastError();
  return false;
}

void DeviceGraphs::abandon() noexcept {
  if (std::exchange(recording_, nullptr) == nullptr) return;
  cudaGraph_t captured = nullptr;
  (void)cudaStreamEndCapture(stream(), &captured);
  if (captured != nullptr) (void)cudaGraphDestroy(captured);
}

}  // namespace nystrom::cuda
