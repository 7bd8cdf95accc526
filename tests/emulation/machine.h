#pragma once
// The parts of the emulation, to each other.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "emulation.h"

namespace nystrom::emulation {

/// xorshift64*: orders need no better randomness.
class Dice {
 public:
  explicit Dice(std::uint64_t seed = 1) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12U;
    state_ ^= state_ << 25U;
    state_ ^= state_ >> 27U;
    return state_ * 0x2545F4914F6CDD1DU;
  }
  /// In [0, n).
  std::uint64_t below(std::uint64_t n) { return (next() >> 11U) % n; }

 private:
  std::uint64_t state_;
};
Dice& dice();
Statistics& mutable_statistics();

// streams.cpp
/// Forgets all work that has not run.
void clear_streams();

// blocks.cpp
inline constexpr unsigned kMaxThreads = 1024;
/// Of a block, where asked for: by the device's capability.
std::size_t max_shared_bytes();
struct KernelCall {
  dim3 grid, block;
  std::size_t shared_bytes = 0;
  std::string name;
  std::function<void()> thread;
};
/// All blocks of a kernel. Faults are set, not thrown.
void run_kernel(const KernelCall& call);
/// From a signal handler: leaves the thread that touched what it must not. False outside of kernels.
bool abandon_kernel(const std::string& what);
bool inside_kernel();

// memory.cpp
/// While one lives, device memory can be touched.
class DeviceSide {
 public:
  DeviceSide();
  ~DeviceSide();
  DeviceSide(const DeviceSide&) = delete;
  DeviceSide& operator=(const DeviceSide&) = delete;
};
bool is_pinned_memory(const void* address);
/// Faults, naming `after`, where a guard was written to.
void check_guards(const std::string& after);

}  // namespace nystrom::emulation
