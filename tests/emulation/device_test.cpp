// What the emulated device gives and refuses by its capability, how its kernels are timed, and the twin of
// `mma`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include "emulation.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/launch.h"
#include "kernels/tensor/cuda/mma.h"
#include "kernels/tensor/device.h"
#include "kernels/tensor/kernel_times.h"

namespace nystrom::cuda {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// An environment variable, while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

__global__ void nothing_kernel() {}

__global__ void slow_kernel(float* x) {
  for (int i = 0; i < 1000000; ++i) x[threadIdx.x] = 0.5F * x[threadIdx.x] + 1;
}

TEST(SharedMemory, beyond_48_kib_is_for_kernels_to_which_it_was_allowed) {
  const Stream stream;
  const auto unasked = [&](std::size_t kibibytes) {
    return emulation::enqueue_kernel(
        stream, 1, 32, kibibytes * 1024, "unasked", [] {}, reinterpret_cast<const void*>(slow_kernel));
  };
  EXPECT_EQ(unasked(48), cudaSuccess);
  EXPECT_EQ(unasked(49), cudaErrorInvalidValue);
  EXPECT_NO_THROW(launch(stream, 1, 32, 60 * 1024, "asks", nothing_kernel));
  EXPECT_NO_THROW(stream.synchronize());
}

TEST(SharedMemory, is_what_gpus_of_that_capability_give) {
  const DeviceMemory memory;
  const Stream stream;
  const std::pair<const char*, std::size_t> most[] = {{"80", 163}, {"86", 99},   {"89", 99},
                                                      {"90", 227}, {"100", 227}, {"120", 99}};
  for (const auto& [capability, kibibytes] : most) {
    const Variable set("NYSTROM_EMULATION_CAPABILITY", capability);
    EXPECT_EQ(memory.block_shared_bytes(), kibibytes * 1024) << capability;
    EXPECT_NO_THROW(launch(stream, 1, 32, kibibytes * 1024, "fits", nothing_kernel)) << capability;
    EXPECT_THROW(launch(stream, 1, 32, (kibibytes + 1) * 1024, "does_not", nothing_kernel), DeviceError)
        << capability;
  }
  EXPECT_NO_THROW(stream.synchronize());
}

TEST(KernelTimes, are_those_of_what_a_context_started_meanwhile_by_name) {
  CudaContext cuda;
  Context context(1, &cuda);
  const Buffer memory(4, cuda.memory());
  auto* const x = reinterpret_cast<float*>(memory.data());
  launch(cuda.stream(), 1, 1, 0, "before", slow_kernel, x);
  {
    const KernelTiming timing(context);
    launch(cuda.stream(), 1, 1, 0, "twice", slow_kernel, x);
    launch(cuda.stream(), 1, 1, 0, "quick", nothing_kernel);
    launch(cuda.stream(), 1, 1, 0, "twice", slow_kernel, x);
    const KernelTimes times = timing.read();
    ASSERT_EQ(times.size(), 2U);
    EXPECT_EQ(times.at("twice").calls, 2);
    EXPECT_EQ(times.at("quick").calls, 1);
    EXPECT_GT(times.at("twice").seconds, 1e-3) << "two million steps that wait for each other";
  }
  EXPECT_EQ(cuda.stream().timer(), nullptr);
  launch(cuda.stream(), 1, 1, 0, "after", slow_kernel, x);
  context.synchronize();
  Context processor(1);
  EXPECT_TRUE(KernelTiming(processor).read().empty());
}

TEST(DeviceMemoryOf, the_gpu_that_was_current_when_it_was_made_is_not_for_threads_of_another) {
  const Variable two("NYSTROM_EMULATION_DEVICES", "2");
  DeviceMemory memory;
  const Buffer buffer(8, memory);
  float values[2] = {};
  check(cudaSetDevice(1), "choosing");
  EXPECT_THROW(memory.read(values, buffer.data(), 8), InternalError);
  EXPECT_THROW(memory.write(buffer.data(), values, 8), InternalError);
  EXPECT_THROW((void)memory.allocate(8, Contents::kZero), InternalError);
  check(cudaSetDevice(0), "choosing");
  EXPECT_NO_THROW(memory.read(values, buffer.data(), 8));
}

TEST(DeviceIdentity, distinguishes_gpus_of_machines_with_one_name) {
  const Variable two("NYSTROM_EMULATION_DEVICES", "2");
  const std::string first = Device::gpu(0).identity();
  EXPECT_EQ(Device::gpu(0).identity(), first);
  EXPECT_NE(Device::gpu(1).identity(), first);
  {
    const Variable other("NYSTROM_EMULATION_MACHINE", "1");
    EXPECT_NE(Device::gpu(0).identity(), first);
  }
  {
    const Variable claimed("NCCL_HOSTID", "7");
    EXPECT_NE(Device::gpu(0).identity(), first) << "a rank that claims its own host";
  }
  check(cudaSetDevice(0), "choosing");
}

TEST(Streams, of_high_priority_go_before_the_others) {
  int lowest = 0, highest = 0, normal = 1, high = 1;
  check(cudaDeviceGetStreamPriorityRange(&lowest, &highest), "asking");
  check(cudaStreamGetPriority(Stream(), &normal), "asking");
  check(cudaStreamGetPriority(Stream(Stream::Priority::kHigh), &high), "asking");
  EXPECT_EQ(normal, 0);
  EXPECT_EQ(high, highest);
  EXPECT_LT(high, normal) << "as CUDA counts";
}

TEST(CublasLt, is_the_next_older_one_where_the_newest_does_not_start) {
  {
    const Variable newest("NYSTROM_EMULATION_CUBLASLT", "1");
    EXPECT_EQ(BlasLt().version(), "13.0.0");
  }
  const Variable all("NYSTROM_EMULATION_CUBLASLT", "100");
  try {
    (void)BlasLt();
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("libcublasLt.so.13, which does not start"),
                                    HasSubstr("libcublasLt.so.12, which does not start")));
  }
}

/// Element (i, k) of A times element (k, j) of B, both 1 and all others 0, for all i, j and k in turn. The
/// lanes have them where the PTX ISA says ("Matrix fragments for mma.m16n8k16 with floating point type"),
/// computed independently from its formulas. Counts what is not 1 at (i, j) and 0 elsewhere.
__global__ void one_hot_kernel(int* wrong) {
  const int group = lane_index() >> 2, in_group = lane_index() % 4;
  const auto one_if = [](bool there) { return there ? 1.0F : 0.0F; };
  int mistakes = 0;
  for (int at = 0; at < 16 * 8 * 16; ++at) {
    const int i = at / 128, j = at / 16 % 8, k = at % 16;
    const auto of_a = [&](int number) {  // a0 .. a7
      const int row = number < 2 || (number >= 4 && number < 6) ? group : group + 8;
      const int column = in_group * 2 + (number & 1) + (number < 4 ? 0 : 8);
      return one_if(row == i && column == k);
    };
    const auto of_b = [&](int number) {  // b0 .. b3
      const int row = in_group * 2 + (number & 1) + (number < 2 ? 0 : 8);
      return one_if(row == k && group == j);
    };
    const std::uint32_t a[4] = {pack_bf16(of_a(0), of_a(1)), pack_bf16(of_a(2), of_a(3)),
                                pack_bf16(of_a(4), of_a(5)), pack_bf16(of_a(6), of_a(7))};
    float c[4] = {0, 0, 0, 0};
    multiply_add(c, a, pack_bf16(of_b(0), of_b(1)), pack_bf16(of_b(2), of_b(3)));
    for (int number = 0; number < 4; ++number) {
      const int row = number < 2 ? group : group + 8, column = in_group * 2 + (number & 1);
      if (c[number] != one_if(row == i && column == j)) ++mistakes;
    }
  }
  if (mistakes != 0) atomicAdd(wrong, mistakes);
}

TEST(ProductOfAWarp, has_its_operands_where_the_instruction_set_says) {
  CudaContext cuda;
  const Buffer memory(4, cuda.memory());
  launch(cuda.stream(), 1, 32, 0, "one_hot", one_hot_kernel, reinterpret_cast<int*>(memory.data()));
  int wrong = -1;
  cuda.memory().read(&wrong, memory.data(), 4);
  EXPECT_EQ(wrong, 0);
}

/// Four 8 x 8 matrices of different elements, rows `stride` elements apart, by ldmatrix. The lanes have them
/// where the PTX ISA says ("ldmatrix"): as they lie, lane 4 row + column / 2; transposed, lane 4 column + row
/// /
/// 2. Counts what is elsewhere.
__global__ void matrices_kernel(int* wrong, int stride) {
  auto* const elements = shared_memory<BF16>();
  const int lane = lane_index();
  const auto number = [](int matrix, int row, int column) {
    return BF16(static_cast<float>(64 * matrix + 8 * row + column));
  };
  for (int column = 0; column < 8; ++column)
    elements[lane * stride + column] = number(lane / 8, lane % 8, column);
  __syncwarp();
  std::uint32_t plain[4], transposed[4];
  load_matrices(plain, elements + lane * stride);
  load_matrices_transposed(transposed, elements + lane * stride);
  int mistakes = 0;
  for (int at = 0; at < 256; ++at) {
    const int matrix = at / 64, row = at / 8 % 8, column = at % 8;
    const auto holds = [&](std::uint32_t packed, int half) {
      return (packed >> (16 * half) & 0xffffU) == number(matrix, row, column).bits;
    };
    if (lane == 4 * row + column / 2 && !holds(plain[matrix], column % 2)) ++mistakes;
    if (lane == 4 * column + row / 2 && !holds(transposed[matrix], row % 2)) ++mistakes;
  }
  if (mistakes != 0) atomicAdd(wrong, mistakes);
}

TEST(MatricesOfAWarp, lie_where_the_instruction_set_says_and_their_bank_conflicts_are_counted) {
  CudaContext cuda;
  const Buffer memory(4, cuda.memory());
  // Two loads of four times eight rows: 128 bytes apart they all need the same banks, 144 bytes apart none
  // do.
  for (const auto& [stride, conflicts] : {std::pair{72, 0}, {88, 0}, {80, 8}, {96, 24}, {64, 56}}) {
    const std::int64_t before = emulation::statistics().bank_conflicts;
    launch(cuda.stream(), 1, 32, 8192, "matrices", matrices_kernel, reinterpret_cast<int*>(memory.data()),
           stride);
    int wrong = -1;
    cuda.memory().read(&wrong, memory.data(), 4);
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(emulation::statistics().bank_conflicts - before, conflicts) << stride;
  }
}

TEST(TruncatedSum, cuts_off_bits_below_the_largest_term) {
  const double tiny = std::ldexp(1.0, -25), small = std::ldexp(1.0, -24);
  EXPECT_EQ(detail::truncated_sum(1, {tiny, tiny, tiny, tiny, tiny, tiny, tiny, tiny}), 1.0F)
      << "each is lost";
  EXPECT_EQ(detail::truncated_sum(1, {small, small, 0, 0, 0, 0, 0, 0}), 1 + std::ldexp(1.0F, -23));
  EXPECT_EQ(detail::truncated_sum(1, {small, 0, 0, 0, 0, 0, 0, 0}), 1.0F);
  EXPECT_EQ(detail::truncated_sum(-1, {-small, -small, -small, 0, 0, 0, 0, 0}), -1 - std::ldexp(1.0F, -23))
      << "towards zero, not to nearest";
  EXPECT_EQ(detail::truncated_sum(3, {4, -7, 0.5, 0, 0, 0, 0, 0}), 0.5F);
  EXPECT_EQ(detail::truncated_sum(0, {0, 0, 0, 0, 0, 0, 0, 0}), 0.0F);
}

}  // namespace
}  // namespace nystrom::cuda
