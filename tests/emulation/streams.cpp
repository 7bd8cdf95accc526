// Streams: nothing runs before the host waits; then in a drawn order among those that events permit.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "streams.h"

namespace nystrom::emulation {

std::vector<StreamState*>& streams() {
  static std::vector<StreamState*> all;
  return all;
}

namespace {

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// One operation of one stream, the one of the highest priority that can. Priorities are drawn, and drawn
/// again now and then, so that a stream runs far ahead of the others or falls far behind them.
bool run_one() {
  auto& all = streams();
  if (dice().below(24) == 0)
    for (StreamState* stream : all) stream->priority = dice().next();
  std::ranges::sort(all, [](const auto* a, const auto* b) { return a->priority > b->priority; });
  for (StreamState* stream : all) {
    if (stream->queue.empty()) continue;
    const bool done = stream->queue.front().run();
    if (!fault().empty()) return false;
    if (!done) continue;
    stream->queue.pop_front();
    return true;
  }
  return false;
}

}  // namespace

void clear_streams() {
  for (StreamState* stream : streams()) {
    stream->queue.clear();
    stream->capture = nullptr;
  }
}

namespace {

bool all_idle() {
  return std::ranges::all_of(streams(), [](const auto* s) { return s->queue.empty(); });
}

/// Runs until `done`. Where nothing can continue, a peer's message may be what is missing: a while longer.
template <class Done>
cudaError_t run_until(const Done& done) {
  ++mutable_statistics().synchronizations;
  const DeviceSide side;
  double stuck_since = 0;
  while (fault().empty() && !done()) {
    if (run_one()) {
      stuck_since = 0;
      continue;
    }
    if (all_idle() && !done()) set_fault("the host waits for an event that was never recorded");
    if (stuck_since == 0) stuck_since = now();
    if (now() - stuck_since > 600)
      set_fault("the streams wait for each other, or for a rank that does not come");
    std::this_thread::yield();
  }
  return fault().empty() ? cudaSuccess : cudaErrorLaunchFailure;
}

/// Time passes while the host asks: it may be waiting so.
void run_a_little() {
  if (!fault().empty()) return;
  const DeviceSide side;
  for (std::uint64_t n = dice().below(8); n > 0 && run_one(); --n) {
  }
}

std::function<bool()> copy(void* to, const void* from, std::size_t bytes) {
  return [=] {
    std::memmove(to, from, bytes);
    return true;
  };
}

/// What the copy reads or writes of the device must be in one allocation.
cudaError_t check_copy(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind == cudaMemcpyDefault) return cudaErrorNotSupported;
  if (is_device_memory(to, bytes) != to_device || is_device_memory(from, bytes) != from_device)
    return cudaErrorInvalidValue;
  return cudaSuccess;
}

thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

cudaError_t with_name(cudaStream_t stream, const char* name, std::function<bool()> work) {
  if (!fault().empty()) return cudaErrorLaunchFailure;
  if (stream == nullptr || std::ranges::find(streams(), stream) == streams().end())
    return cudaErrorInvalidResourceHandle;  // this project has no use for the default stream
  if (stream->capture == nullptr)
    stream->queue.push_back({name, std::move(work)});
  else if (stream->capture->valid)
    stream->capture->operations.push_back({name, std::move(work)});
  else
    return cudaErrorStreamCaptureInvalidated;
  return cudaSuccess;
}

cudaError_t enqueue(cudaStream_t stream, const char* name, std::function<bool()> work) {
  return remember(with_name(stream, name, [name = std::string(name), work = std::move(work)] {
    const bool done = work();
    if (done) check_guards(name);
    return done;
  }));
}

/// NYSTROM_EMULATION_FAILURE=adamw_step:3 makes the third kernel of that name fail.
bool is_to_fail(const std::string& kernel) {
  static const std::string wanted = [] {
    const char* text = std::getenv("NYSTROM_EMULATION_FAILURE");
    return std::string(text == nullptr ? "" : text);
  }();
  static std::uint64_t left = [] {
    const auto colon = wanted.find(':');
    return colon == std::string::npos ? 1 : std::strtoull(wanted.c_str() + colon + 1, nullptr, 10);
  }();
  return !wanted.empty() && wanted.substr(0, wanted.find(':')) == kernel && left > 0 && --left == 0;
}

/// What cudaFuncSetAttribute has allowed, by kernel.
std::map<const void*, std::size_t>& allowed_shared_bytes() {
  static std::map<const void*, std::size_t> allowed;
  return allowed;
}

cudaError_t enqueue_kernel(cudaStream_t stream, dim3 grid, dim3 block, std::size_t shared_bytes,
                           const char* name, std::function<void()> thread, const void* function) {
  constexpr std::size_t kUnasked = 48 * 1024;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > kMaxThreads || block.z > 64 || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
      grid.x > 0x7fffffffU || grid.y > 65535 || grid.z > 65535)
    return remember(cudaErrorInvalidConfiguration);
  const auto allowed = allowed_shared_bytes().find(function);
  if (shared_bytes > (allowed == allowed_shared_bytes().end() ? kUnasked : allowed->second))
    return remember(cudaErrorInvalidValue);
  ++mutable_statistics().kernels;
  ++launches()[name];
  auto call = std::make_shared<KernelCall>(KernelCall{grid, block, shared_bytes, name, std::move(thread)});
  return remember(with_name(stream, name, [call] {
    if (is_to_fail(call->name)) return set_fault("the failure of a kernel was asked for"), true;
    run_kernel(*call);
    if (fault().empty()) check_guards("kernel " + call->name);
    return true;
  }));
}

}  // namespace nystrom::emulation

using emulation::refuse_while_capturing;
using emulation::remember;
using emulation::run_until;

cudaError_t cudaGetLastError() {
  if (!emulation::fault().empty()) return cudaErrorLaunchFailure;
  return std::exchange(emulation::last_error, cudaSuccess);
}
cudaError_t cudaPeekAtLastError() {
  return emulation::fault().empty() ? emulation::last_error : cudaErrorLaunchFailure;
}

cudaError_t cudaDeviceSynchronize() {
  if (const cudaError_t error = refuse_while_capturing(nullptr); error != cudaSuccess) return error;
  return run_until(emulation::all_idle);
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
      static_cast<std::size_t>(value) > emulation::max_shared_bytes())
    return remember(cudaErrorInvalidValue);
  emulation::allowed_shared_bytes()[function] = static_cast<std::size_t>(value);
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* lowest, int* highest) {
  *lowest = 0;
  *highest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  *priority = stream->cuda_priority;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  if (flags != cudaStreamNonBlocking) return remember(cudaErrorNotSupported);
  *stream = new emulation::StreamState;
  (*stream)->cuda_priority = priority;
  (*stream)->priority = emulation::dice().next();
  emulation::streams().push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t error = cudaStreamSynchronize(stream);
  std::erase(emulation::streams(), stream);
  delete stream;
  return error;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t error = refuse_while_capturing(stream); error != cudaSuccess) return error;
  return run_until([stream] { return stream->queue.empty(); });
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  if (const cudaError_t error = refuse_while_capturing(stream); error != cudaSuccess) return error;
  emulation::run_a_little();
  if (!emulation::fault().empty()) return cudaErrorLaunchFailure;
  return stream->queue.empty() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (event->captured != nullptr)  // would join the capture, of which here one stream alone is part
    return stream->capture == event->captured ? cudaSuccess : remember(cudaErrorNotSupported);
  if (!event->last) return cudaSuccess;  // never recorded: nothing to wait for
  if (stream->capture != nullptr) {      // a graph cannot depend on what is outside of it
    stream->capture->valid = false;
    return remember(cudaErrorStreamCaptureIsolation);
  }
  return remember(emulation::with_name(stream, "wait", [ticket = event->last] { return ticket->done; }));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new emulation::EventState;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->captured = stream == nullptr ? nullptr : stream->capture;
  if (event->captured != nullptr) return cudaSuccess;  // it stands for a place in the graph
  event->last = std::make_shared<emulation::Ticket>();
  return remember(emulation::with_name(stream, "record", [ticket = event->last] {
    ticket->done = true;
    ticket->seconds = emulation::now();
    return true;
  }));
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->captured != nullptr) return remember(cudaErrorCapturedEvent);
  if (!event->last) return cudaSuccess;
  return run_until([ticket = event->last] { return ticket->done; });
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (event->captured != nullptr) return remember(cudaErrorCapturedEvent);
  emulation::run_a_little();
  if (!emulation::fault().empty()) return cudaErrorLaunchFailure;
  return !event->last || event->last->done ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (!start->last || !end->last) return cudaErrorInvalidResourceHandle;
  if (!start->last->done || !end->last->done) return cudaErrorNotReady;
  *milliseconds = static_cast<float>(1e3 * (end->last->seconds - start->last->seconds));
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = emulation::check_copy(to, from, bytes, kind); error != cudaSuccess)
    return remember(error);
  if (kind == cudaMemcpyHostToDevice && !emulation::is_pinned_memory(from)) {
    // The graph would read it when it runs, and by then it may be something else.
    if (const cudaError_t refused = refuse_while_capturing(stream); refused != cudaSuccess) return refused;
    const auto* bytes_of = static_cast<const std::byte*>(from);
    auto staged = std::make_shared<std::vector<std::byte>>(bytes_of, bytes_of + bytes);
    return remember(emulation::with_name(stream, "copy", [to, staged] {
      std::memcpy(to, staged->data(), staged->size());
      return true;
    }));
  }
  const cudaError_t error = remember(emulation::with_name(stream, "copy", emulation::copy(to, from, bytes)));
  if (error != cudaSuccess || kind != cudaMemcpyDeviceToHost || emulation::is_pinned_memory(to)) return error;
  return cudaStreamSynchronize(stream);  // pageable memory: the host waits
}
// At once: streams that do not block the default stream (all of ours) need not have come so far.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  if (!emulation::fault().empty()) return cudaErrorLaunchFailure;
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = refuse_while_capturing(nullptr); error != cudaSuccess) return error;
  if (const cudaError_t error = emulation::check_copy(to, from, bytes, kind); error != cudaSuccess)
    return remember(error);
  ++emulation::mutable_statistics().synchronizations;
  const emulation::DeviceSide side;
  std::memmove(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!emulation::is_device_memory(to, bytes)) return remember(cudaErrorInvalidValue);
  return remember(emulation::with_name(stream, "memset", [=] {
    std::memset(to, value, bytes);
    return true;
  }));
}
cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  if (bytes == 0) return cudaSuccess;
  if (!emulation::is_device_memory(to, bytes)) return remember(cudaErrorInvalidValue);
  const emulation::DeviceSide side;
  std::memset(to, value, bytes);
  return cudaSuccess;
}
