#pragma once
#pragma GCC system_header  // names that are CUDA's, not ours to choose
// The part of the CUDA runtime that this project calls, executed by the CPU: see
// tests/emulation/emulation.h. Found in CUDA's place because the folder comes first on the include path of
// the `emulation` build.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __constant__ const
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

// ---- vector types (by which kernels also reach values of other types) -------------------------------------

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#define NYSTROM_EMULATION_VECTORS(type, name, alignment2, alignment4) \
  struct alignas(alignment2) [[gnu::may_alias]] name##2 {             \
    type x, y;                                                        \
  };                                                                  \
  struct name##3 {                                                    \
    type x, y, z;                                                     \
  };                                                                  \
  struct alignas(alignment4) [[gnu::may_alias]] name##4 {             \
    type x, y, z, w;                                                  \
  };                                                                  \
  constexpr name##2 make_##name##2(type x, type y) {                  \
    return {x, y};                                                    \
  }                                                                   \
  constexpr name##3 make_##name##3(type x, type y, type z) {          \
    return {x, y, z};                                                 \
  }                                                                   \
  constexpr name##4 make_##name##4(type x, type y, type z, type w) {  \
    return {x, y, z, w};                                              \
  }
NYSTROM_EMULATION_VECTORS(float, float, 8, 16)
NYSTROM_EMULATION_VECTORS(int, int, 8, 16)
#undef NYSTROM_EMULATION_VECTORS
struct alignas(8) [[gnu::may_alias]] uint2 {
  unsigned x, y;
};
struct alignas(16) [[gnu::may_alias]] uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) [[gnu::may_alias]] double2 {
  double x, y;
};
struct alignas(4) [[gnu::may_alias]] ushort2 {
  unsigned short x, y;
};
struct alignas(8) [[gnu::may_alias]] ushort4 {
  unsigned short x, y, z, w;
};
constexpr uint2 make_uint2(unsigned x, unsigned y) {
  return {x, y};
}
constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) {
  return {x, y, z};
}
constexpr uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}
constexpr double2 make_double2(double x, double y) {
  return {x, y};
}

// ---- what a thread of a kernel sees ----------------------------------------------------------------------

namespace nystrom::emulation {

/// Of the thread that runs now.
struct Current {
  uint3 thread{}, block{};
  dim3 block_size, grid_size;
  std::byte* shared = nullptr;
};
extern constinit thread_local Current current;

using Site = std::source_location;
inline constexpr std::size_t kMaxExchangeBytes = 64;
void synchronize_block(const Site& site);
/// An operation of a warp, or of some of its lanes.
struct WarpOperation {
  const char* name;                               ///< in messages
  bool orders_memory = false;                     ///< what its lanes do to memory before and after
  void (*complete)(std::byte* values) = nullptr;  ///< called once, with what all lanes have brought
};
inline constexpr WarpOperation kWarpExchange{"warp_exchange"}, kSyncWarp{"__syncwarp", true},
    kShuffle{"__shfl_sync"}, kShuffleXor{"__shfl_xor_sync"}, kShuffleDown{"__shfl_down_sync"},
    kShuffleUp{"__shfl_up_sync"}, kBallot{"__ballot_sync"}, kReduceMax{"__reduce_max_sync"};

/// Waits for the lanes of `mask`, which all bring `bytes` bytes; what they brought (and the operation made of
/// it), one after another by lane, until the lane's next exchange.
const std::byte* exchange(unsigned mask, const void* value, std::size_t bytes, const WarpOperation& operation,
                          const Site& site);
unsigned lane();
[[noreturn]] void fault_in_kernel(const char* sentence, const Site& site);

/// Addresses of 16 bytes each of shared memory, eight of which are read at once: those that need the same
/// banks are counted (Statistics).
void count_bank_conflicts(const void* const* rows, int count);

/// A copy of 16 bytes that the running thread has started and not finished; take_copy() returns whether there
/// was one.
struct CopyUnderWay {
  void* to = nullptr;
  const void* from = nullptr;
};
void note_copy(const CopyUnderWay& copy);
bool take_copy(CopyUnderWay& copy);

/// While one lives, the thread's accesses are one atomic operation.
struct AtomicAccess {
  AtomicAccess();
  ~AtomicAccess();
};

/// What the running thread has written to shared memory is for tensor cores that read it by another path.
void publish_writes();
/// While one lives, the thread reads shared memory as wgmma does (races.cpp).
struct TensorRead {
  TensorRead();
  ~TensorRead();
};

/// What each lane of the full warp brings, by lane; valid until the lane's next warp operation.
template <class V>
const V* warp_exchange(const V& mine, unsigned mask = 0xffffffffU,
                       const WarpOperation& operation = kWarpExchange, const Site& site = Site::current()) {
  static_assert(std::is_trivially_copyable_v<V> && sizeof(V) <= kMaxExchangeBytes && alignof(V) <= 16);
  return reinterpret_cast<const V*>(exchange(mask, &mine, sizeof(V), operation, site));
}

/// An operation that is carried out once for the full warp: what `carry_out` makes of the lanes' values, by
/// lane.
template <class V, void (*carry_out)(V* lanes)>
inline constexpr WarpOperation kCarriedOutOnce{
    "an operation of the warp", false, [](std::byte* values) { carry_out(reinterpret_cast<V*>(values)); }};

/// The value of lane `source`, as shuffles give it: a source outside of the segment means the lane's own.
template <class T>
T shuffled(unsigned mask, T value, int source, bool inside, const WarpOperation& operation,
           const Site& site) {
  const T* values = warp_exchange(value, mask, operation, site);
  if (!inside) return value;
  if ((mask >> static_cast<unsigned>(source) & 1U) == 0)
    fault_in_kernel("a shuffle reads a lane outside of its mask", site);
  return values[source];
}
template <class To, class From>
To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

}  // namespace nystrom::emulation

namespace emulation = nystrom::emulation;

#define threadIdx (::nystrom::emulation::current.thread)
#define blockIdx (::nystrom::emulation::current.block)
#define blockDim (::nystrom::emulation::current.block_size)
#define gridDim (::nystrom::emulation::current.grid_size)
inline constexpr int warpSize = 32;

inline void __syncthreads(const emulation::Site& site = emulation::Site::current()) {
  emulation::synchronize_block(site);
}
inline void __syncwarp(unsigned mask = 0xffffffffU,
                       const emulation::Site& site = emulation::Site::current()) {
  emulation::warp_exchange(0, mask, emulation::kSyncWarp, site);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              const emulation::Site& site = emulation::Site::current()) {
  const int lane = static_cast<int>(emulation::lane()), first = lane / width * width;
  return emulation::shuffled(mask, value, first + (source & (width - 1)), true, emulation::kShuffle, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  const emulation::Site& site = emulation::Site::current()) {
  const int lane = static_cast<int>(emulation::lane()), source = lane ^ lanes;
  return emulation::shuffled(mask, value, source, source / width <= lane / width, emulation::kShuffleXor,
                             site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes, int width = 32,
                   const emulation::Site& site = emulation::Site::current()) {
  const int lane = static_cast<int>(emulation::lane()), source = lane + static_cast<int>(lanes);
  return emulation::shuffled(mask, value, source, source / width == lane / width, emulation::kShuffleDown,
                             site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes, int width = 32,
                 const emulation::Site& site = emulation::Site::current()) {
  const int lane = static_cast<int>(emulation::lane()), source = lane - static_cast<int>(lanes);
  return emulation::shuffled(mask, value, source, source >= lane / width * width, emulation::kShuffleUp,
                             site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              const emulation::Site& site = emulation::Site::current()) {
  const int* values = emulation::warp_exchange(predicate, mask, emulation::kBallot, site);
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1U) != 0 && values[lane] != 0) votes |= 1U << lane;
  return votes;
}
inline int __any_sync(unsigned mask, int predicate,
                      const emulation::Site& site = emulation::Site::current()) {
  return __ballot_sync(mask, predicate, site) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      const emulation::Site& site = emulation::Site::current()) {
  return __ballot_sync(mask, predicate, site) == mask ? 1 : 0;
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value,
                                  const emulation::Site& site = emulation::Site::current()) {
  const unsigned* values = emulation::warp_exchange(value, mask, emulation::kReduceMax, site);
  unsigned largest = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1U) != 0) largest = std::max(largest, values[lane]);
  return largest;
}
inline unsigned __activemask() {
  return 0xffffffffU;
}

// The emulation runs one thread at a time, so that a read and a write are atomic together.
template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  const emulation::AtomicAccess atomic;
  const T old = *address;
  *address = old + value;
  return old;
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  const emulation::AtomicAccess atomic;
  const T old = *address;
  if (old < value) *address = value;
  return old;
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  const emulation::AtomicAccess atomic;
  const T old = *address;
  if (value < old) *address = value;
  return old;
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  const emulation::AtomicAccess atomic;
  const T old = *address;
  *address = value;
  return old;
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  const emulation::AtomicAccess atomic;
  const T old = *address;
  if (old == compare) *address = value;
  return old;
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
T __ldg(const T* address) {
  return *address;
}
inline float __expf(float x) {
  return expf(x);
}
inline float __logf(float x) {
  return logf(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float rsqrtf(float x) {
  return 1.0F / sqrtf(x);
}
inline float __fmaf_rn(float a, float b, float c) {
  return fmaf(a, b, c);
}
inline float __fmul_rn(float a, float b) {
  return a * b;
}
inline float __fadd_rn(float a, float b) {
  return a + b;
}
inline float __frcp_rn(float x) {
  return 1.0F / x;
}
inline float __int_as_float(int x) {
  return emulation::bits_as<float>(x);
}
inline int __float_as_int(float x) {
  return emulation::bits_as<int>(x);
}
inline float __uint_as_float(unsigned x) {
  return emulation::bits_as<float>(x);
}
inline unsigned __float_as_uint(float x) {
  return emulation::bits_as<unsigned>(x);
}
inline int __popc(unsigned x) {
  return __builtin_popcount(x);
}
inline int __ffs(int x) {
  return __builtin_ffs(x);
}
inline int __clz(int x) {
  return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(std::uint64_t{a} * b >> 32U);
}
#define NYSTROM_EMULATION_MIN_MAX(type) \
  constexpr type min(type a, type b) {  \
    return b < a ? b : a;               \
  }                                     \
  constexpr type max(type a, type b) {  \
    return a < b ? b : a;               \
  }
NYSTROM_EMULATION_MIN_MAX(int)
NYSTROM_EMULATION_MIN_MAX(unsigned)
NYSTROM_EMULATION_MIN_MAX(long)
NYSTROM_EMULATION_MIN_MAX(unsigned long)
NYSTROM_EMULATION_MIN_MAX(long long)
NYSTROM_EMULATION_MIN_MAX(unsigned long long)
NYSTROM_EMULATION_MIN_MAX(float)
NYSTROM_EMULATION_MIN_MAX(double)
#undef NYSTROM_EMULATION_MIN_MAX

// ---- the runtime -----------------------------------------------------------------------------------------

#define CUDART_VERSION 13000

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
  cudaErrorNotSupported = 801,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureIsolation = 905,
  cudaErrorCapturedEvent = 907,
  cudaErrorGraphExecUpdateFailure = 910
};
enum cudaMemcpyKind {
  cudaMemcpyHostToHost = 0,
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3,
  cudaMemcpyDefault = 4
};
enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrL2CacheSize = 38,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
struct cudaUUID_t {
  char bytes[16];
};
struct cudaDeviceProp {
  char name[256];
  cudaUUID_t uuid;
  std::size_t totalGlobalMem;
  int major, minor, multiProcessorCount;
  std::size_t sharedMemPerBlock, sharedMemPerBlockOptin;
  int l2CacheSize;
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum : unsigned {
  cudaStreamDefault = 0,
  cudaStreamNonBlocking = 1,
  cudaEventDefault = 0,
  cudaEventDisableTiming = 2,
  cudaHostAllocDefault = 0
};

namespace nystrom::emulation {
struct StreamState;
struct EventState;
struct GraphState;
struct GraphExecState;
struct GraphNodeState;
}  // namespace nystrom::emulation
using cudaStream_t = emulation::StreamState*;
using cudaEvent_t = emulation::EventState*;
using cudaGraph_t = emulation::GraphState*;
using cudaGraphExec_t = emulation::GraphExecState*;
using cudaGraphNode_t = emulation::GraphNodeState*;

enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal = 0,
  cudaStreamCaptureModeThreadLocal = 1,
  cudaStreamCaptureModeRelaxed = 2
};
enum cudaStreamCaptureStatus {
  cudaStreamCaptureStatusNone = 0,
  cudaStreamCaptureStatusActive = 1,
  cudaStreamCaptureStatusInvalidated = 2
};
enum cudaGraphExecUpdateResult {
  cudaGraphExecUpdateSuccess = 0,
  cudaGraphExecUpdateErrorTopologyChanged = 2
};
struct cudaGraphExecUpdateResultInfo {
  cudaGraphExecUpdateResult result;
  cudaGraphNode_t errorNode, errorFromNode;
};

const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device);
cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes);
cudaError_t cudaMalloc(void** address, std::size_t bytes);
cudaError_t cudaFree(void* address);
cudaError_t cudaMallocHost(void** address, std::size_t bytes);
cudaError_t cudaFreeHost(void* address);
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemset(void* to, int value, std::size_t bytes);
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaDeviceGetStreamPriorityRange(int* lowest, int* highest);
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority);
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* result);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end);
cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value);
template <class Result, class... Params>
cudaError_t cudaFuncSetAttribute(Result (*function)(Params...), cudaFuncAttribute attribute, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(function), attribute, value);
}
template <class T>
cudaError_t cudaMalloc(T** address, std::size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(address), bytes);
}
