#include "kernels/tensor/cpu_features.h"

#include <gtest/gtest.h>

namespace nystrom {
namespace {

TEST(CpuFeatures, agree_with_the_compiler_s_own_question) {
  const CpuFeatures f = CpuFeatures::detect();
  EXPECT_EQ(f.avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(f.avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"));
  EXPECT_EQ(f.avx512_bf16, f.avx512 && __builtin_cpu_supports("avx512bf16"));
  EXPECT_EQ(bf16_is_native(), f.avx512_bf16 || f.amx_bf16);
}

TEST(CpuFeatures, this_program_s_floor_is_there) {
  EXPECT_TRUE(CpuFeatures::detect().avx2);
}

}  // namespace
}  // namespace nystrom
