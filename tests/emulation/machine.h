#pragma once
// The parts of the emulation, to each other.

#include <array>
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
/// How far the block that runs has come: what orders the accesses of its threads (races.cpp).
struct Progress {
  bool in_thread = false;  ///< a kernel's thread runs, not the machinery
  bool atomic = false;     ///< within an atomic operation
  bool tensor = false;     ///< reads as wgmma does
  std::uint64_t launch = 0, block_run = 0;
  std::uint32_t block = 0;                                      ///< its index in the grid
  std::uint32_t thread = 0;                                     ///< that runs
  std::uint32_t barriers = 0;                                   ///< __syncthreads that all have passed
  std::array<std::uint32_t, kMaxThreads / 32> warp_barriers{};  ///< __syncwarp, by warp
  std::uint64_t writes = 0;                                     ///< that were looked at, of any thread
  std::array<std::uint64_t, kMaxThreads> published{};  ///< `writes` at the thread's last publish_writes()
  const std::byte* shared = nullptr;
  std::size_t shared_bytes = 0;
  const std::byte *stacks = nullptr, *stacks_end = nullptr;
};
extern constinit Progress progress;
/// From a signal handler: leaves the thread that touched what it must not. False outside of kernels.
bool abandon_kernel(const std::string& what);
bool inside_kernel();
/// The running thread ends the kernel with a fault.
[[noreturn]] void fault_of_thread(const std::string& what);
/// A thread of the block that runs, as (x, y, z).
std::string thread_text(unsigned index);

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
/// Whether the page of that address belongs to an allocation of device memory, its guards included.
bool is_in_device_pages(const void* page);
/// "byte 12 of allocation 3, which has 64".
std::string describe_memory(const void* address);
/// Faults, naming `after`, where a guard was written to.
void check_guards(const std::string& after);

}  // namespace nystrom::emulation
