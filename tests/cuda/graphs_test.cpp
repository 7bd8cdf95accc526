// Ops recorded as graphs: they compute what they compute without, whatever changes from one time to the next.

#include "kernels/tensor/graphs.h"

#include <cstdlib>
#include <functional>

#include "emulation.h"
#include "kernels/gelu.h"
#include "kernels/linear.h"
#include "kernels/tensor/kernel_times.h"
#include "on_device.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

class Graphs : public ::testing::Test {
 protected:
  ~Graphs() override { (void)cudaGetLastError(); }

  /// y = gelu(x w^T) of `rows` rows; counts what became of its graph.
  void expect_product(std::int64_t rows, std::int64_t made, std::int64_t updated) {
    const emulation::Statistics before = emulation::statistics();
    const OwnedTensor host_x = normal(DType::kF32, {rows, 8}, static_cast<std::uint64_t>(rows));
    const DeviceTensor x = device_.copy(host_x), y = device_.fresh(DType::kF32, {rows, 16});
    {
      RecordedOps ops(graphs_.get(), 0);
      linear_forward(device_.context(), x, w_, {}, y);
      gelu_forward(device_.context(), Activation::kGelu, y, y);
      ops.finish();
    }
    Context host(1);
    OwnedTensor expected(DType::kF32, {rows, 16});
    linear_forward(host, host_x, host_w_, {}, expected);
    gelu_forward(host, Activation::kGelu, expected, expected);
    EXPECT_LT(distance(device_.fetch(y), expected), 3e-6) << rows;
    EXPECT_EQ(emulation::statistics().graphs_made - before.graphs_made, made) << rows;
    EXPECT_EQ(emulation::statistics().graphs_updated - before.graphs_updated, updated) << rows;
  }

  /// gelu(gelu(... x)), `count` times.
  void expect_gelus(int count, std::int64_t made, std::int64_t updated) {
    const emulation::Statistics before = emulation::statistics();
    const OwnedTensor host_x = normal(DType::kF32, {4, 8}, 2);
    const DeviceTensor x = device_.copy(host_x);
    {
      RecordedOps ops(graphs_.get(), 0);
      for (int i = 0; i < count; ++i) gelu_forward(device_.context(), Activation::kGelu, x, x);
      ops.finish();
    }
    Context host(1);
    for (int i = 0; i < count; ++i) gelu_forward(host, Activation::kGelu, host_x, host_x);
    EXPECT_LT(distance(device_.fetch(x), host_x), 1e-5) << count;
    EXPECT_EQ(emulation::statistics().graphs_made - before.graphs_made, made) << count;
    EXPECT_EQ(emulation::statistics().graphs_updated - before.graphs_updated, updated) << count;
  }

  OnDevice device_;
  OwnedTensor host_w_ = normal(DType::kF32, {16, 8}, 1);
  DeviceTensor w_ = device_.copy(host_w_);
  std::unique_ptr<OpGraphs> graphs_ = make_op_graphs(device_.context());
};

TEST_F(Graphs, are_made_the_second_time_and_updated_to_other_sizes_and_addresses) {
  expect_product(10, 0, 0);
  expect_product(10, 1, 0);
  expect_product(10, 0, 1);
  expect_product(33, 0, 1);
  expect_product(1, 0, 1);
}

TEST_F(Graphs, are_kept_for_several_numbers_of_ops_in_turn) {
  expect_product(10, 0, 0);
  expect_product(10, 1, 0);
  expect_gelus(1, 1, 0);
  for (int time = 0; time < 3; ++time) {
    expect_product(10 + time, 0, 1);
    expect_gelus(1, 0, 1);
  }
}

TEST_F(Graphs, are_instantiated_again_for_as_many_other_ops) {
  expect_product(10, 0, 0);
  expect_product(10, 1, 0);
  expect_gelus(2, 1, 0);
  expect_product(10, 1, 0);
  expect_product(10, 0, 1);
}

TEST_F(Graphs, that_have_not_been_used_for_longest_are_given_up) {
  expect_gelus(1, 0, 0);
  for (const int count : {1, 2, 3, 4}) expect_gelus(count, 1, 0);
  expect_gelus(1, 0, 1);
  expect_gelus(5, 1, 0);  // instead of that of 2
  for (const int count : {3, 4, 1, 5}) expect_gelus(count, 0, 1);
  expect_gelus(2, 1, 0);
}

TEST_F(Graphs, are_interrupted_by_what_is_not_recorded) {
  const DeviceTensor x = device_.copy(normal(DType::kF32, {1, 8}, 3));
  const std::int64_t made = emulation::statistics().graphs_made;
  for (int time = 0; time < 3; ++time) {
    RecordedOps ops(graphs_.get(), 0);
    gelu_forward(device_.context(), Activation::kGelu, x, x);
    ops.interrupt([&] { device_.context().synchronize(); });
    gelu_forward(device_.context(), Activation::kGelu, x, x);
    ops.finish();
  }
  EXPECT_EQ(emulation::statistics().graphs_made - made, 2) << "a slot a piece";
  Context host(1);
  const OwnedTensor expected = normal(DType::kF32, {1, 8}, 3);
  for (int time = 0; time < 6; ++time) gelu_forward(host, Activation::kGelu, expected, expected);
  EXPECT_LT(distance(device_.fetch(x), expected), 1e-5);
}

TEST_F(Graphs, are_thrown_away_where_an_op_fails_and_the_next_are_good) {
  expect_product(10, 0, 0);
  const DeviceTensor x = device_.copy(normal(DType::kF32, {4, 8}, 2));
  const auto fail_midway = [&] {
    const RecordedOps ops(graphs_.get(), 0);
    gelu_forward(device_.context(), Activation::kGelu, x, x);
    device_.context().synchronize();  // which no recording permits
  };
  EXPECT_THROW(fail_midway(), DeviceError);
  expect_product(10, 1, 0);
}

TEST_F(Graphs, are_instantiated_again_if_a_driver_refuses_an_update_with_any_error) {
  expect_product(10, 0, 0);
  expect_product(10, 1, 0);
  ::setenv("NYSTROM_EMULATION_UPDATES", "1", 1);
  for (int error = 0; error < 3; ++error) expect_product(10 + error, 1, 0);
  ::unsetenv("NYSTROM_EMULATION_UPDATES");
  expect_product(10, 0, 1);
}

TEST_F(Graphs, leave_ops_alone_while_their_kernels_are_timed) {
  expect_product(10, 0, 0);
  {
    const KernelTiming timing(device_.context());
    expect_product(10, 0, 0);
    const KernelTimes times = timing.read();
    EXPECT_EQ(times.at("gelu_forward").calls, 1);
    EXPECT_EQ(times.at("product fp32>fp32 16x10x8 tn").calls, 1);
  }
  expect_product(10, 1, 0);
}

TEST_F(Graphs, leave_ops_alone_while_they_are_profiled) {
  expect_product(10, 0, 0);
  Profile profile;
  device_.context().set_profile(&profile);
  expect_product(10, 0, 0);
  device_.context().set_profile(nullptr);
  EXPECT_EQ(profile.at("gelu_forward").calls, 1);
  expect_product(10, 1, 0);
}

TEST_F(Graphs, do_not_exist_on_the_cpu) {
  EXPECT_EQ(make_op_graphs(Context(1)), nullptr);
}

}  // namespace
}  // namespace nystrom::testing
