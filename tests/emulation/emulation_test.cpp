// The emulation: it computes what a device would, and catches what a device would not forgive.

#include "emulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "kernels/tensor/cuda/async_copy.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

using ::testing::HasSubstr;

class Emulation : public ::testing::Test {
 protected:
  ~Emulation() override { (void)emulation::take_fault(); }

  template <class T>
  T* device_array(std::size_t count) {
    buffers_.emplace_back(count * sizeof(T), memory_, Contents::kUndefined);
    return reinterpret_cast<T*>(buffers_.back().data());
  }
  template <class T>
  std::vector<T> fetch(const T* from, std::size_t count) {
    std::vector<T> host(count);
    copy_to_host(stream_, host.data(), from, count * sizeof(T));
    stream_.synchronize();
    return host;
  }
  /// The error that the host gets when it waits.
  std::string reported() {
    try {
      stream_.synchronize();
    } catch (const DeviceError& error) {
      return error.what();
    }
    return "nothing";
  }

  DeviceMemory memory_;
  Stream stream_;
  std::vector<Buffer> buffers_;
};

__global__ void block_sums_kernel(const float* x, float* sums) {
  float* shared = shared_memory<float>();
  const float sum = block_sum(x[grid_index()], shared);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

TEST_F(Emulation, sums_blocks_through_shuffles_and_barriers) {
  std::vector<float> host(8 * 256);
  std::iota(host.begin(), host.end(), 0.0F);
  auto* x = device_array<float>(host.size());
  auto* sums = device_array<float>(8);
  copy_to_device(stream_, x, host.data(), host.size() * 4);
  launch(stream_, 8, 256, 32 * 4, "block_sums", block_sums_kernel, x, sums);
  const auto result = fetch(sums, 8);
  for (std::size_t b = 0; b < 8; ++b)
    EXPECT_EQ(result[b], std::accumulate(host.begin() + 256 * b, host.begin() + 256 * (b + 1), 0.0F));
}

__global__ void votes_kernel(unsigned* out) {
  const int lane = lane_index();
  out[4 * threadIdx.x] = __ballot_sync(kFullMask, lane % 3 == 0);
  out[4 * threadIdx.x + 1] = static_cast<unsigned>(__shfl_down_sync(kFullMask, lane, 5, 16));
  out[4 * threadIdx.x + 2] = static_cast<unsigned>(__shfl_sync(kFullMask, lane, 3, 8));
  out[4 * threadIdx.x + 3] = __reduce_max_sync(kFullMask, 1000U + static_cast<unsigned>(lane * 7 % 32));
}

TEST_F(Emulation, votes_reductions_and_segments_of_shuffles_are_those_of_cuda) {
  auto* out = device_array<unsigned>(4 * 32);
  launch(stream_, 1, 32, 0, "votes", votes_kernel, out);
  const auto values = fetch(out, 4 * 32);
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(values[4 * lane], 0x49249249U);
    EXPECT_EQ(values[4 * lane + 1], lane % 16 + 5 < 16 ? lane + 5 : lane);
    EXPECT_EQ(values[4 * lane + 2], lane / 8 * 8 + 3);
    EXPECT_EQ(values[4 * lane + 3], 1031U);
  }
}

__global__ void reverse_kernel(const int* x, int* y, bool with_barrier) {
  int* shared = shared_memory<int>();
  const unsigned n = blockDim.x, i = threadIdx.x;
  shared[i] = x[i];
  if (with_barrier) __syncthreads();
  y[i] = shared[n - 1 - i];
}

TEST_F(Emulation, a_missing_syncthreads_shows_as_wrong_numbers) {
  std::vector<int> host(64);
  std::iota(host.begin(), host.end(), 0);
  auto* x = device_array<int>(64);
  auto* y = device_array<int>(64);
  copy_to_device(stream_, x, host.data(), 64 * 4);
  launch(stream_, 1, 64, 64 * 4, "reverse", reverse_kernel, x, y, true);
  std::vector<int> expected(host.rbegin(), host.rend());
  EXPECT_EQ(fetch(y, 64), expected);
  launch(stream_, 1, 64, 64 * 4, "reverse", reverse_kernel, x, y, false);
  EXPECT_NE(fetch(y, 64), expected);
}

__global__ void divergent_kernel(int how) {
  if (how == 0 && threadIdx.x < 7) return;
  if (how == 1 && threadIdx.x >= 32) {
    __syncthreads();
  } else if (how == 2 && threadIdx.x % 2 == 1) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

enum class Finish { kBeforeBarrier, kAfterReading, kNever };

/// Each thread starts to copy 16 bytes, and reads those of its neighbour.
__global__ void copy_ahead_kernel(const float4* from, float* to, Finish finish) {
  auto* const shared = shared_memory<float4>();
  const unsigned i = threadIdx.x, next = (i + 1) % blockDim.x;
  start_copy_16_bytes(shared + i, from + i);
  if (finish == Finish::kBeforeBarrier) finish_copies();
  __syncthreads();
  to[i] = shared[next].x;
  if (finish == Finish::kAfterReading) finish_copies();
}

TEST_F(Emulation, copies_to_shared_memory_are_there_when_they_are_finished_and_no_earlier) {
  std::vector<float4> host(64);
  for (std::size_t i = 0; i < host.size(); ++i) host[i].x = static_cast<float>(i);
  auto* from = device_array<float4>(64);
  auto* to = device_array<float>(64);
  copy_to_device(stream_, from, host.data(), host.size() * sizeof(float4));
  launch(stream_, 1, 64, 1024, "copy_ahead", copy_ahead_kernel, from, to, Finish::kBeforeBarrier);
  EXPECT_EQ(fetch(to, 64)[7], 8.0F);
  launch(stream_, 1, 64, 1024, "copy_ahead", copy_ahead_kernel, from, to, Finish::kAfterReading);
  const std::vector<float> early = fetch(to, 64);  // some read before their neighbour's copy was finished
  EXPECT_TRUE(std::any_of(early.begin(), early.end(), [](float x) { return std::isnan(x); }));
  launch(stream_, 1, 64, 1024, "copy_ahead", copy_ahead_kernel, from, to, Finish::kNever);
  EXPECT_THAT(reported(), HasSubstr("ends with copies under way"));
}

TEST_F(Emulation, deadlocks_are_reported) {
  launch(stream_, 1, 64, 0, "leavers", divergent_kernel, 0);
  EXPECT_THAT(reported(), AllOf(HasSubstr("kernel leavers"), HasSubstr("has left the kernel")));
  (void)emulation::take_fault();
  launch(stream_, 1, 64, 0, "two_barriers", divergent_kernel, 1);
  EXPECT_THAT(reported(), AllOf(HasSubstr("kernel two_barriers"), HasSubstr("while others wait at")));
  (void)emulation::take_fault();
  launch(stream_, 1, 64, 0, "barrier_and_warp", divergent_kernel, 2);
  EXPECT_THAT(reported(),
              AllOf(HasSubstr("kernel barrier_and_warp"), HasSubstr("__syncwarp"), HasSubstr("waits at")));
}

__global__ void write_kernel(float* to, std::int64_t index) {
  to[index] = 1;
}
__global__ void write_shared_kernel(int index) {
  shared_memory<float>()[index] = 1;
}

TEST_F(Emulation, a_write_beyond_an_allocation_is_caught) {
  auto* x = device_array<float>(100);
  launch(stream_, 1, 1, 0, "just_beyond", write_kernel, x, 100);
  EXPECT_THAT(reported(), HasSubstr("kernel just_beyond wrote beyond allocation"));
  (void)emulation::take_fault();
  launch(stream_, 1, 1, 0, "far_beyond", write_kernel, x, 2000);
  EXPECT_THAT(reported(), AllOf(HasSubstr("kernel far_beyond"), HasSubstr("touched byte 8000")));
  (void)emulation::take_fault();
  launch(stream_, 1, 1, 64, "beyond_shared", write_shared_kernel, 16);
  EXPECT_THAT(reported(), HasSubstr("wrote beyond its 64 bytes of shared memory"));
}

TEST_F(Emulation, memory_is_poisoned) {
  auto* x = device_array<float>(10);
  for (const float value : fetch(x, 10)) EXPECT_TRUE(std::isnan(value));
}

TEST_F(Emulation, a_kernel_given_host_memory_is_caught) {
  std::vector<float> host(10000);
  EXPECT_THROW(launch(stream_, 1, 1, 0, "write_to_host", write_kernel, host.data(), 0), DeviceError);
  EXPECT_THAT(emulation::fault(), HasSubstr("kernel write_to_host is given the address of host memory"));
}

TEST_F(Emulation, a_host_that_touches_device_memory_dies_with_a_sentence) {
  auto* x = device_array<float>(10);
  EXPECT_DEATH(x[3] = 1, "host code touched device memory: byte 12");
}

__global__ void double_kernel(const float* x, float* y) {
  for (int i = 0; i < 64; ++i) y[i] = 2 * x[i];
}
__global__ void count_kernel(float* x) {
  for (int i = 0; i < 64; ++i) x[i] = static_cast<float>(i);
}

/// Whether a stream saw what another stream had to write first, for some of 20 seeds.
TEST_F(Emulation, a_missing_event_shows_as_wrong_numbers) {
  auto* x = device_array<float>(64);
  auto* y = device_array<float>(64);
  std::vector<float> expected(64);
  for (std::size_t i = 0; i < 64; ++i) expected[i] = 2 * static_cast<float>(i);
  const auto run = [&](std::uint64_t seed, bool with_event) {
    emulation::set_seed(seed);
    Stream producer, consumer;
    Event written;
    check(cudaMemsetAsync(x, 0, 64 * 4, producer), "clearing");
    producer.synchronize();
    for (int i = 0; i < 10; ++i) launch(producer, 1, 1, 0, "count", count_kernel, x);
    producer.record(written);
    if (with_event) consumer.wait(written);
    launch(consumer, 1, 1, 0, "double", double_kernel, x, y);
    consumer.synchronize();
    const bool right = fetch(y, 64) == expected;
    producer.synchronize();
    return right;
  };
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_TRUE(run(seed, true)) << seed;
    if (!run(seed, false)) ++wrong;
  }
  EXPECT_GE(wrong, 5);
}

TEST_F(Emulation, pinned_memory_is_read_when_the_copy_runs_and_pageable_memory_when_it_is_asked_for) {
  PinnedMemory pinned;
  const Buffer buffer(4, pinned);
  auto* x = device_array<float>(2);
  float pageable = 1;
  auto* from = reinterpret_cast<float*>(buffer.data());
  *from = 1;
  copy_to_device(stream_, x, from, 4);
  copy_to_device(stream_, x + 1, &pageable, 4);
  *from = 2;  // too early: the copy has not run
  pageable = 2;
  EXPECT_EQ(fetch(x, 2), (std::vector<float>{2, 1}));
}

/// A graph of what `work` gives the stream.
cudaGraphExec_t graph_of(const Stream& stream, const std::function<void()>& work) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "begin");
  work();
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream, &graph), "end");
  cudaGraphExec_t exec = nullptr;
  check(cudaGraphInstantiate(&exec, graph), "make");
  check(cudaGraphDestroy(graph), "throw away");
  return exec;
}

__global__ void add_kernel(float* x, float by) {
  x[threadIdx.x] += by;
}

TEST_F(Emulation, a_graph_runs_when_it_is_launched_and_as_often) {
  auto* x = device_array<float>(2);
  check(cudaMemsetAsync(x, 0, 8, stream_), "clearing");
  const cudaGraphExec_t graph =
      graph_of(stream_, [&] { launch(stream_, 1, 2, 0, "add", add_kernel, x, 3.0F); });
  EXPECT_EQ(fetch(x, 2), (std::vector<float>{0, 0}));
  check(cudaGraphLaunch(graph, stream_), "start");
  check(cudaGraphLaunch(graph, stream_), "start");
  check(cudaGraphExecDestroy(graph), "throw away");
  EXPECT_EQ(fetch(x, 2), (std::vector<float>{6, 6}));
}

TEST_F(Emulation, what_a_capture_forbids_invalidates_it) {
  auto* x = device_array<float>(64);
  const PinnedMemory pinned;
  const Stream other;
  const Event outside, inside;
  other.record(outside);
  float pageable = 1;
  const std::pair<const char*, std::function<void()>> faults[] = {
      {"the host waits for the stream", [&] { stream_.synchronize(); }},
      {"the host waits for the device", [&] { check(cudaDeviceSynchronize(), "waiting"); }},
      {"memory is taken", [&] { (void)DeviceMemory().allocate(4, Contents::kUndefined); }},
      {"the stream waits for an event of outside", [&] { stream_.wait(outside); }},
      {"pageable memory is copied", [&] { copy_to_device(stream_, x, &pageable, 4); }}};
  for (const auto& [what, fault] : faults) {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "begin");
    launch(stream_, 1, 1, 0, "count", count_kernel, x);
    EXPECT_THROW(fault(), DeviceError) << what;
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated) << what;
  }
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "begin");
  stream_.record(inside);
  EXPECT_THROW((void)inside.happened(), DeviceError);
  EXPECT_THROW(inside.synchronize(), DeviceError);
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream_, &graph), "end");
  check(cudaGraphDestroy(graph), "throw away");
  (void)cudaGetLastError();
}

TEST_F(Emulation, launches_that_no_device_takes_are_refused) {
  EXPECT_THROW(launch(stream_, 1, 2048, 0, "wide", divergent_kernel, 3), DeviceError);
  EXPECT_THROW(launch(stream_, 1, 32, 300 * 1024, "deep", divergent_kernel, 3), DeviceError);
}

TEST_F(Emulation, memory_that_is_not_there_is_a_sentence) {
  try {
    (void)memory_.allocate(std::size_t{1} << 40U, Contents::kUndefined);
    FAIL();
  } catch (const OutOfMemory& error) {
    EXPECT_THAT(error.what(), HasSubstr("The GPU has no 1048576.0 MiB of memory left"));
  }
}

}  // namespace
}  // namespace nystrom::cuda
