#include "kernels/tensor/cuda/graphs.h"

#include <algorithm>

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
  check(cudaGraphLaunch(graph_of(slot, recorded), stream()), "starting a graph");
}

cudaGraphExec_t DeviceGraphs::graph_of(Slot& slot, const Recorded& recorded) {
  std::size_t nodes = 0;
  check(cudaGraphGetNodes(recorded.get(), nullptr, &nodes), "counting a graph's nodes");
  std::vector<Made>& made = slot.made;
  const auto alike = std::ranges::find(made, nodes, &Made::nodes);
  if (alike != made.end()) {
    std::rotate(alike, alike + 1, made.end());
    if (update(made.back().graph.get(), recorded)) return made.back().graph.get();
    made.pop_back();
  }
  cudaGraphExec_t graph = nullptr;
  check(cudaGraphInstantiate(&graph, recorded.get(), 0), "making a graph");
  Owned<cudaGraphExec_t> owned(graph);
  if (made.size() == kMadeOfSlot) made.erase(made.begin());
  made.push_back({nodes, std::move(owned)});
  return graph;
}

bool DeviceGraphs::update(cudaGraphExec_t graph, const Recorded& recorded) {
  cudaGraphExecUpdateResultInfo result{};
  if (cudaGraphExecUpdate(graph, recorded.get(), &result) == cudaSuccess) return true;
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
