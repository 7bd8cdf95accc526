#pragma once
// Streams and events, owned. Our streams never wait for the default stream, which this project does not
// use.

#include <cuda_runtime.h>

#include <utility>

#include "kernels/tensor/cuda/check.h"

namespace nystrom::cuda {

class Event {
 public:
  enum class Timing { kOff, kOn };
  explicit Event(Timing timing = Timing::kOff);
  ~Event() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }

  [[nodiscard]] cudaEvent_t get() const { return event_; }
  /// The host waits until what was recorded last has happened; at once where nothing was recorded.
  void synchronize() const;
  /// Whether that has happened; true where nothing was recorded.
  [[nodiscard]] bool happened() const;
  /// Between two recorded and synchronized events with timing.
  [[nodiscard]] double milliseconds_since(const Event& start) const;

 private:
  cudaEvent_t event_ = nullptr;
};

class KernelTimer;  // kernels/tensor/cuda/kernel_timer.h

class Stream {
 public:
  /// A stream of high priority has its kernels begun first where others wait for room as well: collectives,
  /// that is, whose blocks would stand behind the waves of a product.
  enum class Priority { kNormal, kHigh };
  explicit Stream(Priority priority = Priority::kNormal);
  ~Stream() {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }
  Stream(Stream&& other) noexcept
      : stream_(std::exchange(other.stream_, nullptr)), timer_(std::exchange(other.timer_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(stream_, other.stream_);
    std::swap(timer_, other.timer_);
    return *this;
  }

  [[nodiscard]] cudaStream_t get() const { return stream_; }
  operator cudaStream_t() const {
    return stream_;
  }  // NOLINT(google-explicit-constructor): CUDA's calls take it

  void record(const Event& event) const;
  /// Work given to this stream from now on waits for what `event` recorded last.
  void wait(const Event& event) const;
  /// The host waits for all work of this stream. Not inside a step.
  void synchronize() const;

  /// Times the kernels and products of this stream from now on; null: no longer. Must outlive that.
  void set_timer(KernelTimer* timer) { timer_ = timer; }
  [[nodiscard]] KernelTimer* timer() const { return timer_; }

 private:
  cudaStream_t stream_ = nullptr;
  KernelTimer* timer_ = nullptr;
};

}  // namespace nystrom::cuda
