// Matrix products by cuBLASLt against the host's.

#include "kernels/linear.h"
#include "kernels/matmul.h"
#include "twins.h"

namespace nystrom::testing {
namespace {

struct Size {
  std::int64_t rows, in, out, shift;
};
void PrintTo(const Size& s, std::ostream* to) {
  *to << s.rows << "x" << s.in << "->" << s.out << "+" << s.shift;
}

class LinearOnDevice : public ::testing::TestWithParam<Size> {
 protected:
  const Size& s_ = GetParam();
};

TEST_P(LinearOnDevice, forward_and_backward_are_the_hosts) {
  for (const DType type : kDeviceTypes) {
    Twins t(s_.shift);
    t.input("x", normal(type, {s_.rows, s_.in}, 1));
    t.input("w", normal(type, {s_.out, s_.in}, 2));
    t.input("bias", normal(DType::kF32, {s_.out}, 3, 0.3));
    t.input("d_y", normal(type, {s_.rows, s_.out}, 4));
    t.output("y", type, {s_.rows, s_.out});
    t.output("y_plain", type, {s_.rows, s_.out});
    t.output("y_wide", DType::kF32, {s_.rows, s_.out});
    t.output("d_x", type, {s_.rows, s_.in});
    t.updated("d_x_added", normal(type, {s_.rows, s_.in}, 5));
    t.updated("d_w", normal(DType::kF32, {s_.out, s_.in}, 6));
    // In bf16 the device adds the bias rounded to bf16, which the host's product does not.
    const double near = type == DType::kBF16 ? 3e-3 : 3e-6;
    t.expect_alike(near, [](Context& context, const Tensors& x) {
      linear_forward(context, x["x"], x["w"], x["bias"], x["y"]);
      linear_forward(context, x["x"], x["w"], {}, x["y_plain"]);
      linear_forward(context, x["x"], x["w"], x["bias"], x["y_wide"]);
      linear_backward_input(context, x["d_y"], x["w"], x["d_x"]);
      linear_backward_input(context, x["d_y"], x["w"], x["d_x_added"], /*accumulate=*/true);
      linear_backward_weight(context, x["d_y"], x["x"], x["d_w"]);
    });
    EXPECT_LT(distance(t.there("y_wide"), t.here("y_wide")), 3e-6);
    EXPECT_LT(distance(t.there("d_w"), t.here("d_w")), 3e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LinearOnDevice,
                         ::testing::Values(Size{1, 8, 8, 0}, Size{1, 1, 1, 0}, Size{7, 33, 2, 0},
                                           Size{65, 64, 192, 0}, Size{13, 96, 40, 1}, Size{130, 31, 57, 0},
                                           Size{3, 17, 1030, 0}));

TEST(LinearOnDeviceRows, none_leave_the_gradient_as_it_is) {
  OnDevice device;
  const DeviceTensor w = device.fresh(DType::kF32, {4, 8}), d_w = device.copy(normal(DType::kF32, {4, 8}, 1));
  const Tensor x(nullptr, DType::kF32, {0, 8}), y(nullptr, DType::kF32, {0, 4});
  linear_forward(device.context(), x, w, {}, y);
  linear_backward_input(device.context(), y, w, x);
  linear_backward_weight(device.context(), y, x, d_w);
  EXPECT_TRUE(same_bits(device.fetch(d_w), normal(DType::kF32, {4, 8}, 1)));
}

/// The matrix with its rows `width` elements apart, and no numbers between them; or the columns of one.
OwnedTensor with_width(const Tensor& x, std::int64_t width) {
  OwnedTensor wide(x.dtype, {x.dim(0), width});
  std::memset(wide.view().address, 0xff, wide.view().bytes());
  const std::size_t size = size_of(x.dtype), from = static_cast<std::size_t>(x.dim(1)) * size,
                    to = static_cast<std::size_t>(width) * size;
  for (std::size_t row = 0; row < static_cast<std::size_t>(x.dim(0)); ++row)
    std::memcpy(static_cast<std::byte*>(wide.view().address) + row * to,
                static_cast<const std::byte*>(x.address) + row * from, std::min(from, to));
  return wide;
}

TEST(LinearOnDevicePadding, of_rows_changes_no_result) {
  constexpr std::int64_t kRows = 21, kIn = 24, kOut = 37, kWide = 64;
  for (const DType type : kDeviceTypes) {
    OnDevice device;
    Context& context = device.context();
    const DeviceTensor x = device.copy(normal(type, {kRows, kIn}, 1)),
                       w = device.copy(normal(type, {kOut, kIn}, 2)),
                       bias = device.copy(normal(DType::kF32, {kOut}, 3));
    const OwnedTensor d_y = normal(type, {kRows, kOut}, 4);
    std::vector<OwnedTensor> results[2];
    for (const std::int64_t width : {kOut, kWide}) {
      const DeviceTensor y = device.fresh(DType::kF32, {kRows, width}),
                         d_x = device.fresh(type, {kRows, kIn}),
                         d_w = device.copy(normal(DType::kF32, {kOut, kIn}, 5)),
                         d_bias = device.copy(normal(DType::kF32, {kOut}, 6)),
                         sums = device.copy(normal(DType::kF32, {kOut}, 7)),
                         d = device.copy(with_width(d_y, width));
      linear_forward(context, x, w, bias, y);
      linear_backward_input(context, d, w, d_x);
      linear_backward_weight(context, d, x, d_w, d_bias);
      column_sums(context, d, sums);
      auto& kept = results[width == kOut ? 0 : 1];
      kept.push_back(with_width(device.fetch(y), kOut));
      for (const DeviceTensor* result : {&d_x, &d_w, &d_bias, &sums}) kept.push_back(device.fetch(*result));
    }
    for (std::size_t i = 0; i < results[0].size(); ++i)
      EXPECT_LT(distance(results[1][i], results[0][i]), 1e-6) << "result " << i << " in " << name_of(type);
  }
}

TEST(LinearOnDeviceLibrary, says_its_version) {
  OnDevice device;
  EXPECT_NE(device.cuda().blas().version(), "0.0.0");
}

TEST(LinearOnDeviceLibrary, a_product_over_nothing_is_a_broken_precondition) {
  OnDevice device;
  EXPECT_THROW(device.cuda().blas().run(device.cuda().stream(), {}, nullptr), InternalError);
}

}  // namespace
}  // namespace nystrom::testing
