#include "kernels/tensor/cuda/stream.h"

namespace nystrom::cuda {

Event::Event(Timing timing) {
  const unsigned flags = timing == Timing::kOn ? cudaEventDefault : cudaEventDisableTiming;
  check(cudaEventCreateWithFlags(&event_, flags), "creating an event");
}

void Event::synchronize() const {
  check(cudaEventSynchronize(event_), "waiting for an event");
}

bool Event::happened() const {
  const cudaError_t state = cudaEventQuery(event_);
  if (state != cudaErrorNotReady) check(state, "looking at an event");
  return state == cudaSuccess;
}

double Event::milliseconds_since(const Event& start) const {
  float elapsed = 0;
  check(cudaEventElapsedTime(&elapsed, start.event_, event_), "reading the time between two events");
  return elapsed;
}

Stream::Stream(Priority priority) {
  int lowest = 0, highest = 0;  // both 0 where the GPU has no priorities
  check(cudaDeviceGetStreamPriorityRange(&lowest, &highest), "asking for the priorities of streams");
  check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                     priority == Priority::kHigh ? highest : 0),
        "creating a stream");
}

void Stream::record(const Event& event) const {
  check(cudaEventRecord(event.get(), stream_), "recording an event");
}

void Stream::wait(const Event& event) const {
  check(cudaStreamWaitEvent(stream_, event.get(), 0), "making a stream wait");
}

void Stream::synchronize() const {
  check(cudaStreamSynchronize(stream_), "waiting for the work of a stream");
}

}  // namespace nystrom::cuda
