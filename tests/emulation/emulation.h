#pragma once
// A CUDA device emulated on the CPU, so that the CUDA backend's own sources run where there is no GPU.
//
// - Kernels: blocks one after another in a drawn order, a fiber (Boost.Context) for each thread;
// __syncthreads,
//   shuffles and votes really wait. Threads that wait for each other in vain are a fault with a sentence.
//   Between two barriers the threads run in a drawn order, a warp as far as it gets, so that a missing
//   barrier shows as a wrong number. Shared memory is poisoned for each block and guarded.
// - Memory: device memory is poisoned (0xff: NaN) when allocated, and is between guards that are checked
// after
//   each kernel, and cannot be touched while host code runs. A kernel argument that points to host memory is
//   a fault.
// - Streams: nothing runs before the host waits for something; then the streams' work runs in an order drawn
// from
//   the seed among those that events permit, so that a missing wait shows as a wrong number. Copies from
//   pinned memory read it when they run; those from pageable memory, when they are asked for.
// - Graphs are recorded from one stream; what CUDA forbids meanwhile (waiting, events of outside) is refused.
// - A fault is sticky, as on a GPU: every later call returns cudaErrorLaunchFailure, and cudaGetErrorString
// gives
//   the sentence.
//
// Environment: NYSTROM_EMULATION_SEED (1), NYSTROM_EMULATION_DEVICES (1), NYSTROM_EMULATION_MEMORY (MiB,
// 16384), NYSTROM_EMULATION_CAPABILITY (90; with it goes the most shared memory of a block),
// NYSTROM_EMULATION_MULTIPROCESSORS (2), NYSTROM_EMULATION_MACHINE (0: the machine, by its GPUs' ids),
// NYSTROM_EMULATION_DRIVER (13000), NYSTROM_EMULATION_NCCL=missing, registers-nothing, or start, first or
// destroy with :RANK (which blocks there), NYSTROM_EMULATION_FAILURE=KERNEL:N (its Nth call fails),
// NYSTROM_EMULATION_UPDATES=N (each Nth update of a graph is refused with another error each time),
// NYSTROM_EMULATION_CUBLASLT=N (the first N libraries do not start), NYSTROM_EMULATION_PRODUCT_MS, _PLAIN_MS
// and _EPILOGUE_MS (what products take at least: all, those with no epilogue but a bias, those with another),
// NYSTROM_EMULATION_MMA=truncate (sums of tensor cores cut off as hardware does),
// NYSTROM_EMULATION_EPILOGUES=none or bias,gelu,slope,sums (what cuBLASLt can do besides summing; all).

#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace nystrom::emulation {

struct Statistics {
  std::int64_t kernels = 0;
  std::int64_t synchronizations = 0;  ///< calls that made the host wait
  std::int64_t allocations = 0;       ///< of device or pinned memory
  std::int64_t bank_conflicts = 0;    ///< turns that ldmatrix took beyond one for eight rows
  std::int64_t graphs_made = 0, graphs_updated = 0;
  std::int64_t registered = 0, deregistered = 0;  ///< pieces of memory with NCCL
};
const Statistics& statistics();

/// How often each kernel was launched, by name.
std::map<std::string, std::int64_t>& launches();

/// From here on orders are drawn from `seed`.
void set_seed(std::uint64_t seed);

/// The sentence of the fault so far, or empty. `take_fault` also heals the device, which no GPU can: for
/// tests.
const std::string& fault();
std::string take_fault();

/// Seconds by which each of the stand-in's three algorithms of a matrix product is slower than it could be,
/// and how often each was asked for.
std::array<double, 3>& product_delays();
std::array<std::int64_t, 3>& products_by_algorithm();

/// Accesses that the shadow memory has looked at (races.cpp, in races_test alone).
std::uint64_t watched_accesses();

// ---- for launch.h and the stand-ins of libraries ----------------------------------------------------------

/// A kernel: `thread` is called by each thread of each block. More than 48 KiB of shared memory are refused
/// where cudaFuncSetAttribute has not allowed them to `function`.
cudaError_t enqueue_kernel(cudaStream_t stream, dim3 grid, dim3 block, std::size_t shared_bytes,
                           const char* name, std::function<void()> thread, const void* function);
/// Faults where one of the parameter's words is the address of host memory.
void check_parameter(const char* kernel, const void* parameter, std::size_t bytes);
/// Work of a library on a stream; returns whether it is done, is called again until then.
cudaError_t enqueue(cudaStream_t stream, const char* name, std::function<bool()> work);
/// Whether what the stream is given is recorded, to be run often: nothing for work that can run but once.
bool is_capturing(cudaStream_t stream);
/// Whether [address, address + bytes) is in one allocation of device memory.
bool is_device_memory(const void* address, std::size_t bytes);
void set_fault(std::string sentence);

}  // namespace nystrom::emulation
