// Each op alone at the base model's shapes: time, GFLOP/s or GB/s, and its share of the bound that this
// machine's own rate of matrix products and of copies sets (both measured first, in the same run).
//
//   build/benchmarks/kernels_benchmark --threads=2 --benchmark_filter='attention.*bf16'

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/attention/nystrom.h"
#include "kernels/attention/softmax.h"
#include "kernels/core/philox.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/optimizer/adamw.h"
#include "kernels/tensor/arena.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/cpu_features.h"
#include "launch/bench/machine.h"

namespace nystrom {
namespace {

constexpr std::int64_t kChannels = 768, kWide = 3072, kWords = 30000, kLabels = 300, kTokens = 2048;

struct Machine {
  Context context;
  MachineCeiling ceiling;
};

OwnedTensor random(DType type, Shape shape, std::uint64_t seed = 1) {
  OwnedTensor out(type, shape);
  Random numbers(seed, Purpose::kTest, 0);
  dispatch_float(type, [&]<class T>(T) {
    for (T& value : out.view().span<T>())
      value = static_cast<T>(static_cast<Compute<T>>(0.1 * numbers.normal()));
  });
  return out;
}

// Runs `op` until the library has enough; what it did is read off the profile that each op keeps.
void measure(benchmark::State& state, Machine& machine, DType precision,
             const std::function<void(Context&)>& op) {
  Profile profile;
  machine.context.set_profile(&profile);
  for (auto _ : state) op(machine.context);
  machine.context.set_profile(nullptr);
  double flops = 0, bytes = 0, seconds = 0, bound = 0;
  for (const auto& [name, count] : profile) {
    flops += count.flops;
    bytes += count.bytes;
    seconds += count.seconds;
    bound += bound_seconds(count, machine.ceiling, precision);
  }
  state.counters["GFLOP/s"] = flops / seconds / 1e9;
  state.counters["GB/s"] = bytes / seconds / 1e9;
  state.counters["of_bound"] = bound / seconds;
}

using Body = std::function<void(benchmark::State&, Machine&, DType)>;

void linear(benchmark::State& state, Machine& machine, DType type, std::int64_t rows, std::int64_t in,
            std::int64_t out, char which) {
  const OwnedTensor x = random(type, {rows, in}), w = random(type, {out, in}), y = random(type, {rows, out});
  const OwnedTensor bias = random(DType::kF32, {out}), d_w = random(DType::kF32, {out, in});
  measure(state, machine, type, [&](Context& context) {
    if (which == 'f') linear_forward(context, x.view(), w.view(), bias.view(), y.view());
    if (which == 'i') linear_backward_input(context, y.view(), w.view(), x.view());
    if (which == 'w') linear_backward_weight(context, y.view(), x.view(), d_w.view());
  });
}

/// A packed batch of rows of one length.
struct Rows {
  Rows(std::int64_t batch, std::int64_t length)
      : offsets(DType::kI32, {batch + 1}),
        lengths(DType::kI32, {batch}),
        samples(DType::kI64, {batch * length}),
        positions(DType::kI32, {batch * length}) {
    for (std::int64_t b = 0; b <= batch; ++b)
      offsets.view().data<std::int32_t>()[b] = static_cast<std::int32_t>(b * length);
    for (std::int64_t t = 0; t < batch * length; ++t) {
      if (t < batch) lengths.view().data<std::int32_t>()[t] = static_cast<std::int32_t>(length);
      samples.view().data<std::int64_t>()[t] = t / length;
      positions.view().data<std::int32_t>()[t] = static_cast<std::int32_t>(t % length);
    }
    sequences = {offsets.view(), lengths.view(), batch, batch * length, length, length};
    keys = {samples.view(), positions.view()};
  }
  OwnedTensor offsets, lengths, samples, positions;
  Sequences sequences;
  RowKeys keys;
};

/// Inputs and results of one layer's attention of the base model.
struct AttentionRows {
  AttentionRows(DType type, std::int64_t batch, std::int64_t length, int threads)
      : rows(batch, length),
        limits{.batch = batch,
               .tokens = batch * length,
               .longest = length,
               .channels = kChannels,
               .heads = 12,
               .taps = 65,
               .threads = threads},
        qkv(random(type, {limits.tokens, 3 * kChannels})),
        out(random(type, {limits.tokens, kChannels})),
        filter(random(DType::kF32, {limits.heads, limits.taps})),
        d_out(random(type, {limits.tokens, kChannels}, 2)),
        d_qkv(type, {limits.tokens, 3 * kChannels}),
        d_filter(DType::kF32, {limits.heads, limits.taps}) {}

  [[nodiscard]] AttentionInputs inputs(const Tensor& workspace) const {
    return {.heads = limits.heads,
            .sequences = rows.sequences,
            .qkv = qkv.view(),
            .conv_weight = filter.view(),
            .dropout = {},
            .keys = rows.keys,
            .workspace = workspace,
            .out = out.view()};
  }
  [[nodiscard]] AttentionGradients gradients() const {
    return {.d_out = d_out.view(), .d_qkv = d_qkv.view(), .d_conv_weight = d_filter.view()};
  }

  Rows rows;
  AttentionLimits limits;
  OwnedTensor qkv, out, filter, d_out, d_qkv, d_filter;
};

void nystrom_attention(benchmark::State& state, Machine& machine, DType type, std::int64_t batch,
                       std::int64_t length, bool backward) {
  const AttentionRows rows(type, batch, length, machine.context.threads());
  const NystromOptions options;
  NystromSaved saved;
  Tensor workspace;
  const Arena arena = Arena::planned([&](Planner& planner) {
    saved = NystromSaved::plan(planner, options, type, rows.limits);
    workspace = plan_nystrom_attention_workspace(planner, options, type, rows.limits);
  });
  const NystromAttention args{options, rows.inputs(workspace), saved};
  nystrom_attention_forward(machine.context, args);
  measure(state, machine, type, [&](Context& context) {
    if (!backward) return nystrom_attention_forward(context, args);
    nystrom_attention_backward(context, args, rows.gradients());
  });
}

void softmax_attention(benchmark::State& state, Machine& machine, DType type, std::int64_t batch,
                       std::int64_t length, bool backward) {
  const AttentionRows rows(type, batch, length, machine.context.threads());
  Tensor row_stats, workspace;
  const Arena arena = Arena::planned([&](Planner& planner) {
    row_stats = plan_softmax_attention_stats(planner, type, rows.limits);
    workspace = plan_softmax_attention_workspace(planner, type, rows.limits);
  });
  const SoftmaxAttention args{rows.inputs(workspace), row_stats};
  softmax_attention_forward(machine.context, args);
  measure(state, machine, type, [&](Context& context) {
    if (!backward) return softmax_attention_forward(context, args);
    softmax_attention_backward(context, args, rows.gradients());
  });
}

void gelu(benchmark::State& state, Machine& machine, DType type, bool backward) {
  const OwnedTensor x = random(type, {kTokens, kWide}), y = random(type, {kTokens, kWide});
  const OwnedTensor d_x(type, {kTokens, kWide}), d_bias(DType::kF32, {kWide});
  measure(state, machine, type, [&](Context& context) {
    if (backward)
      return gelu_backward(context, Activation::kGeluNew, x.view(), y.view(), d_x.view(), d_bias.view());
    gelu_forward(context, Activation::kGeluNew, x.view(), y.view());
  });
}

void layer_norm(benchmark::State& state, Machine& machine, DType type, bool backward) {
  const Rows rows(4, kTokens / 4);
  const OwnedTensor residual = random(type, {kTokens, kChannels}),
                    branch = random(type, {kTokens, kChannels}, 2);
  const OwnedTensor z(type, {kTokens, kChannels}), y(type, {kTokens, kChannels}),
      d_branch(type, {kTokens, kChannels});
  const OwnedTensor gamma = random(DType::kF32, {kChannels}), stats(DType::kF32, {kTokens, 2});
  const OwnedTensor d_gamma(DType::kF32, {kChannels}), d_beta(DType::kF32, {kChannels}),
      d_bias(DType::kF32, {kChannels});
  const Dropout dropout{.probability = 0.1, .seed = 1, .site = 1};
  const LayerNormForward forward{.residual = residual.view(),
                                 .branch = branch.view(),
                                 .bias = gamma.view(),
                                 .gamma = gamma.view(),
                                 .beta = gamma.view(),
                                 .epsilon = 1e-5,
                                 .dropout = dropout,
                                 .keys = rows.keys,
                                 .z = z.view(),
                                 .stats = stats.view(),
                                 .y = y.view()};
  layer_norm_forward(machine.context, forward);
  measure(state, machine, type, [&](Context& context) {
    if (!backward) return layer_norm_forward(context, forward);
    layer_norm_backward(context, {.d_y = residual.view(),
                                  .z = z.view(),
                                  .stats = stats.view(),
                                  .gamma = gamma.view(),
                                  .dropout = dropout,
                                  .keys = rows.keys,
                                  .d_z = y.view(),
                                  .d_branch = d_branch.view(),
                                  .d_gamma = d_gamma.view(),
                                  .d_beta = d_beta.view(),
                                  .d_bias = d_bias.view()});
  });
}

void words(benchmark::State& state, Machine& machine, DType type) {
  const OwnedTensor logits = random(DType::kF32, {kLabels, kWords}), losses(DType::kF32, {kLabels});
  const OwnedTensor labels(DType::kI32, {kLabels}), sums(DType::kF64, {3}), d_logits(type, {kLabels, kWords});
  measure(state, machine, type, [&](Context& context) {
    cross_entropy(context, {.logits = logits.view(),
                            .labels = labels.view(),
                            .scale = 1,
                            .row_losses = losses.view(),
                            .d_logits = d_logits.view(),
                            .sums = sums.view()});
  });
}

void adamw(benchmark::State& state, Machine& machine, DType type) {
  constexpr std::int64_t kWeights = 1 << 23;
  const OwnedTensor w = random(DType::kF32, {kWeights}), g = random(DType::kF32, {kWeights}),
                    m(DType::kF32, {kWeights}), v(DType::kF32, {kWeights}), copy(DType::kBF16, {kWeights});
  measure(state, machine, type, [&](Context& context) {
    adamw_step(context, {.weights = w.view(),
                         .gradients = g.view(),
                         .m = m.view(),
                         .v = v.view(),
                         .copy = type == DType::kBF16 ? copy.view() : Tensor{},
                         .config = {},
                         .learning_rate = 1e-4,
                         .weight_decay = 0.01});
  });
}

struct Case {
  std::string name;
  Body body;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](std::string name, Body body) { all.push_back({std::move(name), std::move(body)}); };
  struct Product {
    const char* name;
    std::int64_t rows, in, out;
  };
  for (const Product& p : {Product{"qkv", kTokens, kChannels, 3 * kChannels},
                           {"output", kTokens, kChannels, kChannels},
                           {"wide", kTokens, kChannels, kWide},
                           {"narrow", kTokens, kWide, kChannels},
                           {"words", kLabels, kChannels, kWords}})
    for (const auto& [kind, which] :
         {std::pair{"forward", 'f'}, {"backward_input", 'i'}, {"backward_weight", 'w'}})
      add(fmt::format("linear_{}/{}", kind, p.name),
          [p, which = which](auto& state, auto& machine, DType type) {
            linear(state, machine, type, p.rows, p.in, p.out, which);
          });
  for (const bool backward : {false, true}) {
    const char* pass = backward ? "backward" : "forward";
    for (const auto& [batch, length] : {std::pair{4, 512}, {1, 4096}, {1, 16384}})
      add(fmt::format("attention_{}/nystrom/{}x{}", pass, batch, length),
          [backward, batch = batch, length = length](auto& state, auto& machine, DType type) {
            nystrom_attention(state, machine, type, batch, length, backward);
          });
    add(fmt::format("attention_{}/softmax/4x512", pass), [backward](auto& state, auto& machine, DType type) {
      softmax_attention(state, machine, type, 4, 512, backward);
    });
    add(fmt::format("gelu_{}", pass),
        [backward](auto& state, auto& machine, DType type) { gelu(state, machine, type, backward); });
    add(fmt::format("layer_norm_{}", pass),
        [backward](auto& state, auto& machine, DType type) { layer_norm(state, machine, type, backward); });
  }
  add("cross_entropy", words);
  add("adamw_step", adamw);
  return all;
}

int threads_of(int& argc, char** argv) {
  int threads = omp_get_max_threads();
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--threads=")) continue;
    threads = std::atoi(argument.substr(10).data());
    std::copy(argv + i + 1, argv + argc, argv + i);
    --argc;
    break;
  }
  return threads;
}

}  // namespace
}  // namespace nystrom

int main(int argc, char** argv) {
  using namespace nystrom;
  static Machine machine{Context(threads_of(argc, argv)), {}};
  const bool bf16 = bf16_is_native();
  machine.ceiling = measure_machine(machine.context, bf16);
  fmt::print("{} threads; ceilings: {:.0f} GFLOP/s fp32, {:.0f} bf16, copy {:.1f} GB/s\n",
             machine.context.threads(), machine.ceiling.fp32_flops / 1e9, machine.ceiling.bf16_flops / 1e9,
             machine.ceiling.copy_bytes / 1e9);
  for (const Case& one : cases())
    for (const DType type : {DType::kF32, DType::kBF16}) {
      if (type == DType::kBF16 && !bf16) continue;
      benchmark::RegisterBenchmark(fmt::format("{}/{}", one.name, name_of(type)).c_str(),
                                   [one, type](benchmark::State& state) { one.body(state, machine, type); })
          ->Unit(benchmark::kMicrosecond)
          ->UseRealTime();
    }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
