// Each op of the CUDA backend alone: microseconds, GB/s or TFLOP/s, and the share of its bound, with the
// ceilings (a copy, a matrix product) measured in the same run.
//
//   kernel_benchmark [--tokens 16384] [--repeats 20] [--json FILE] [--small]
//
// Shapes are those of the base model in bf16. Bytes and operations are what each op's OpScope says, its bound
// the longer of bytes over the copy's rate and operations over the product's. Before each run the L2 cache is
// overwritten; the figure is the median of the repeats, with the fastest and slowest beside it. --small runs
// everything at a size that the emulation can bear: it shows that the program works, no speed.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/adamw.h"
#include "kernels/clip_factor.h"
#include "kernels/core/philox.h"
#include "kernels/cross_entropy.h"
#include "kernels/embedding.h"
#include "kernels/fill.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/linear_gelu.h"
#include "kernels/rows.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom {
namespace {

struct Options {
  std::int64_t tokens = 16384;
  int repeats = 20;
  std::string json;
  bool small = false;
};

struct Sizes {
  std::int64_t tokens, channels = 768, width = 3072, vocabulary = 30000, masked, sequence = 512;
  std::int64_t parameters = 110'000'000, flush_bytes = std::int64_t{256} << 20,
               copy_bytes = std::int64_t{1} << 30;
  std::int64_t product = 8192;

  explicit Sizes(const Options& o) : tokens(o.tokens), masked(std::min<std::int64_t>(2048, o.tokens)) {
    if (!o.small) return;
    tokens = 70, channels = 64, width = 128, vocabulary = 300, masked = 12, sequence = 35;
    parameters = 10'000, flush_bytes = copy_bytes = 1 << 16, product = 64;
  }
};

struct Result {
  std::string name, shape;
  double median_us = 0, fastest_us = 0, slowest_us = 0, bytes = 0, flops = 0;
};

double bytes_per_second(const Result& r) {
  return r.bytes / (r.median_us * 1e-6);
}
double flops_per_second(const Result& r) {
  return r.flops / (r.median_us * 1e-6);
}

class Benchmark {
 public:
  Benchmark(const Options& options, const Sizes& sizes)
      : options_(options),
        context_(1, &cuda_),
        flush_(static_cast<std::size_t>(sizes.flush_bytes), cuda_.memory()) {}

  [[nodiscard]] Context& context() { return context_; }
  [[nodiscard]] CudaContext& cuda() { return cuda_; }
  [[nodiscard]] const std::vector<Result>& results() const { return results_; }

  /// A tensor of the device, zeroed, that lives as long as this.
  Tensor tensor(DType type, Shape shape) {
    owned_.emplace_back(type, shape, cuda_.memory());
    return owned_.back();
  }
  /// One with normal numbers, a million of them again and again: a product of zeros would draw less power and
  /// run faster than one of numbers.
  Tensor random(DType type, Shape shape) {
    const Tensor out = tensor(type, shape);
    constexpr std::size_t kPattern = 1 << 20;
    if (pattern_.empty()) {
      Random random(1, Purpose::kTest, 0);
      for (std::size_t i = 0; i < kPattern; ++i) pattern_.push_back(static_cast<float>(random.normal()));
    }
    const std::size_t count = static_cast<std::size_t>(out.numel()), size = size_of(type);
    std::vector<BF16> narrow(pattern_.begin(), pattern_.end());
    const void* from = type == DType::kBF16 ? static_cast<const void*>(narrow.data()) : pattern_.data();
    for (std::size_t begin = 0; begin < count; begin += kPattern)
      cuda::copy_to_device(cuda_.stream(), static_cast<std::byte*>(out.address) + begin * size, from,
                           std::min(kPattern, count - begin) * size);
    cuda_.stream().synchronize();
    return out;
  }
  /// One with values in [0, limit).
  Tensor numbers(DType type, std::int64_t count, std::int64_t limit) {
    std::vector<std::int32_t> narrow(static_cast<std::size_t>(count));
    std::vector<std::int64_t> wide(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < narrow.size(); ++i) {
      wide[i] = static_cast<std::int64_t>(i) * 7919 % limit;
      narrow[i] = static_cast<std::int32_t>(wide[i]);
    }
    const Tensor out = tensor(type, {count});
    const void* from = type == DType::kI64 ? static_cast<const void*>(wide.data()) : narrow.data();
    cuda::copy_to_device(cuda_.stream(), out.address, from, out.bytes());
    cuda_.stream().synchronize();
    return out;
  }

  /// Measures `op`, whose bytes and operations are those of its OpScopes.
  const Result& measure(const std::string& name, const std::string& shape, const std::function<void()>& op) {
    Profile profile;
    context_.set_profile(&profile);
    op();
    context_.set_profile(nullptr);
    double bytes = 0, flops = 0;
    for (const auto& [part, count] : profile) {
      bytes += count.bytes;
      flops += count.flops;
    }
    return measure(name, shape, bytes, flops, op);
  }
  const Result& measure(const std::string& name, const std::string& shape, double bytes, double flops,
                        const std::function<void()>& op) {
    std::vector<double> times;
    for (int repeat = -3; repeat < options_.repeats; ++repeat) {
      cuda::check(cudaMemsetAsync(flush_.data(), 0, flush_.bytes(), cuda_.stream()),
                  "overwriting the L2 cache");
      cuda_.stream().record(start_);
      op();
      cuda_.stream().record(stop_);
      stop_.synchronize();
      if (repeat >= 0) times.push_back(1000 * stop_.milliseconds_since(start_));
    }
    std::ranges::sort(times);
    results_.push_back({name, shape, times[times.size() / 2], times.front(), times.back(), bytes, flops});
    return results_.back();
  }

 private:
  const Options& options_;
  CudaContext cuda_;
  Context context_;
  Buffer flush_;
  cuda::Event start_{cuda::Event::Timing::kOn}, stop_{cuda::Event::Timing::kOn};
  std::vector<OwnedTensor> owned_;
  std::vector<float> pattern_;
  std::vector<Result> results_;
};

/// What the machine reaches in this run: the bounds of all others.
struct Ceilings {
  double bytes_per_second, flops_per_second;
};

Ceilings measure_ceilings(Benchmark& b, const Sizes& s) {
  const Tensor from = b.tensor(DType::kBF16, {s.copy_bytes / 2}),
               to = b.tensor(DType::kBF16, {s.copy_bytes / 2});
  const Result copy = b.measure("copy", from.shape.text(), 2.0 * static_cast<double>(from.bytes()), 0, [&] {
    cuda::copy_on_device(b.cuda().stream(), to.address, from.address, from.bytes());
  });
  const Shape square{s.product, s.product};
  const Tensor x = b.random(DType::kBF16, square), w = b.random(DType::kBF16, square),
               y = b.tensor(DType::kBF16, square);
  const Result product = b.measure("linear_forward", square.text() + " (ceiling)",
                                   [&] { linear_forward(b.context(), x, w, {}, y); });
  return {bytes_per_second(copy), flops_per_second(product)};
}

void measure_products(Benchmark& b, const Sizes& s) {
  const std::pair<std::int64_t, std::int64_t> layers[] = {
      {s.channels, 3 * s.channels}, {s.channels, s.channels}, {s.channels, s.width}, {s.width, s.channels}};
  for (const auto& [in, out] : layers) {
    const Tensor x = b.random(DType::kBF16, {s.tokens, in}), y = b.random(DType::kBF16, {s.tokens, out});
    const Tensor w = b.random(DType::kBF16, {out, in}), bias = b.tensor(DType::kF32, {out});
    const Tensor d_w = b.tensor(DType::kF32, {out, in});
    const std::string shape = fmt::format("{} x {} -> {}", s.tokens, in, out);
    b.measure("linear_forward", shape, [&] { linear_forward(b.context(), x, w, bias, y); });
    b.measure("linear_backward_input", shape, [&] { linear_backward_input(b.context(), y, w, x); });
    b.measure("linear_backward_weight", shape, [&] { linear_backward_weight(b.context(), y, x, d_w); });
    b.measure("linear_backward_weight", shape + " and bias",
              [&] { linear_backward_weight(b.context(), y, x, d_w, bias); });
    b.measure("column_sums", y.shape.text(), [&] { column_sums(b.context(), y, bias); });
  }
}

/// In one product each, where the library knows how, but for the weight gradient of backward.
void measure_linear_gelu(Benchmark& b, const Sizes& s) {
  const Shape narrow{s.tokens, s.channels}, wide{s.tokens, s.width};
  const Tensor x = b.random(DType::kBF16, narrow), d_next = b.random(DType::kBF16, narrow);
  const Tensor pre = b.tensor(DType::kBF16, wide), y = b.tensor(DType::kBF16, wide);
  const Tensor w = b.random(DType::kBF16, {s.width, s.channels}), bias = b.tensor(DType::kF32, {s.width});
  const Tensor w_next = b.random(DType::kBF16, {s.channels, s.width});
  const Tensor d_w = b.tensor(DType::kF32, {s.width, s.channels}), d_bias = b.tensor(DType::kF32, {s.width});
  const std::string shape = fmt::format("{} x {} -> {}", s.tokens, s.channels, s.width);
  b.measure("linear_gelu_forward", shape, [&] {
    linear_gelu_forward(b.context(), {Activation::kGeluNew, x, w, bias, pre, y});
  });
  b.measure("linear_gelu_backward", shape, [&] {
    linear_gelu_backward(b.context(), {Activation::kGeluNew, d_next, w_next, pre, x, y, d_w, d_bias});
  });
}

void measure_rows(Benchmark& b, const Sizes& s) {
  const Shape narrow{s.tokens, s.channels}, wide{s.tokens, s.width};
  const RowKeys keys{b.numbers(DType::kI64, s.tokens, 32), b.numbers(DType::kI32, s.tokens, s.sequence)};
  const Dropout dropout{.probability = 0.1, .seed = 1, .site = 1};
  const auto rows = [&](Shape shape) { return b.tensor(DType::kBF16, shape); };
  const auto row = [&] { return b.tensor(DType::kF32, {s.channels}); };
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
  const auto table = [&](std::int64_t rows) { return b.tensor(DType::kF32, {rows, s.channels}); };
  const auto tables = [&] {
    return EmbeddingTables{table(s.vocabulary), table(s.sequence + 2), table(2),
                           b.tensor(DType::kF32, {s.channels}), b.tensor(DType::kF32, {s.channels})};
  };
  const EmbeddingInputs inputs{b.numbers(DType::kI32, s.tokens, s.vocabulary),
                               b.numbers(DType::kI32, s.tokens, 2),
                               b.numbers(DType::kI32, s.tokens, s.sequence)};
  const EmbeddingTables weights = tables(), gradients = tables();
  const RowKeys keys{b.numbers(DType::kI64, s.tokens, 32), inputs.positions};
  const Dropout dropout{.probability = 0.1, .seed = 1, .site = 0};
  const Tensor stats = b.tensor(DType::kF32, {s.tokens, 2}),
               y = b.tensor(DType::kBF16, {s.tokens, s.channels});
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
  const Tensor logits = b.tensor(DType::kF32, shape), d = b.tensor(DType::kBF16, shape);
  const Tensor labels = b.numbers(DType::kI32, s.masked, s.vocabulary);
  const Tensor losses = b.tensor(DType::kF32, {s.masked}), sums = b.tensor(DType::kF64, {3});
  b.measure("cross_entropy", shape.text(), [&] {
    cross_entropy(b.context(), {logits, labels, 1, losses, d, sums});
  });
  const Tensor w = b.tensor(DType::kF32, {s.parameters}), g = b.tensor(DType::kF32, {s.parameters});
  const Tensor m = b.tensor(DType::kF32, {s.parameters}), v = b.tensor(DType::kF32, {s.parameters});
  const Tensor copy = b.tensor(DType::kBF16, {s.parameters}), norm = b.tensor(DType::kF64, {2});
  b.measure("squared_norm", w.shape.text(), 4.0 * static_cast<double>(s.parameters), 0,
            [&] { clip_factor(b.context(), g, 1, norm); });
  AdamW step{.weights = w, .gradients = g, .m = m, .v = v, .copy = copy, .config = {}};
  step.factor = norm.rows(1, 1);
  b.measure("adamw_step", w.shape.text(), [&] { adamw_step(b.context(), step); });
}

double share_of_bound(const Result& r, const Ceilings& c) {
  return std::max(r.bytes / c.bytes_per_second, r.flops / c.flops_per_second) / (r.median_us * 1e-6);
}

void print(const Benchmark& b, const Ceilings& c) {
  fmt::print("{:<24}{:<26}{:>10}{:>10}{:>10}{:>10}{:>10}{:>8}\n", "op", "shape", "us", "fastest", "slowest",
             "GB/s", "TFLOP/s", "bound");
  for (const Result& r : b.results())
    fmt::print("{:<24}{:<26}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.0f}{:>10.1f}{:>7.0f}%\n", r.name, r.shape,
               r.median_us, r.fastest_us, r.slowest_us, bytes_per_second(r) * 1e-9,
               flops_per_second(r) * 1e-12, 100 * share_of_bound(r, c));
}

std::string json(Benchmark& b, const Ceilings& c) {
  std::string out = fmt::format(
      "{{\"gpu\": \"{}\", \"cublaslt\": \"{}\", \"copy_bytes_per_second\": {:.4g}, "
      "\"product_flops_per_second\": {:.4g}, \"ops\": [",
      b.cuda().properties().name, b.cuda().blas().version(), c.bytes_per_second, c.flops_per_second);
  const char* comma = "";
  for (const Result& r : b.results()) {
    out += fmt::format(
        "{}\n  {{\"op\": \"{}\", \"shape\": \"{}\", \"median_us\": {:.3f}, \"fastest_us\": {:.3f}, "
        "\"slowest_us\": {:.3f}, \"bytes\": {:.6g}, \"flops\": {:.6g}, \"share_of_bound\": {:.4f}}}",
        comma, r.name, r.shape, r.median_us, r.fastest_us, r.slowest_us, r.bytes, r.flops,
        share_of_bound(r, c));
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
  const Ceilings ceilings = measure_ceilings(benchmark, sizes);
  measure_products(benchmark, sizes);
  measure_linear_gelu(benchmark, sizes);
  measure_rows(benchmark, sizes);
  measure_embedding(benchmark, sizes);
  measure_head_and_step(benchmark, sizes);
  print(benchmark, ceilings);
  if (options.json.empty()) return;
  std::ofstream file(options.json);
  file << json(benchmark, ceilings);
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
