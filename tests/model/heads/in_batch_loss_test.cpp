// The loss of embeddings: sentence-transformers' values and gradients, central differences, and blocks.

#include "model/heads/in_batch_loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "file_bytes.h"
#include "gradient_check.h"
#include "kernels/core/philox.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;
using Numbers = std::vector<double>;

/// A loss with its vectors, in double precision.
struct Comparison {
  Context context{2};
  InBatchLoss loss;
  OwnedTensor vectors, gradient, sums{DType::kF64, {3}};

  Comparison(const InBatchOptions& options, std::int64_t width, const Numbers& values)
      : loss(options, width, DType::kF64, Memory::host()),
        vectors(DType::kF64, {std::ssize(values) / width, width}),
        gradient(DType::kF64, vectors.view().shape) {
    std::ranges::copy(values, vectors.view().data<double>());
  }
  /// The sum over sizes of the mean over rows.
  double compute() {
    const auto totals = sums.view().span<double>();
    std::ranges::fill(totals, 0);
    loss.compute(context, vectors, gradient, sums);
    return totals[0] / totals[2] * static_cast<double>(loss.options().sizes.size());
  }
};

Numbers drawn(std::int64_t count) {
  Random random(3, Purpose::kTest, 0);
  Numbers values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(random.uniform() - 0.5);
  return values;
}

TEST(InBatchLoss, and_its_gradient_are_those_of_sentence_transformers) {
  const Json file = Json::parse(testing::read_bytes("tests/model/heads/in_batch_loss.json"));
  const std::int64_t width = file["width"];
  for (const Json& expected : file["cases"]) {
    const Numbers vectors = expected["vectors"], gradient = expected["gradient"];
    const std::int64_t sequences = std::ssize(vectors) / width, row_sequences = expected["row_sequences"];
    Comparison ours({.row_sequences = row_sequences,
                     .temperature = expected["temperature"],
                     .sizes = expected["sizes"],
                     .max_rows = sequences / row_sequences + 1},
                    width, vectors);
    const double loss = expected["loss"];
    EXPECT_NEAR(ours.compute(), loss, 1e-12 * loss);
    for (std::size_t i = 0; i < gradient.size(); ++i)
      EXPECT_NEAR(ours.gradient.view().span<double>()[i], gradient[i], 1e-12) << i;
  }
}

TEST(InBatchLoss, has_the_gradient_that_central_differences_give) {
  for (const std::int64_t row_sequences : {2, 3}) {
    Comparison ours({.row_sequences = row_sequences, .temperature = 0.3, .sizes = {5, 2}, .max_rows = 4}, 5,
                    drawn(4 * row_sequences * 5));
    (void)ours.compute();
    const OwnedTensor gradient(DType::kF64, ours.gradient.view().shape);
    std::ranges::copy(ours.gradient.view().span<double>(), gradient.view().data<double>());
    testing::expect_gradient("vectors", ours.vectors, gradient, [&] { return ours.compute(); });
  }
}

// Written out, as the definition has it.
double plain_loss(const Numbers& vectors, std::int64_t width, double temperature) {
  const std::int64_t rows = std::ssize(vectors) / width / 2;
  const auto cosine = [&](std::int64_t a, std::int64_t b) {
    double product = 0, aa = 0, bb = 0;
    for (std::int64_t c = 0; c < width; ++c) {
      const double x = vectors[static_cast<std::size_t>(a * width + c)],
                   y = vectors[static_cast<std::size_t>(b * width + c)];
      product += x * y;
      aa += x * x;
      bb += y * y;
    }
    return product / std::sqrt(aa * bb);
  };
  double sum = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    double all = 0;
    for (std::int64_t j = 0; j < rows; ++j) all += std::exp(cosine(2 * i, 2 * j + 1) / temperature);
    sum += std::log(all) - cosine(2 * i, 2 * i + 1) / temperature;
  }
  return sum / static_cast<double>(rows);
}

/// The host's, which counts what is asked for.
class CountingMemory final : public Memory {
 public:
  std::byte* allocate(std::size_t bytes, Contents contents) override {
    bytes_ += bytes;
    return host().allocate(bytes, contents);
  }
  void release(std::byte* address) noexcept override { host().release(address); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

TEST(InBatchLoss, allocates_what_it_plans) {
  for (const std::int64_t rows : {1, 7, 1500})
    for (const std::int64_t row_sequences : {2, 3}) {
      const InBatchOptions options{.row_sequences = row_sequences, .max_rows = rows};
      CountingMemory memory;
      const InBatchLoss loss(options, 24, DType::kF32, memory);
      EXPECT_EQ(memory.bytes(), InBatchLoss::planned_bytes(options, 24, DType::kF32))
          << rows << row_sequences;
    }
}

TEST(InBatchLoss, is_the_same_in_blocks) {
  constexpr std::int64_t kRows = 1030, kWidth = 3;  // a block has 1024
  const Numbers vectors = drawn(kRows * 2 * kWidth);
  Comparison ours({.temperature = 0.5, .max_rows = kRows}, kWidth, vectors);
  const double expected = plain_loss(vectors, kWidth, 0.5);
  EXPECT_NEAR(ours.compute(), expected, 1e-12 * expected);
}

TEST(InBatchLoss, of_a_vector_of_zeros_has_no_gradient_for_it) {
  Comparison ours({.max_rows = 2}, 2, {0, 0, 1, 2, 3, 1, 2, 2});
  EXPECT_TRUE(std::isfinite(ours.compute()));
  const auto gradient = ours.gradient.view().span<double>();
  EXPECT_EQ(gradient[0], 0);
  EXPECT_EQ(gradient[1], 0);
  for (const double g : gradient) EXPECT_TRUE(std::isfinite(g));
}

}  // namespace
}  // namespace nystrom
