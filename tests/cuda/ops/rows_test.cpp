// Element by element, row by row: the CUDA twins of gelu, relu, rows and column sums.

#include <gmock/gmock.h>

#include "kernels/gelu.h"
#include "kernels/linear.h"
#include "kernels/relu.h"
#include "kernels/rows.h"
#include "twins.h"

namespace nystrom::testing {
namespace {

struct Size {
  std::int64_t rows, columns, shift;  // shift: elements by which memory is off its boundary
};
void PrintTo(const Size& s, std::ostream* to) {
  *to << s.rows << "x" << s.columns << "+" << s.shift;
}

class RowsOnDevice : public ::testing::TestWithParam<Size> {
 protected:
  [[nodiscard]] Shape shape() const { return {GetParam().rows, GetParam().columns}; }
  [[nodiscard]] Twins twins() const { return Twins(GetParam().shift); }
};

TEST_P(RowsOnDevice, gelu_is_the_hosts) {
  for (const DType type : kDeviceTypes)
    for (const Activation kind : {Activation::kGelu, Activation::kGeluNew}) {
      Twins t = twins();
      t.input("x", normal(type, shape(), 1, 3));
      t.input("d_y", normal(type, shape(), 2));
      t.output("y", type, shape());
      t.output("d_x", type, shape());
      t.output("d_x_alone", type, shape());
      t.updated("d_bias", normal(DType::kF32, {shape()[1]}, 3));
      t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
        gelu_forward(context, kind, x["x"], x["y"]);
        gelu_backward(context, kind, x["x"], x["d_y"], x["d_x"], x["d_bias"]);
        gelu_backward(context, kind, x["x"], x["d_y"], x["d_x_alone"], {});
      });
    }
}

TEST_P(RowsOnDevice, gelu_works_in_place) {
  Twins t = twins();
  t.input("x", normal(DType::kBF16, shape(), 1));
  t.updated("d", normal(DType::kBF16, shape(), 2));
  t.updated("d_bias", normal(DType::kF32, {shape()[1]}, 3));
  t.expect_alike(twin_tolerance(DType::kBF16), [&](Context& context, const Tensors& x) {
    gelu_backward(context, Activation::kGeluNew, x["x"], x["d"], x["d"], x["d_bias"]);
  });
}

TEST_P(RowsOnDevice, relu_and_tanh_are_the_hosts) {
  for (const DType type : kDeviceTypes) {
    Twins t = twins();
    t.input("x", normal(type, shape(), 1));
    t.input("d_y", normal(type, shape(), 2));
    for (const char* name : {"relu", "d_relu", "tanh", "d_tanh"}) t.output(name, type, shape());
    t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
      relu_forward(context, x["x"], x["relu"]);
      relu_backward(context, x["relu"], x["d_y"], x["d_relu"]);
      tanh_forward(context, x["x"], x["tanh"]);
      tanh_backward(context, x["tanh"], x["d_y"], x["d_tanh"]);
    });
  }
}

TEST_P(RowsOnDevice, conversions_have_the_hosts_bits) {
  Twins t = twins();
  t.input("wide", normal(DType::kF32, shape(), 1, 0.001));
  t.input("third", [&] {  // numbers that bf16 does not hold
    OwnedTensor x(DType::kF32, shape());
    for (std::int64_t i = 0; i < x.view().numel(); ++i) set(x, i, 1.0 / static_cast<double>(i + 3));
    return x;
  }());
  t.output("narrow", DType::kBF16, shape());
  t.output("wide_again", DType::kF32, shape());
  t.output("same", DType::kF32, shape());
  t.expect_alike(1e-9, [&](Context& context, const Tensors& x) {
    convert(context, x["third"], x["narrow"]);
    convert(context, x["narrow"], x["wide_again"]);
    convert(context, x["wide"], x["same"]);
  });
  EXPECT_TRUE(same_bits(t.there("narrow"), t.here("narrow")));
}

TEST_P(RowsOnDevice, dropout_keeps_what_the_host_keeps) {
  for (const DType type : kDeviceTypes)
    for (const double probability : {0.0, 0.3}) {
      const Dropout dropout{.probability = probability, .seed = 77, .site = 3};
      Twins t = twins();
      add_keys(t, shape()[0]);
      t.input("x", normal(type, shape(), 1));
      t.output("y", type, shape());
      t.expect_alike(1e-9, [&](Context& context, const Tensors& x) {
        dropout_rows(context, dropout, keys_of(x), x["x"], x["y"]);
      });
      EXPECT_TRUE(same_bits(t.there("y"), t.here("y"))) << name_of(type) << " " << probability;
    }
}

TEST_P(RowsOnDevice, gathered_rows_are_scattered_back) {
  const std::int64_t rows = shape()[0], picked = (rows + 1) / 2;
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(picked));
  for (std::size_t p = 0; p < numbers.size(); ++p)
    numbers[p] = static_cast<std::int32_t>(rows - 1 - 2 * static_cast<std::int64_t>(p));
  for (const DType type : kDeviceTypes) {
    Twins t = twins();
    t.input("x", normal(type, shape(), 1));
    t.integers("rows", numbers);
    t.output("y", type, {picked, shape()[1]});
    t.updated("d_x", normal(type, shape(), 2));
    t.updated("z", normal(type, shape(), 3));
    t.expect_alike(1e-9, [&](Context& context, const Tensors& x) {
      gather_rows(context, x["x"], x["rows"], x["y"]);
      scatter_rows(context, x["y"], x["rows"], x["z"]);
      scatter_add_rows(context, x["y"], x["rows"], x["d_x"]);
    });
  }
}

TEST_P(RowsOnDevice, column_sums_are_the_hosts) {
  for (const DType type : kDeviceTypes) {
    Twins t = twins();
    t.input("d_y", normal(type, shape(), 1));
    t.updated("d_bias", normal(DType::kF32, {shape()[1]}, 3));
    t.expect_alike(3e-6,
                   [&](Context& context, const Tensors& x) { column_sums(context, x["d_y"], x["d_bias"]); });
  }
}

TEST_P(RowsOnDevice, the_squared_norm_is_the_hosts) {
  Twins t = twins();
  t.input("x", normal(DType::kF32, shape(), 1));
  double here = 0, there = 0;
  t.expect_alike(1, [&](Context& context, const Tensors& x) {
    const double norm = squared_norm(context, x["x"]);
    (context.cuda() == nullptr ? here : there) = norm;
  });
  EXPECT_NEAR(there, here, 1e-12 * here);
}

INSTANTIATE_TEST_SUITE_P(Sizes, RowsOnDevice,
                         ::testing::Values(Size{1, 1, 0}, Size{1, 8, 0}, Size{5, 7, 0}, Size{3, 2, 1},
                                           Size{33, 64, 0}, Size{9, 64, 1}, Size{130, 300, 0},
                                           Size{17, 1032, 0}, Size{70, 261, 3}));

TEST(RowsOnDeviceRows, zero_rows_are_accepted) {
  OnDevice device;
  Context& context = device.context();
  const Tensor none = Tensor(nullptr, DType::kF32, {0, 8});
  const DeviceTensor sums = device.copy(std::vector<float>(8, 2.0F)), rows = device.fresh(DType::kI32, {1});
  gelu_forward(context, Activation::kGelu, none, none);
  gelu_backward(context, Activation::kGelu, none, none, none, sums);
  column_sums(context, none, sums);
  tanh_forward(context, none, none);
  gather_rows(context, none, rows.view().first(0), none);
  EXPECT_EQ(value(device.fetch(sums), 7), 2);
}

TEST(RowsOnDeviceTypes, fp64_is_refused_with_a_sentence) {
  OnDevice device;
  const DeviceTensor x = device.fresh(DType::kF64, {4, 4});
  try {
    tanh_forward(device.context(), x, x);
    FAIL() << "fp64 ran on the device";
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("fp64 on a GPU"));
  }
}

}  // namespace
}  // namespace nystrom::testing
