// Planted races, and what is none (races.cpp).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cuda/attention_on_device.h"
#include "emulation.h"
#include "kernels/tensor/cuda/async_copy.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/launch.h"
#include "kernels/tensor/cuda/wgmma.h"

namespace nystrom::cuda {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

enum class Barrier { kNone, kWarp, kBlock, kShuffle };

__device__ void wait(Barrier barrier) {
  if (barrier == Barrier::kWarp) __syncwarp();
  if (barrier == Barrier::kBlock) __syncthreads();
  if (barrier == Barrier::kShuffle) (void)__shfl_xor_sync(kFullMask, 1, 1);
}

/// Each thread writes a word of shared memory and reads that of the thread `distance` further.
__global__ void neighbour_kernel(float* to, int distance, Barrier barrier) {
  auto* const words = shared_memory<float>();
  const int i = static_cast<int>(threadIdx.x), n = static_cast<int>(blockDim.x);
  words[i] = static_cast<float>(i);
  wait(barrier);
  to[i] = words[(i + distance) % n];
}
/// Each thread copies 16 bytes to shared memory, reads those of the next thread, and copies anew.
__global__ void copy_kernel(const uint4* from, unsigned* to, Barrier before_reading, Barrier before_again) {
  auto* const shared = shared_memory<uint4>();
  const unsigned i = threadIdx.x, next = (i + 1) % blockDim.x;
  start_copy_16_bytes(shared + i, from + i);
  finish_copies();
  wait(before_reading);
  to[i] = shared[next].x;
  wait(before_again);
  start_copy_16_bytes(shared + i, from + i);
  finish_copies();
}
/// Each thread reads a word that all read, and the last of them writes it.
__global__ void broadcast_kernel(float* to, Barrier barrier) {
  auto* const word = shared_memory<float>();
  if (threadIdx.x == 0) *word = 1;
  __syncthreads();
  to[threadIdx.x] = *word;
  wait(barrier);
  if (threadIdx.x == blockDim.x - 1) *word = 2;
}
/// Block i writes element i, and reads element i + `distance`.
__global__ void blocks_kernel(float* x, float* to, int distance) {
  x[blockIdx.x] = 1;
  to[blockIdx.x] = x[(blockIdx.x + static_cast<unsigned>(distance)) % gridDim.x];
}
/// All blocks read what one of them then writes.
__global__ void one_writes_kernel(float* x, float* to) {
  to[blockIdx.x] = x[0];
  if (blockIdx.x == 1) x[0] = 2;
}
__global__ void count_kernel(int* counter, int* to, bool read) {
  atomicAdd(counter, 1);
  if (read) to[threadIdx.x] = *counter;
}
/// Neighbouring bf16 of one word belong to two threads.
__global__ void halves_kernel(BF16* x) {
  x[threadIdx.x] = BF16(1);
}
/// Sixteen bytes by one thread, then eight of them by another.
__global__ void vectors_kernel(float4* x, Barrier barrier) {
  if (threadIdx.x == 0) x[0] = make_float4(1, 2, 3, 4);
  wait(barrier);
  if (threadIdx.x == 1) reinterpret_cast<float2*>(x)[1] = make_float2(5, 6);
}
/// Lanes write the rows of four matrices which ldmatrix gives to other lanes.
__global__ void matrices_kernel(std::uint32_t* to, Barrier barrier) {
  auto* const rows = shared_memory<BF16>();
  for (int i = 0; i < 8; ++i) rows[8 * lane_index() + i] = BF16(1);
  wait(barrier);
  std::uint32_t r[4];
  load_matrices(r, rows + 8 * lane_index());
  to[lane_index()] = r[0];
}

/// A warpgroup writes a tile and multiplies it by itself; then each thread overwrites its elements.
enum class Group { kRight, kUnpublished, kNoBarrier, kOverwritten };
__global__ void group_kernel(float* to, Group how) {
  auto* const tile = shared_memory<BF16>();
  const auto write = [&] {
    for (int e = static_cast<int>(threadIdx.x); e < kGroupTileElements; e += 128) tile[e] = BF16(1);
  };
  write();
  if (how != Group::kUnpublished) publish_tiles();
  if (how != Group::kNoBarrier) __syncthreads();
  float c[8][4] = {};
  start_products(c);
  add_group_product<BF16, Inner::kAlongRows, Inner::kAlongRows>(c, tile_descriptor(tile),
                                                                tile_descriptor(tile), true);
  finish_products(c);
  if (how != Group::kOverwritten) __syncthreads();
  write();
  to[threadIdx.x] = c[0][0];
}

class Races : public ::testing::Test {
 protected:
  ~Races() override { (void)emulation::take_fault(); }
  template <class T = float>
  T* array() {
    return reinterpret_cast<T*>(buffer_.data());
  }
  float* results() { return array() + 1024; }

  /// The fault of the kernel, or empty; the same for each of some orders.
  template <class Kernel, class... Arguments>
  std::string fault_of(unsigned blocks, unsigned threads, Kernel kernel, Arguments... arguments) {
    std::string found;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      emulation::set_seed(seed);
      launch(stream_, blocks, threads, 8192, "planted", kernel, arguments...);
      try {
        stream_.synchronize();
      } catch (const DeviceError&) {
      }
      const std::string fault = emulation::take_fault();
      if (seed > 1) {
        EXPECT_EQ(fault.empty(), found.empty()) << "depends on the order: " << fault << found;
      }
      found = fault;
    }
    return found;
  }

 private:
  Stream stream_;
  DeviceMemory memory_;
  Buffer buffer_{16384, memory_};
};

TEST_F(Races, a_missing_barrier_between_warps_is_a_fault) {
  EXPECT_THAT(fault_of(1, 128, neighbour_kernel, results(), 32, Barrier::kNone),
              AllOf(HasSubstr("kernel planted, block (0, 0, 0)"), HasSubstr("of shared memory; thread ("),
                    HasSubstr("and no barrier orders the two"), HasSubstr("addr2line")));
  EXPECT_THAT(fault_of(1, 128, neighbour_kernel, results(), 32, Barrier::kWarp), HasSubstr("no barrier"));
  EXPECT_THAT(fault_of(3, 128, neighbour_kernel, results(), 32, Barrier::kBlock), HasSubstr("no barrier"))
      << "the blocks write the same results";
  EXPECT_THAT(fault_of(1, 128, neighbour_kernel, results(), 32, Barrier::kBlock), IsEmpty());
}

TEST_F(Races, within_a_warp_only_syncwarp_and_syncthreads_order) {
  for (const Barrier barrier : {Barrier::kNone, Barrier::kShuffle}) {
    EXPECT_THAT(fault_of(1, 32, neighbour_kernel, results(), 1, barrier), HasSubstr("no barrier"));
    EXPECT_THAT(fault_of(1, 32, matrices_kernel, array<std::uint32_t>(), barrier), HasSubstr("no barrier"));
  }
  for (const Barrier barrier : {Barrier::kWarp, Barrier::kBlock}) {
    EXPECT_THAT(fault_of(1, 32, neighbour_kernel, results(), 1, barrier), IsEmpty());
    EXPECT_THAT(fault_of(1, 32, matrices_kernel, array<std::uint32_t>(), barrier), IsEmpty());
  }
  EXPECT_THAT(fault_of(1, 128, neighbour_kernel, results(), 0, Barrier::kNone), IsEmpty());
}

TEST_F(Races, of_wgmma_are_tiles_that_are_not_published_or_overwritten_too_early) {
  EXPECT_THAT(fault_of(1, 128, group_kernel, results(), Group::kRight), IsEmpty());
  EXPECT_THAT(fault_of(1, 128, group_kernel, results(), Group::kUnpublished),
              AllOf(HasSubstr("wgmma reads byte"), HasSubstr("has written and not published")));
  EXPECT_THAT(fault_of(1, 128, group_kernel, results(), Group::kNoBarrier), HasSubstr("no barrier"));
  EXPECT_THAT(fault_of(1, 128, group_kernel, results(), Group::kOverwritten), HasSubstr("no barrier"));
}

TEST_F(Races, a_write_after_others_have_read_is_a_fault) {
  EXPECT_THAT(fault_of(1, 128, broadcast_kernel, results(), Barrier::kNone), HasSubstr("no barrier"));
  EXPECT_THAT(fault_of(1, 128, broadcast_kernel, results(), Barrier::kWarp), HasSubstr("no barrier"));
  EXPECT_THAT(fault_of(1, 128, broadcast_kernel, results(), Barrier::kBlock), IsEmpty());
}

TEST_F(Races, copies_to_shared_memory_write_from_their_start_to_their_end) {
  const auto* const from = array<uint4>();
  auto* const to = array<unsigned>() + 1024;
  EXPECT_THAT(fault_of(1, 128, copy_kernel, from, to, Barrier::kNone, Barrier::kBlock),
              HasSubstr("no barrier"));
  EXPECT_THAT(fault_of(1, 128, copy_kernel, from, to, Barrier::kBlock, Barrier::kNone),
              HasSubstr("no barrier"));
  EXPECT_THAT(fault_of(1, 128, copy_kernel, from, to, Barrier::kBlock, Barrier::kBlock), IsEmpty());
}

TEST_F(Races, blocks_of_a_launch_are_not_ordered) {
  EXPECT_THAT(fault_of(5, 1, blocks_kernel, array(), results(), 1),
              AllOf(HasSubstr("of allocation"), HasSubstr("a thread of block number")));
  EXPECT_THAT(fault_of(5, 1, blocks_kernel, array(), results(), 0), IsEmpty());
  EXPECT_THAT(fault_of(5, 1, one_writes_kernel, array(), results()), HasSubstr("a thread of block number"));
}

TEST_F(Races, atomic_operations_are_ordered_among_themselves_alone) {
  auto* const counter = array<int>();
  auto* const to = array<int>() + 1024;
  EXPECT_THAT(fault_of(4, 64, count_kernel, counter, to, false), IsEmpty());
  EXPECT_THAT(fault_of(1, 64, count_kernel, counter, to, true), HasSubstr("no barrier"));
}

TEST_F(Races, of_the_ops_kernels_would_be_found) {
  testing::CaseOptions options{
      .config = {.heads = 1, .landmarks = 8, .taps = 3}, .rows = {20}, .head_width = 8};
  testing::AttentionCase<float> host(options);
  testing::AttentionOnDevice<float> device(host);
  const std::uint64_t before = emulation::watched_accesses();
  device.forward();
  device.context().synchronize();
  EXPECT_GT(emulation::watched_accesses(), before) << "they were not compiled with -fsanitize=thread";
}

TEST_F(Races, are_found_by_the_bytes_and_not_by_the_word) {
  EXPECT_THAT(fault_of(1, 64, halves_kernel, array<BF16>()), IsEmpty());
  EXPECT_THAT(fault_of(2, 64, halves_kernel, array<BF16>()), HasSubstr("has written it"));
  EXPECT_THAT(fault_of(1, 32, vectors_kernel, array<float4>(), Barrier::kNone), HasSubstr("has written it"));
  EXPECT_THAT(fault_of(1, 32, vectors_kernel, array<float4>(), Barrier::kWarp), IsEmpty());
}

}  // namespace
}  // namespace nystrom::cuda
