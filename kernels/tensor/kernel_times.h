#pragma once
// Times of GPU kernels by name, from events around each, without a profiler.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "kernels/tensor/context.h"

namespace nystrom {

/// Launches of one kernel, or of one matrix product of the library, and their time together.
struct KernelTime {
  std::int64_t calls = 0;
  double seconds = 0;
};
using KernelTimes = std::map<std::string, KernelTime, std::less<>>;

/// While it lives, what the ops of a context start on their GPU is timed: kernels through launch(), products
/// through the library's launch functions. Copies and memsets are not. Each work is between two events of its
/// stream, so that its time includes the microsecond or two between them, and times add up to more than the
/// step's. On the CPU nothing is timed. Graphs are not captured meanwhile (graphs.h).
class KernelTiming {
 public:
  /// `context` must outlive it.
  explicit KernelTiming(Context& context);
  ~KernelTiming();
  KernelTiming(const KernelTiming&) = delete;
  KernelTiming& operator=(const KernelTiming&) = delete;

  /// Of all work since it began; the host waits for it. Empty on the CPU.
  [[nodiscard]] KernelTimes read() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nystrom
