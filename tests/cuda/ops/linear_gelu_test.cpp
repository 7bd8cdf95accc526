// A linear layer with GELU, and a weight gradient with the bias gradient, in one product and in several.

#include "kernels/linear_gelu.h"

#include <cstdlib>

#include "kernels/linear.h"
#include "kernels/rows.h"
#include "temporary_folder.h"
#include "twins.h"

namespace nystrom::testing {
namespace {

struct Case {
  DType type;
  Activation kind;
  std::int64_t rows, in, out, next, shift;
};
void PrintTo(const Case& c, std::ostream* to) {
  *to << name_of(c.type) << (c.kind == Activation::kGelu ? " gelu " : " gelu_new ") << c.rows << "x" << c.in
      << "->" << c.out << "->" << c.next << "+" << c.shift;
}

void forward_and_backward(Context& context, const Tensors& t, Activation kind) {
  linear_gelu_forward(
      context, {.kind = kind, .x = t["x"], .w = t["w"], .bias = t["bias"], .pre = t["pre"], .y = t["y"]});
  linear_gelu_backward(context, {.kind = kind,
                                 .d_next = t["d_next"],
                                 .w_next = t["w_next"],
                                 .pre = t["pre"],
                                 .x = t["x"],
                                 .d_pre = t["d_pre"],
                                 .d_w = t["d_w"],
                                 .d_bias = t["d_bias"]});
}

/// Inputs and results of both ops.
Twins tensors_of(const Case& c) {
  Twins t(c.shift);
  t.input("x", normal(c.type, {c.rows, c.in}, 1));
  t.input("w", normal(c.type, {c.out, c.in}, 2, 0.3));
  t.input("bias", normal(DType::kF32, {c.out}, 3, 0.3));
  t.input("d_next", normal(c.type, {c.rows, c.next}, 4));
  t.input("w_next", normal(c.type, {c.next, c.out}, 5, 0.3));
  t.output("pre", c.type, {c.rows, c.out});
  t.output("y", c.type, {c.rows, c.out});
  t.output("d_pre", c.type, {c.rows, c.out});
  t.updated("d_w", normal(DType::kF32, {c.out, c.in}, 6));
  t.updated("d_bias", normal(DType::kF32, {c.out}, 7));
  return t;
}

class LinearGeluOnDevice : public ::testing::TestWithParam<Case> {};

TEST_P(LinearGeluOnDevice, is_the_hosts) {
  const Case& c = GetParam();
  Twins t = tensors_of(c);
  // In bf16 one way rounds where the other does not, and the host's product does not round the bias.
  t.expect_alike(c.type == DType::kBF16 ? 5e-3 : 5e-6,
                 [&](Context& context, const Tensors& x) { forward_and_backward(context, x, c.kind); });
}

constexpr Activation kNew = Activation::kGeluNew, kExact = Activation::kGelu;
INSTANTIATE_TEST_SUITE_P(Cases, LinearGeluOnDevice,
                         ::testing::Values(Case{DType::kBF16, kNew, 1, 8, 16, 8, 0},
                                           Case{DType::kBF16, kNew, 130, 40, 96, 24, 0},
                                           Case{DType::kBF16, kNew, 65, 33, 1032, 17, 0},
                                           Case{DType::kBF16, kNew, 9, 16, 57, 16, 0},
                                           Case{DType::kBF16, kNew, 13, 24, 32, 8, 1},
                                           Case{DType::kBF16, kExact, 65, 16, 32, 16, 0},
                                           Case{DType::kF32, kNew, 65, 16, 32, 16, 0},
                                           Case{DType::kF32, kExact, 7, 33, 57, 5, 1}));

TEST(LinearGeluOnDeviceLayers, of_one_shape_keep_to_their_own_tensors) {
  const DType type = DType::kBF16;
  Twins t;
  for (const std::string layer : {"1", "2"}) {
    const std::uint64_t seed = layer == "1" ? 10 : 20;
    t.input("x" + layer, normal(type, {9, 8}, seed));
    t.input("w" + layer, normal(type, {16, 8}, seed + 1));
    t.input("bias" + layer, normal(DType::kF32, {16}, seed + 2));
    t.input("d" + layer, normal(type, {9, 8}, seed + 3));
    t.input("w_next" + layer, normal(type, {8, 16}, seed + 4));
    for (const char* name : {"pre", "y", "d_pre"}) t.output(name + layer, type, {9, 16});
    t.updated("d_w" + layer, normal(DType::kF32, {16, 8}, seed + 5));
    t.updated("d_bias" + layer, normal(DType::kF32, {16}, seed + 6));
  }
  t.expect_alike(5e-3, [](Context& context, const Tensors& x) {
    const auto of = [&](const char* name, const char* layer) { return x[std::string(name) + layer]; };
    for (const char* l : {"1", "2"})
      linear_gelu_forward(context, {kNew, of("x", l), of("w", l), of("bias", l), of("pre", l), of("y", l)});
    for (const char* l : {"2", "1"})
      linear_gelu_backward(context, {kNew, of("d", l), of("w_next", l), of("pre", l), of("x", l),
                                     of("d_pre", l), of("d_w", l), of("d_bias", l)});
  });
}

TEST(LinearGeluOnDeviceRows, none_leave_the_gradients_as_they_are) {
  OnDevice device;
  const auto matrix = [&](std::int64_t rows) { return device.copy(normal(DType::kBF16, {rows, 8}, 1)); };
  const DeviceTensor w = matrix(16), w_next = device.copy(normal(DType::kBF16, {4, 16}, 1));
  const DeviceTensor bias = device.copy(normal(DType::kF32, {16}, 1));
  const DeviceTensor d_w = device.copy(normal(DType::kF32, {16, 8}, 2));
  const Tensor x(nullptr, DType::kBF16, {0, 8}), d_next(nullptr, DType::kBF16, {0, 4});
  const Tensor pre(w.view().address, DType::kBF16, {0, 16}), y(d_w.view().address, DType::kBF16, {0, 16});
  linear_gelu_forward(device.context(), {kNew, x, w, bias, pre, y});
  linear_gelu_backward(device.context(), {kNew, d_next, w_next, pre, x, y, d_w, bias});
  EXPECT_TRUE(same_bits(device.fetch(d_w), normal(DType::kF32, {16, 8}, 2)));
  EXPECT_TRUE(same_bits(device.fetch(bias), normal(DType::kF32, {16}, 1)));
}

#ifdef NYSTROM_EMULATION

/// The library of the stand-in that knows these epilogues, for devices made meanwhile.
class WithEpilogues {
 public:
  explicit WithEpilogues(const char* list) { ::setenv("NYSTROM_EMULATION_EPILOGUES", list, 1); }
  ~WithEpilogues() { ::unsetenv("NYSTROM_EMULATION_EPILOGUES"); }
  WithEpilogues(const WithEpilogues&) = delete;
  WithEpilogues& operator=(const WithEpilogues&) = delete;
};

constexpr Case kFused{DType::kBF16, kNew, 33, 16, 24, 8, 0};

/// What both ops launch besides products, and what they compute, with such a library.
struct Run {
  std::map<std::string, std::int64_t> launches;
  Twins::Results results;
};
Run run(const char* epilogues, const Case& c) {
  const WithEpilogues scope(epilogues);
  OnDevice device;
  emulation::launches().clear();
  Twins::Results results = tensors_of(c).run_on(
      device, [&](Context& context, const Tensors& t) { forward_and_backward(context, t, c.kind); });
  return {emulation::launches(), std::move(results)};
}

TEST(LinearGeluInOneProduct, launches_no_gelu_and_no_column_sums) {
  const auto launches = run("bias,gelu,slope,sums", kFused).launches;
  EXPECT_EQ(launches, (std::map<std::string, std::int64_t>{{"convert", 1}, {"add_column_partials", 1}}))
      << "the bias rounded, its gradient added";
}

TEST(LinearGeluInOneProduct, is_not_used_where_the_library_has_no_algorithm) {
  const auto fused = run("bias,gelu,slope,sums", kFused), apart = run("none", kFused);
  EXPECT_EQ(apart.launches.at("gelu_forward"), 1);
  EXPECT_EQ(apart.launches.at("gelu_backward"), 1);
  EXPECT_EQ(apart.launches.at("add_bias"), 1);
  for (const char* name : {"pre", "y", "d_pre", "d_w", "d_bias"})
    EXPECT_LT(distance(fused.results.at(name), apart.results.at(name)), 5e-3) << name;
}

TEST(LinearGeluInOneProduct, is_left_where_separate_steps_were_measured_to_be_faster) {
  const TemporaryFolder cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  const auto measured = [&](const char* slow_ones, const Case& c) {
    ::setenv(slow_ones, "60", 1);
    {
      OnDevice timing(/*time_products=*/true);
      (void)tensors_of(c).run_on(
          timing, [&](Context& context, const Tensors& t) { forward_and_backward(context, t, c.kind); });
    }
    ::unsetenv(slow_ones);
    return run("bias,gelu,slope,sums", c);  // without timing: by what was kept
  };
  const auto slow = measured("NYSTROM_EMULATION_EPILOGUE_MS", kFused), apart = run("none", kFused);
  EXPECT_EQ(slow.launches.at("gelu_forward"), 1);
  EXPECT_EQ(slow.launches.at("gelu_backward"), 1);
  for (const char* name : {"pre", "y", "d_pre", "d_w", "d_bias"})
    EXPECT_LT(distance(slow.results.at(name), apart.results.at(name)), 5e-3) << name;
  Case another = kFused;
  another.rows = 300;
  const auto fast = measured("NYSTROM_EMULATION_PLAIN_MS", another).launches;
  EXPECT_FALSE(fast.contains("gelu_forward"));
  EXPECT_FALSE(fast.contains("gelu_backward"));
  ::unsetenv("XDG_CACHE_HOME");
}

TEST(LinearGeluInOneProduct, is_chosen_for_each_product_separately) {
  const auto forward = run("bias,gelu", kFused).launches;
  EXPECT_FALSE(forward.contains("gelu_forward"));
  EXPECT_TRUE(forward.contains("gelu_backward"));
  const auto backward = run("bias,slope", kFused).launches;
  EXPECT_TRUE(backward.contains("gelu_forward"));
  EXPECT_FALSE(backward.contains("gelu_backward"));
  EXPECT_TRUE(backward.contains("column_sums")) << "the pass over d_pre that gelu_backward would have spared";
}

TEST(LinearGeluInOneProduct, rounds_the_sums_once) {
  const auto fused = run("bias,gelu,slope,sums", kFused), apart = run("bias", kFused);
  EXPECT_TRUE(same_bits(fused.results.at("pre"), apart.results.at("pre")));
  EXPECT_FALSE(same_bits(fused.results.at("y"), apart.results.at("y")));
  // Against GELU of sums that nothing rounded.
  Context context(1);
  const auto wide = [&](const char* name) {
    OwnedTensor out(DType::kF32, fused.results.at(name).view().shape);
    convert(context, fused.results.at(name), out);
    return out;
  };
  const OwnedTensor x = wide("x"), w = wide("w");
  OwnedTensor bias(DType::kBF16, {kFused.out}), bias_again(DType::kF32, {kFused.out});
  convert(context, fused.results.at("bias"), bias);
  convert(context, bias, bias_again);
  OwnedTensor pre(DType::kF32, {kFused.rows, kFused.out}), y(DType::kF32, {kFused.rows, kFused.out});
  linear_gelu_forward(context, {kNew, x, w, bias_again, pre, y});
  EXPECT_LT(distance(fused.results.at("y"), y), 0.8 * distance(apart.results.at("y"), y));
}

TEST(LinearGeluInOneProduct, is_not_for_fp32_the_exact_gelu_or_rows_of_odd_eights) {
  Case exact = kFused, wide = kFused, odd = kFused;
  exact.kind = kExact;
  wide.type = DType::kF32;
  odd.out = 57;
  for (const Case& c : {exact, wide, odd})
    EXPECT_TRUE(run("bias,gelu,slope,sums", c).launches.contains("gelu_forward"))
        << ::testing::PrintToString(c);
}

#endif

}  // namespace
}  // namespace nystrom::testing
