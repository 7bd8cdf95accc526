// Graphs by capture of one stream. Stricter than CUDA where it is free to be: a capture has one stream, an
// update takes the same kernels only, and nothing is allocated or freed during a capture.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "streams.h"

namespace nystrom::emulation {

struct GraphState {
  std::vector<Operation> operations;
};
struct GraphExecState {
  std::vector<Operation> operations;
};

/// Whether the work is the same but for what it works on.
static bool alike(const std::vector<Operation>& a, const std::vector<Operation>& b) {
  return std::ranges::equal(a, b, {}, &Operation::name, &Operation::name);
}

bool is_capturing(cudaStream_t stream) {
  return stream != nullptr && stream->capture != nullptr;
}

cudaError_t refuse_while_capturing(cudaStream_t stream) {
  bool refused = false;
  for (StreamState* each : streams())
    if (each->capture != nullptr && (stream == nullptr || stream == each)) {
      each->capture->valid = false;
      refused = true;
    }
  return refused ? remember(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

/// NYSTROM_EMULATION_UPDATES=N: each Nth update is refused, with the errors that drivers have for it in turn.
cudaError_t refusal_of_update() {
  const char* text = std::getenv("NYSTROM_EMULATION_UPDATES");
  const std::uint64_t every = text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
  constexpr std::array kErrors{cudaErrorGraphExecUpdateFailure, cudaErrorNotSupported, cudaErrorInvalidValue};
  static std::uint64_t updates = 0;
  if (every == 0 || ++updates % every != 0) return cudaSuccess;
  return kErrors[updates / every % kErrors.size()];
}

}  // namespace nystrom::emulation

using emulation::remember;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!emulation::fault().empty()) return cudaErrorLaunchFailure;
  if (stream->capture != nullptr) return remember(cudaErrorInvalidValue);
  stream->capture = std::make_shared<emulation::Capture>();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  const auto capture = std::exchange(stream->capture, nullptr);
  if (capture == nullptr) return remember(cudaErrorInvalidValue);
  if (!capture->valid) return remember(cudaErrorStreamCaptureInvalidated);
  *graph = new emulation::GraphState{std::move(capture->operations)};
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = stream->capture == nullptr ? cudaStreamCaptureStatusNone
            : stream->capture->valid   ? cudaStreamCaptureStatusActive
                                       : cudaStreamCaptureStatusInvalidated;
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  if (graph == nullptr || nodes != nullptr) return remember(cudaErrorInvalidValue);
  *count = graph->operations.size();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags) {
  if (graph == nullptr || flags != 0) return remember(cudaErrorInvalidValue);
  ++emulation::mutable_statistics().graphs_made;
  *exec = new emulation::GraphExecState{graph->operations};
  return cudaSuccess;
}
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* result) {
  *result = {cudaGraphExecUpdateSuccess, nullptr, nullptr};
  if (!emulation::alike(exec->operations, graph->operations)) {
    result->result = cudaGraphExecUpdateErrorTopologyChanged;
    return remember(cudaErrorGraphExecUpdateFailure);
  }
  if (const cudaError_t refused = emulation::refusal_of_update(); refused != cudaSuccess)
    return remember(refused);
  ++emulation::mutable_statistics().graphs_updated;
  exec->operations = graph->operations;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (emulation::is_to_fail("graph")) emulation::set_fault("the failure of a graph was asked for");
  for (const emulation::Operation& operation : exec->operations)
    if (const cudaError_t error = emulation::with_name(stream, operation.name.c_str(), operation.run);
        error != cudaSuccess)
      return remember(error);
  return cudaSuccess;
}
// What was launched continues: it has its own copies.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
