// Each op of the CUDA backend alone: microseconds, GB/s or TFLOP/s, and the share of its bound, with the
// ceilings (a copy, matrix products) measured in the same run. Ops with an epilogue of the library's beside
// the same in separate steps ("apart"); attention also by kernel.
//
//   kernel_benchmark [--tokens 16384] [--repeats 20] [--json FILE] [--small]
//
// Shapes are those of the base model in bf16, and tensors hold random numbers. Bytes and operations are what
// each op's OpScope says, its bound is that of `nystrom bench` (launch/bench/machine.h). Before each run the
// L2 cache is overwritten; the figure is the median of the repeats, with the fastest and slowest.
// --small runs everything at a size that the emulation can bear: it shows that the program works, no speed.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/gpu/kernel_benchmark.h"
#include "kernels/embedding.h"
#include "kernels/fill.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/linear_gelu.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/optimizer/adamw.h"
#include "kernels/optimizer/clip_factor.h"
#include "kernels/rows.h"
#include "launch/bench/machine.h"

namespace nystrom {
namespace {

void measure_products(Benchmark& b, const Sizes& s) {
  const std::pair<std::int64_t, std::int64_t> layers[] = {
      {s.channels, 3 * s.channels}, {s.channels, s.channels}, {s.channels, s.width}, {s.width, s.channels}};
  for (const auto& [in, out] : layers) {
    const Tensor x = b.random(DType::kBF16, {s.tokens, in}), y = b.random(DType::kBF16, {s.tokens, out});
    const Tensor w = b.random(DType::kBF16, {out, in}), bias = b.random(DType::kF32, {out});
    const Tensor d_w = b.tensor(DType::kF32, {out, in});
    const std::string shape = fmt::format("{} x {} -> {}", s.tokens, in, out);
    b.measure("linear_forward", shape, [&] { linear_forward(b.context(), x, w, bias, y); });
    b.measure("linear_backward_input", shape, [&] { linear_backward_input(b.context(), y, w, x); });
    b.measure("linear_backward_weight", shape, [&] { linear_backward_weight(b.context(), y, x, d_w); });
    b.measure("linear_backward_weight", shape + " and bias",
              [&] { linear_backward_weight(b.context(), y, x, d_w, bias); });
    b.measure("linear_backward_weight", shape + " and bias, apart", [&] {
      column_sums(b.context(), y, bias);
      linear_backward_weight(b.context(), y, x, d_w);
    });
    b.measure("column_sums", y.shape.text(), [&] { column_sums(b.context(), y, bias); });
  }
}

/// In one product each, where the library knows how, but for the weight gradient of backward; then apart.
void measure_linear_gelu(Benchmark& b, const Sizes& s) {
  const Shape narrow{s.tokens, s.channels}, wide{s.tokens, s.width};
  const Tensor x = b.random(DType::kBF16, narrow), d_next = b.random(DType::kBF16, narrow);
  const Tensor pre = b.random(DType::kBF16, wide), y = b.random(DType::kBF16, wide);
  const Tensor w = b.random(DType::kBF16, {s.width, s.channels}), bias = b.random(DType::kF32, {s.width});
  const Tensor w_next = b.random(DType::kBF16, {s.channels, s.width});
  const Tensor d_w = b.tensor(DType::kF32, {s.width, s.channels}), d_bias = b.tensor(DType::kF32, {s.width});
  const std::string shape = fmt::format("{} x {} -> {}", s.tokens, s.channels, s.width);
  b.measure("linear_gelu_forward", shape, [&] {
    linear_gelu_forward(b.context(), {Activation::kGeluNew, x, w, bias, pre, y});
  });
  b.measure("linear_gelu_forward", shape + ", apart", [&] {
    linear_forward(b.context(), x, w, bias, pre);
    gelu_forward(b.context(), Activation::kGeluNew, pre, y);
  });
  b.measure("linear_gelu_backward", shape, [&] {
    linear_gelu_backward(b.context(), {Activation::kGeluNew, d_next, w_next, pre, x, y, d_w, d_bias});
  });
  b.measure("linear_gelu_backward", shape + ", apart", [&] {
    linear_backward_input(b.context(), d_next, w_next, y);
    gelu_backward(b.context(), Activation::kGeluNew, pre, y, y, d_bias);
    linear_backward_weight(b.context(), y, x, d_w);
  });
}

void measure_rows(Benchmark& b, const Sizes& s) {
  const Shape narrow{s.tokens, s.channels}, wide{s.tokens, s.width};
  const RowKeys keys{b.numbers(DType::kI64, s.tokens, 32), b.numbers(DType::kI32, s.tokens, s.sequence)};
  const Dropout dropout{.probability = 0.1, .seed = 1, .site = 1};
  const auto rows = [&](Shape shape) { return b.random(DType::kBF16, shape); };
  const auto row = [&] { return b.random(DType::kF32, {s.channels}); };
  const Tensor residual = rows(narrow), branch = rows(narrow), y = rows(narrow), d = rows(narrow),
               d_branch = rows(narrow);
  const Tensor bias = row(), gamma = row(), beta = row(), d_gamma = row(), d_beta = row(), d_bias = row();
  const Tensor stats = b.tensor(DType::kF32, {s.tokens, 2});
  b.measure("layer_norm_forward", narrow.text(), [&] {
    layer_norm_forward(b.context(),
                       {residual, branch, bias, gamma, beta, 1e-5, dropout, keys, branch, stats, y});
  });
  b.measure("layer_norm_backward", narrow.text(), [&] {
    layer_norm_backward(b.context(), {.d_y = d,
                                      .z = branch,
                                      .stats = stats,
                                      .gamma = gamma,
                                      .dropout = dropout,
                                      .keys = keys,
                                      .d_z = d,
                                      .d_branch = d_branch,
                                      .d_gamma = d_gamma,
                                      .d_beta = d_beta,
                                      .d_bias = d_bias});
  });
  const Tensor pre = rows(wide), activated = rows(wide), d_wide = b.tensor(DType::kF32, {s.width});
  b.measure("gelu_forward", wide.text(),
            [&] { gelu_forward(b.context(), Activation::kGeluNew, pre, activated); });
  b.measure("gelu_backward", wide.text(),
            [&] { gelu_backward(b.context(), Activation::kGeluNew, pre, activated, activated, d_wide); });
  const Tensor picked = b.numbers(DType::kI32, s.masked, s.tokens), few = rows({s.masked, s.channels});
  b.measure("gather_rows", few.shape.text(), [&] { gather_rows(b.context(), y, picked, few); });
  b.measure("scatter_add_rows", few.shape.text(), [&] { scatter_add_rows(b.context(), few, picked, y); });
  b.measure("dropout_rows", narrow.text(), [&] { dropout_rows(b.context(), dropout, keys, y, d); });
  b.measure("fill_zero", narrow.text(), [&] { fill_zero(b.context(), y); });
}

void measure_embedding(Benchmark& b, const Sizes& s) {
  const auto table = [&](std::int64_t rows) { return b.random(DType::kF32, {rows, s.channels}); };
  const auto tables = [&] {
    return EmbeddingTables{table(s.vocabulary), table(s.sequence + 2), table(2),
                           b.random(DType::kF32, {s.channels}), b.random(DType::kF32, {s.channels})};
  };
  const EmbeddingInputs inputs{b.numbers(DType::kI32, s.tokens, s.vocabulary),
                               b.numbers(DType::kI32, s.tokens, 2),
                               b.numbers(DType::kI32, s.tokens, s.sequence)};
  const EmbeddingTables weights = tables(), gradients = tables();
  const RowKeys keys{b.numbers(DType::kI64, s.tokens, 32), inputs.positions};
  const Dropout dropout{.probability = 0.1, .seed = 1, .site = 0};
  const Tensor stats = b.tensor(DType::kF32, {s.tokens, 2}),
               y = b.random(DType::kBF16, {s.tokens, s.channels});
  const Tensor d_sum = b.tensor(DType::kF32, {s.tokens, s.channels});
  b.measure("embedding_forward", y.shape.text(), [&] {
    embedding_forward(b.context(), {inputs, weights, 1e-5, dropout, keys, stats, y});
  });
  b.measure("embedding_backward", y.shape.text(), [&] {
    embedding_backward(b.context(), {inputs, weights, dropout, keys, stats, y, d_sum, gradients, 0});
  });
}

void measure_head_and_step(Benchmark& b, const Sizes& s) {
  const Shape shape{s.masked, s.vocabulary};
  const Tensor logits = b.random(DType::kF32, shape), d = b.tensor(DType::kBF16, shape);
  const Tensor labels = b.numbers(DType::kI32, s.masked, s.vocabulary);
  const Tensor losses = b.tensor(DType::kF32, {s.masked}), sums = b.tensor(DType::kF64, {3});
  b.measure("cross_entropy", shape.text(), [&] {
    cross_entropy(b.context(),
                  {.logits = logits, .labels = labels, .row_losses = losses, .d_logits = d, .sums = sums});
  });
  const Tensor w = b.random(DType::kF32, {s.parameters}), g = b.random(DType::kF32, {s.parameters});
  const Tensor m = b.tensor(DType::kF32, {s.parameters}), v = b.tensor(DType::kF32, {s.parameters});
  const Tensor copy = b.tensor(DType::kBF16, {s.parameters}), norm = b.tensor(DType::kF64, {2});
  b.measure("squared_norm", w.shape.text(), {.bytes = 4.0 * static_cast<double>(s.parameters)},
            [&] { clip_factor(b.context(), g, 1, norm); });
  AdamW step{.weights = w, .gradients = g, .m = m, .v = v, .copy = copy, .config = {}};
  step.factor = norm.rows(1, 1);
  b.measure("adamw_step", w.shape.text(), [&] { adamw_step(b.context(), step); });
}

double share_of_bound(const Result& r, const MachineCeiling& machine) {
  return bound_seconds(r.count, machine, DType::kBF16) / (r.median_us * 1e-6);
}

void print(const Benchmark& b, const MachineCeiling& machine) {
  fmt::print("{}: {:.1f} TFLOP/s in bf16, {:.1f} in fp32, copy {:.0f} GB/s\n", b.cuda().properties().name,
             machine.bf16_flops * 1e-12, machine.fp32_flops * 1e-12, machine.copy_bytes * 1e-9);
  fmt::print("{:<44}{:<32}{:>10}{:>10}{:>10}{:>10}{:>10}{:>8}\n", "op, kernel", "shape", "us", "fastest",
             "slowest", "GB/s", "TFLOP/s", "bound");
  for (const Result& r : b.results()) {
    fmt::print("{:<44}{:<32}{:>10.2f}{:>10.2f}{:>10.2f}", r.name, r.shape, r.median_us, r.fastest_us,
               r.slowest_us);
    if (r.count.bytes > 0)
      fmt::print("{:>10.0f}{:>10.1f}{:>7.0f}%", r.count.bytes / r.median_us * 1e-3,
                 r.count.flops / r.median_us * 1e-6, 100 * share_of_bound(r, machine));
    fmt::print("\n");
  }
}

std::string json(Benchmark& b, const MachineCeiling& machine) {
  std::string out = fmt::format(
      "{{\"gpu\": \"{}\", \"cublaslt\": \"{}\", \"copy_bytes_per_second\": {:.4g}, "
      "\"bf16_flops_per_second\": {:.4g}, \"fp32_flops_per_second\": {:.4g}, \"ops\": [",
      b.cuda().properties().name, b.cuda().blas().version(), machine.copy_bytes, machine.bf16_flops,
      machine.fp32_flops);
  const char* comma = "";
  for (const Result& r : b.results()) {
    out += fmt::format(
        "{}\n  {{\"op\": \"{}\", \"shape\": \"{}\", \"median_us\": {:.3f}, \"fastest_us\": {:.3f}, "
        "\"slowest_us\": {:.3f}, \"bytes\": {:.6g}, \"flops\": {:.6g}, \"share_of_bound\": {:.4f}}}",
        comma, r.name, r.shape, r.median_us, r.fastest_us, r.slowest_us, r.count.bytes, r.count.flops,
        share_of_bound(r, machine));
    comma = ",";
  }
  return out + "\n]}\n";
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    const auto value = [&] {
      if (i + 1 == count) refuse("{} wants a value.", name);
      return std::string(arguments[++i]);
    };
    if (name == "--tokens")
      options.tokens = std::atoll(value().c_str());
    else if (name == "--repeats")
      options.repeats = std::atoi(value().c_str());
    else if (name == "--json")
      options.json = value();
    else if (name == "--small")
      options.small = true;
    else
      refuse("{} is not known; there are --tokens, --repeats, --json and --small.", name);
  }
  if (options.tokens < 1 || options.repeats < 1) refuse("--tokens and --repeats must be at least 1.");
  return options;
}

void run(const Options& options) {
  const Sizes sizes(options);
  Benchmark benchmark(options, sizes);
  const MachineCeiling machine = measure_machine(benchmark.context(), true);
  measure_products(benchmark, sizes);
  measure_linear_gelu(benchmark, sizes);
  measure_rows(benchmark, sizes);
  measure_embedding(benchmark, sizes);
  measure_head_and_step(benchmark, sizes);
  measure_attention(benchmark, sizes);
  print(benchmark, machine);
  if (options.json.empty()) return;
  std::ofstream file(options.json);
  file << json(benchmark, machine);
  if (!file.flush()) fail("{} could not be written.", options.json);
}

}  // namespace
}  // namespace nystrom

int main(int count, char** arguments) {
  try {
    nystrom::run(nystrom::parse(count, arguments));
    return 0;
  } catch (const nystrom::InputError& error) {
    fmt::print(stderr, "kernel_benchmark: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "kernel_benchmark: {}\n", error.what());
    return 1;
  }
}
