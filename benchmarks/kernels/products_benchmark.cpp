// The program's matrix products against oneDNN's, at the shapes of a training step:
//   products_benchmark [THREADS] [SECONDS] [NAME] [fp32 or bf16]
// fp32 is compared with oneDNN's sgemm (in the forward pass ours adds a bias, too), bf16 with its matmul
// primitive. Both are called in turn for SECONDS a shape; a line is JSON, with the best rate of each in
// GFLOP/s. On one thread the time is that thread's own, which other work on the machine lengthens less than
// the time that passes.

#include <dnnl.h>
#include <omp.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "kernels/cpu/matmul_bf16.h"
#include "kernels/matmul.h"
#include "kernels/tensor/buffer.h"

namespace nystrom {
namespace {

struct Layer {
  std::string_view name;
  std::int64_t rows, in, out;
};
constexpr Layer kLayers[] = {
    {"qkv", 512, 768, 2304},        {"output", 512, 768, 768},        {"ff1", 512, 768, 3072},
    {"ff2", 512, 3072, 768},        {"qkv", 2048, 768, 2304},         {"output", 2048, 768, 768},
    {"ff1", 2048, 768, 3072},       {"ff2", 2048, 3072, 768},         {"vocabulary", 300, 768, 30522},
    {"ff1", 8192, 768, 3072},       {"small output", 2048, 256, 256}, {"small qkv", 2048, 256, 768},
    {"small ff1", 2048, 256, 1024}, {"small ff2", 2048, 1024, 256},   {"few rows", 64, 768, 3072},
    {"odd", 333, 777, 1001}};
constexpr const char* kPasses[] = {"forward", "input", "weights"};

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

OwnedTensor noise(DType type, Shape shape) {
  OwnedTensor out(type, shape);
  std::uint32_t state = 1;
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    const float x =
        static_cast<float>(static_cast<std::int32_t>(state = state * 1664525U + 1013904223U)) * 1e-9F;
    if (type == DType::kF32)
      out.view().data<float>()[i] = x;
    else
      out.view().data<BF16>()[i] = BF16(x);
  }
  return out;
}

struct Rates {
  double ours = 0, onednn = 0;
};

/// pass: 0 forward, 1 by input, 2 by weights (added to what is there).
Rates measure(Context& context, const Layer& layer, DType type, int pass, double budget) {
  const std::int64_t m = pass == 2 ? layer.out : layer.rows;
  const std::int64_t n = pass == 0 ? layer.out : layer.in;
  const std::int64_t k = pass == 0 ? layer.in : pass == 1 ? layer.out : layer.rows;
  const bool transpose_a = pass == 2, transpose_b = pass == 0;
  const OwnedTensor a = noise(type, transpose_a ? Shape{k, m} : Shape{m, k}),
                    b = noise(type, transpose_b ? Shape{n, k} : Shape{k, n});
  const OwnedTensor c(pass == 2 ? DType::kF32 : type, {m, n});
  const OwnedTensor bias = noise(DType::kF32, {n});
  const Matmul product{.a = a,
                       .b = b,
                       .transpose_a = transpose_a,
                       .transpose_b = transpose_b,
                       .bias = pass == 0 ? bias.view() : Tensor{},
                       .c = c,
                       .accumulate = pass == 2};
  const auto ours = [&] { matmul(context, product); };
  const auto onednn = [&] {
    if (type == DType::kBF16) return matmul_bf16_by_onednn(context, product);
    dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1, a.view().data<float>(),
               a.view().dim(1), b.view().data<float>(), b.view().dim(1), pass == 2 ? 1 : 0,
               c.view().data<float>(), n);
  };
  const clockid_t clock = context.threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  double best_ours = 1e300, best_onednn = 1e300;
  const double start = seconds(CLOCK_MONOTONIC);
  for (int turn = 0; turn < 4 || seconds(CLOCK_MONOTONIC) - start < budget; ++turn) {
    const double before = seconds(clock);
    ours();
    const double between = seconds(clock);
    onednn();
    const double after = seconds(clock);
    best_ours = std::min(best_ours, between - before);
    best_onednn = std::min(best_onednn, after - between);
  }
  const double gflop = 2e-9 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  return {gflop / best_ours, gflop / best_onednn};
}

void run(int threads, double budget, std::string_view only, DType type) {
  omp_set_num_threads(threads);  // oneDNN's
  Context context(threads);
  for (const Layer& layer : kLayers)
    for (int pass = 0; pass < 3; ++pass) {
      if (!only.empty() && layer.name != only) continue;
      const Rates rates = measure(context, layer, type, pass, budget);
      std::printf(
          "{\"dtype\": \"%s\", \"product\": \"%s\", \"pass\": \"%s\", \"rows\": %ld, \"in\": %ld, \"out\": %ld, \"threads\": %d, "
          "\"ours_gflops\": %.1f, \"onednn_gflops\": %.1f, \"ratio\": %.3f}\n",
          name_of(type).data(), layer.name.data(), kPasses[pass], layer.rows, layer.in, layer.out, threads,
          rates.ours, rates.onednn, rates.ours / rates.onednn);
      std::fflush(stdout);
    }
}

}  // namespace
}  // namespace nystrom

int main(int count, char** arguments) {
  nystrom::run(
      count > 1 ? std::atoi(arguments[1]) : 1, count > 2 ? std::atof(arguments[2]) : 0.5,
      count > 3 ? arguments[3] : "",
      count > 4 && std::string_view(arguments[4]) == "bf16" ? nystrom::DType::kBF16 : nystrom::DType::kF32);
}
