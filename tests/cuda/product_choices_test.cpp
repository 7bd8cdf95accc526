// Algorithms of matrix products chosen by timing, through the stand-in, whose three algorithms are as slow as
// the test wants.

#include "kernels/tensor/cuda/product_choices.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "emulation.h"
#include "kernels/tensor/cuda/blaslt.h"
#include "on_device.h"
#include "temporary_folder.h"

namespace nystrom::testing {
namespace {

namespace fs = std::filesystem;
using cuda::BlasLt;
using cuda::ProductChoices;

// d [4, n] (+)= a [4, 2] b [2, n], in fp32.
BlasLt::Product small_product(std::int64_t n, const void* a, const void* b, void* d, bool accumulate) {
  return {.m = 4,
          .n = n,
          .k = 2,
          .a = a,
          .b = b,
          .d = d,
          .a_stride = 4,
          .b_stride = 2,
          .d_stride = 4,
          .transpose_a = false,
          .transpose_b = false,
          .input = DType::kF32,
          .output = DType::kF32,
          .accumulate = accumulate};
}

class Products : public ::testing::Test {
 protected:
  Products() {
    ::setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1);
    emulation::product_delays() = {0.02, 0.0, 0.01};
  }
  ~Products() override {
    emulation::product_delays() = {};
    ::unsetenv("XDG_CACHE_HOME");
  }

  /// d [4, tokens] = (d +) the sum over 2 of ones.
  void multiply(BlasLt& blas, std::int64_t tokens, bool accumulate = false) {
    const std::vector<float> ones(static_cast<std::size_t>(8 * tokens), 1.0F);
    const DeviceTensor a = device_.copy(std::vector<float>(8, 1.0F)), b = device_.copy(ones),
                       d = device_.copy(ones);
    emulation::products_by_algorithm() = {};
    const BlasLt::Product product =
        small_product(tokens, a.view().address, b.view().address, d.view().address, accumulate);
    blas.run(device_.cuda().stream(), product, device_.cuda().workspace(BlasLt::kWorkspaceBytes));
    const OwnedTensor result = device_.fetch(d);
    for (std::int64_t i = 0; i < 4 * tokens; ++i)
      ASSERT_EQ(result.view().data<float>()[i], accumulate ? 3 : 2) << "element " << i;
  }
  using Counts = std::array<std::int64_t, 3>;

  TemporaryFolder folder_;
  OnDevice device_;
};

TEST_F(Products, the_fastest_algorithm_is_measured_once_and_kept_for_later_processes) {
  BlasLt first("a GPU", /*timing=*/true);
  multiply(first, 64);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{3, 4, 3}))
      << "each timed three times, the second taken";
  multiply(first, 64);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{0, 1, 0}));
  BlasLt later("a GPU", /*timing=*/false);
  multiply(later, 64);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{0, 1, 0})) << "read from the file";
}

TEST_F(Products, token_counts_within_an_eighth_share_a_choice) {
  BlasLt blas("a GPU", true);
  multiply(blas, 64);
  multiply(blas, 71);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{0, 1, 0}));
  multiply(blas, 72);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{3, 4, 3}));
}

TEST_F(Products, what_is_added_to_is_added_to_once_while_algorithms_are_timed) {
  BlasLt blas("a GPU", true);
  multiply(blas, 64, /*accumulate=*/true);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{3, 4, 3}));
}

TEST_F(Products, without_timing_nothing_is_measured_and_nothing_is_written) {
  BlasLt blas("a GPU", false);
  multiply(blas, 64);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{1, 0, 0}));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(Products, the_choices_of_another_gpu_or_a_corrupt_file_are_not_used) {
  BlasLt first("a GPU", true);
  multiply(first, 64);
  const std::string path = ProductChoices::path_for("a GPU", first.version());
  ASSERT_TRUE(fs::exists(path));
  BlasLt other("another GPU", false);
  multiply(other, 64);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{1, 0, 0}));

  std::string text((std::istreambuf_iterator<char>(std::ifstream(path).rdbuf())), {});
  for (const auto& damaged : {std::string(), text.substr(0, text.size() - 30), "x" + text,
                              text.substr(0, text.find(" = ")) + " = 1 2 3 4 5 6 7 8\n"}) {
    std::ofstream(path) << damaged;
    BlasLt blas("a GPU", false);
    multiply(blas, 64);
    EXPECT_EQ(emulation::products_by_algorithm(), (Counts{1, 0, 0})) << damaged;
  }
}

TEST_F(Products, choices_of_several_processes_meet_in_one_file) {
  const std::string path = ProductChoices::path_for("a GPU", "1.2.3");
  ProductChoices one(path, "a GPU", "1.2.3"), two(path, "a GPU", "1.2.3");
  one.add("this", {1});
  two.add("that", {2, 3});
  const ProductChoices both(path, "a GPU", "1.2.3");
  EXPECT_EQ(both.size(), 2U);
  EXPECT_EQ(both.find("this"), (ProductChoices::Algorithm{1}));
  EXPECT_EQ(both.find("that"), (ProductChoices::Algorithm{2, 3}));
  EXPECT_FALSE(both.find("other").has_value());
}

TEST_F(Products, nothing_is_timed_while_a_graph_is_recorded) {
  const DeviceTensor memory = device_.copy(std::vector<float>(64, 1.0F));
  auto* const some = memory.view().data<float>();
  const BlasLt::Product product = small_product(2, some, some, some + 32, false);
  BlasLt blas("a GPU", /*timing=*/true);
  const cuda::Stream& stream = device_.cuda().stream();
  void* const workspace = device_.cuda().workspace(BlasLt::kWorkspaceBytes);
  emulation::products_by_algorithm() = {};
  cuda::check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "begin");
  blas.run(stream, product, workspace);
  cudaGraph_t graph = nullptr;
  cuda::check(cudaStreamEndCapture(stream, &graph), "end");
  cuda::check(cudaGraphDestroy(graph), "throw away");
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{1, 0, 0}));
  blas.run(stream, product, workspace);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{4, 4, 3})) << "now it is";
}

TEST_F(Products, a_kind_that_the_library_cannot_do_is_kept_as_such) {
  const DeviceTensor memory = device_.fresh(DType::kF32, {64});
  void* const some = memory.view().address;
  BlasLt::Product product = small_product(2, some, some, some, false);
  product.epilogue = BlasLt::Epilogue::kBias;
  product.vector = some;
  ::setenv("NYSTROM_EMULATION_EPILOGUES", "none", 1);
  EXPECT_FALSE(BlasLt("a GPU", /*timing=*/false).knows(product));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
  EXPECT_FALSE(BlasLt("a GPU", /*timing=*/true).knows(product));
  ::unsetenv("NYSTROM_EMULATION_EPILOGUES");
  EXPECT_FALSE(BlasLt("a GPU", false).knows(product)) << "read from the file";
  EXPECT_TRUE(BlasLt("another GPU", false).knows(product));
  product.m = 2;
  EXPECT_TRUE(BlasLt("a GPU", false).knows(product)) << "another kind";
  product.epilogue = BlasLt::Epilogue::kNone;
  product.vector = nullptr;
  EXPECT_TRUE(BlasLt("a GPU", false).knows(product));
}

TEST_F(Products, a_folder_that_cannot_be_written_is_done_without) {
  std::ofstream(folder_ / "nystrom") << "a file where the folder would be";
  BlasLt blas("a GPU", true);
  multiply(blas, 64);
  multiply(blas, 64);
  EXPECT_EQ(emulation::products_by_algorithm(), (Counts{0, 1, 0}));
}

}  // namespace
}  // namespace nystrom::testing
