// The device: what it says of itself, its faults, its dice.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "machine.h"

namespace nystrom::emulation {
namespace {

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string& mutable_fault() {
  static std::string sentence;
  return sentence;
}

int devices() {
  return static_cast<int>(number("NYSTROM_EMULATION_DEVICES", 1));
}
int capability() {
  return static_cast<int>(number("NYSTROM_EMULATION_CAPABILITY", 90));
}

thread_local int device_of_thread = 0;

}  // namespace

// CUDA C++ Programming Guide, technical specifications by compute capability: most shared memory of a block.
std::size_t max_shared_bytes() {
  const int which = capability();
  const bool small = which == 86 || which == 89 || which >= 120;
  return std::size_t{which == 80 || which == 87 ? 163U : small ? 99U : 227U} * 1024;
}

Dice& dice() {
  static Dice drawn(number("NYSTROM_EMULATION_SEED", 1));
  return drawn;
}
void set_seed(std::uint64_t seed) {
  dice() = Dice(seed);
}

Statistics& mutable_statistics() {
  static Statistics statistics;
  return statistics;
}
const Statistics& statistics() {
  return mutable_statistics();
}

std::map<std::string, std::int64_t>& launches() {
  static std::map<std::string, std::int64_t> counts;
  return counts;
}

const std::string& fault() {
  return mutable_fault();
}
void set_fault(std::string sentence) {
  if (mutable_fault().empty()) mutable_fault() = std::move(sentence);
}
std::string take_fault() {
  clear_streams();
  return std::exchange(mutable_fault(), {});
}

}  // namespace nystrom::emulation

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorNotSupported:
      return "cudaErrorNotSupported";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureIsolation:
      return "cudaErrorStreamCaptureIsolation";
    case cudaErrorCapturedEvent:
      return "cudaErrorCapturedEvent";
    case cudaErrorGraphExecUpdateFailure:
      return "cudaErrorGraphExecUpdateFailure";
  }
  return "?";
}

const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaErrorLaunchFailure && !emulation::fault().empty()) return emulation::fault().c_str();
  return cudaGetErrorName(error);
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = static_cast<int>(emulation::number("NYSTROM_EMULATION_DRIVER", CUDART_VERSION));
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  int driver = 0;
  cudaDriverGetVersion(&driver);
  if (driver < CUDART_VERSION) return cudaErrorInsufficientDriver;
  if (emulation::devices() == 0) return cudaErrorNoDevice;
  *count = emulation::devices();
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= emulation::devices()) return cudaErrorInvalidDevice;
  emulation::device_of_thread = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = emulation::device_of_thread;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= emulation::devices()) return cudaErrorInvalidDevice;
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "emulation on the CPU");
  std::size_t free_bytes = 0;
  cudaMemGetInfo(&free_bytes, &properties->totalGlobalMem);
  properties->major = emulation::capability() / 10;
  properties->minor = emulation::capability() % 10;
  properties->multiProcessorCount =
      static_cast<int>(emulation::number("NYSTROM_EMULATION_MULTIPROCESSORS", 2));
  properties->sharedMemPerBlock = 48 * 1024;
  properties->sharedMemPerBlockOptin = emulation::max_shared_bytes();
  properties->uuid.bytes[0] = static_cast<char>(device);
  properties->uuid.bytes[1] = static_cast<char>(emulation::number("NYSTROM_EMULATION_MACHINE", 0));
  properties->l2CacheSize = 1 << 20;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp properties;
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, device); error != cudaSuccess)
    return error;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = static_cast<int>(emulation::kMaxThreads);
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = properties.multiProcessorCount;
      break;
    case cudaDevAttrL2CacheSize:
      *value = properties.l2CacheSize;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = properties.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = properties.minor;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(properties.sharedMemPerBlockOptin);
      break;
  }
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device) {
  std::snprintf(text, static_cast<std::size_t>(length), "0000:%02d:00.0", device);
  return cudaSuccess;
}
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
  *can = 0;
  return cudaSuccess;
}
