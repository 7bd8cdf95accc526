// Attention on the device against its definition in double precision and against the CPU's.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "attention/naive_attention.h"
#include "attention_on_device.h"
#ifdef NYSTROM_EMULATION
#include "emulation.h"
#endif

namespace nystrom::testing {
namespace {

template <class T, class U>
double distance(const Tensor& a, const Tensor& b) {
  const auto x = a.span<T>();
  const auto y = b.span<U>();
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    error += difference * difference;
    norm += static_cast<double>(y[i]) * static_cast<double>(y[i]);
  }
  return norm == 0 ? std::sqrt(error) : std::sqrt(error / norm);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.address, b.address, a.bytes()) == 0;
}

/// How far the device may be from the definition, relative to the whole tensor.
struct Tolerance {
  double out, d_qkv, d_filter;
};
constexpr Tolerance kFp32{4e-6, 2e-5, 4e-6};
constexpr Tolerance kBf16{4e-3, 1e-2, 1e-4};

/// Forward and backward on the device against the definition in double precision, of the same inputs.
template <class T>
void expect_as_defined(const CaseOptions& options, const Tolerance& tolerance) {
  AttentionCase<T> inputs(options);
  AttentionCase<double> exact(options);
  exact.copy_inputs(inputs);
  naive::forward<double>(exact.arguments());
  naive::backward<double>(exact.arguments());
  AttentionOnDevice<T> device(inputs);
  device.forward();
  device.backward();
  EXPECT_LT((distance<T, double>(device.out(), exact.out())), tolerance.out);
  EXPECT_LT((distance<T, double>(device.d_qkv(), exact.d_qkv())), tolerance.d_qkv);
  if (options.config.taps > 0) {
    EXPECT_LT((distance<float, double>(device.d_filter(), exact.d_conv_weight())), tolerance.d_filter);
  }
}
void expect_as_defined(const CaseOptions& options) {
  {
    SCOPED_TRACE("fp32");
    expect_as_defined<float>(options, kFp32);
  }
  SCOPED_TRACE("bf16");
  expect_as_defined<BF16>(options, kBf16);
}

constexpr int kLandmarks = 16;
CaseOptions ragged(std::int64_t head_width = 16) {
  return {.config = {.heads = 2, .landmarks = kLandmarks, .taps = 9},
          .rows = {1, kLandmarks - 1, kLandmarks, kLandmarks + 1, 131},
          .head_width = head_width};
}

TEST(AttentionOnDevice, is_as_defined_for_ragged_packs) {
  expect_as_defined(ragged());
}

TEST(AttentionOnDevice, is_as_defined_for_every_head_size) {
  for (const std::int64_t width : {8, 24, 32, 64, 128}) {
    SCOPED_TRACE(width);
    CaseOptions options = ragged(width);
    options.rows = {kLandmarks + 1, 3, 75};
    options.config.heads = width == 64 ? 1 : 2;
    expect_as_defined(options);
  }
}

TEST(AttentionOnDevice, is_as_defined_for_any_number_of_landmarks) {
  for (const std::int64_t landmarks : {1, 5, 64, 70}) {
    SCOPED_TRACE(landmarks);
    CaseOptions options = ragged();
    options.config.landmarks = landmarks;
    options.config.heads = 1;
    options.rows = {static_cast<std::int32_t>(landmarks) + 1, static_cast<std::int32_t>(landmarks), 150};
    expect_as_defined(options);
  }
}

TEST(AttentionOnDevice, is_as_defined_for_many_landmarks_of_wide_heads) {
  CaseOptions options = ragged(128);
  options.config = {.heads = 1, .landmarks = 130, .taps = 3};
  options.rows = {200, 65};
  expect_as_defined(options);
}

TEST(AttentionOnDevice, is_as_defined_for_every_length_of_filter) {
  for (const std::int64_t taps : {0, 1, 65, 151}) {
    SCOPED_TRACE(taps);
    CaseOptions options = ragged();
    options.config.taps = taps;
    options.rows = {100, 7};
    expect_as_defined(options);
  }
}

TEST(AttentionOnDevice, is_as_defined_for_chunks_of_long_sequences) {
  CaseOptions options = ragged();
  options.config.heads = 1;
  options.rows = {1100, 7, 513, 40};  // landmarks of long segments and of short ones
  expect_as_defined(options);
  options.lengths = {500, 5, 513, 40};  // the second and third chunk of the first sequence have no key
  expect_as_defined(options);
}

TEST(AttentionOnDevice, is_as_defined_beyond_one_chunk_at_the_base_models_head) {
  CaseOptions options = ragged(64);
  options.config = {.heads = 1, .landmarks = 64, .taps = 65};
  options.rows = {577, 65, 64};
  expect_as_defined<BF16>(options, kBf16);
#ifdef NYSTROM_EMULATION
  EXPECT_EQ(emulation::statistics().bank_conflicts, 0) << "of ldmatrix";
#endif
}

TEST(AttentionOnDevice, is_as_defined_with_one_scale_for_all_matrices) {
  CaseOptions options = ragged();
  options.config.pinv_init = PinvInit::kBatchMax;
  options.lengths = {1, kLandmarks - 2, kLandmarks, kLandmarks - 3, 90};
  expect_as_defined(options);
  options.config.landmarks = 70;
  options.rows = {75, 80, 70, 2, 90};
  options.lengths = options.rows;
  expect_as_defined(options);
}

TEST(AttentionOnDevice, is_as_defined_for_exact_softmax) {
  CaseOptions options = ragged();
  options.config.op = AttentionOp::kSoftmax;
  options.rows = {1, 64, 65, 131};
  expect_as_defined(options);
  options.lengths = {1, 60, 3, 70};
  options.config.taps = 0;
  options.head_width = 40;
  expect_as_defined(options);
}

TEST(AttentionOnDevice, drops_what_the_cpu_drops) {
  CaseOptions options = ragged();
  options.config.op = AttentionOp::kSoftmax;
  options.rows = {70, 3, 33};
  options.dropout = 0.3;
  expect_as_defined(options);
}

TEST(AttentionOnDevice, in_bf16_is_as_near_to_the_definition_as_the_cpu) {
  CaseOptions options = ragged(64);
  options.config.landmarks = 64;
  options.config.taps = 65;
  options.rows = {300, 70};
  AttentionCase<BF16> host(options);
  AttentionCase<double> exact(options);
  exact.copy_inputs(host);
  host.forward();
  host.backward();
  exact.forward();
  exact.backward();
  AttentionOnDevice<BF16> device(host);
  device.forward();
  device.backward();
  // Both round the same results once or twice; what comes before the rounding must be as good.
  const double host_out = distance<BF16, double>(host.out(), exact.out());
  const double host_gradient = distance<BF16, double>(host.d_qkv(), exact.d_qkv());
  EXPECT_LT((distance<BF16, double>(device.out(), exact.out())), 1.02 * host_out);
  EXPECT_LT((distance<BF16, double>(device.d_qkv(), exact.d_qkv())), 1.05 * host_gradient);
  EXPECT_LT((distance<BF16, BF16>(device.out(), host.out())), 5e-4);
  EXPECT_LT((distance<BF16, BF16>(device.d_qkv(), host.d_qkv())), 1e-3);
}

/// While it lives, contexts that are made multiply without wgmma.
class WithoutWgmma {
 public:
  WithoutWgmma() { ::setenv("NYSTROM_WGMMA", "off", 1); }
  ~WithoutWgmma() { ::unsetenv("NYSTROM_WGMMA"); }
  WithoutWgmma(const WithoutWgmma&) = delete;
  WithoutWgmma& operator=(const WithoutWgmma&) = delete;
};

TEST(AttentionOnDevice, without_wgmma_is_as_defined_and_as_with_it) {
  struct Sizes {
    std::int32_t landmarks;
    std::int64_t taps, width;
  };
  for (const auto& [landmarks, taps, width] :
       {Sizes{64, 65, 64}, Sizes{50, 9, 40}, Sizes{20, 129, 64}, Sizes{64, 0, 48}}) {
    SCOPED_TRACE(fmt::format("{} landmarks, {} taps, width {}", landmarks, taps, width));
    CaseOptions options = ragged(width);
    options.config = {.heads = 2, .landmarks = landmarks, .taps = taps};
    options.rows = {70, landmarks, 577, 3};
    options.lengths = {66, landmarks, 530, 2};
    const AttentionCase<BF16> host(options);
    AttentionOnDevice<BF16> with(host);
    with.forward();
    with.backward();
    const WithoutWgmma off;
    expect_as_defined<BF16>(options, kBf16);
    AttentionOnDevice<BF16> without(host);
    without.forward();
    without.backward();
    EXPECT_LT((distance<BF16, BF16>(with.out(), without.out())), 5e-4);
    EXPECT_LT((distance<BF16, BF16>(with.d_qkv(), without.d_qkv())), 1e-3);
  }
}

#ifdef NYSTROM_EMULATION
/// Kernels whose names begin so, in forward and backward of sequences of so many rows.
template <class T>
std::int64_t launches_of(const AttentionCase<T>& host, std::string_view prefix) {
  emulation::launches().clear();
  AttentionOnDevice<T> device(host);
  device.forward();
  device.backward();
  device.context().synchronize();
  std::int64_t count = 0;
  for (const auto& [name, calls] : emulation::launches())
    if (name.starts_with(prefix)) count += calls;
  return count;
}

TEST(AttentionOnDevice, launches_no_kernels_that_find_no_sequence) {
  struct Batch {
    std::vector<std::int32_t> rows;
    std::int64_t exact, approximating;
  };
  for (const auto& [rows, exact, approximating] :
       {Batch{{kLandmarks + 1, 40}, 0, 3}, Batch{{kLandmarks, 40}, 3, 3}, Batch{{3, kLandmarks}, 3, 0}}) {
    SCOPED_TRACE(::testing::PrintToString(rows));
    CaseOptions options = ragged();
    options.rows = rows;
    const AttentionCase<float> host(options);
    EXPECT_EQ(launches_of(host, "exact_attention"), exact);
    EXPECT_EQ(launches_of(host, "attention_rows") + launches_of(host, "attention_keys_backward"),
              approximating);
  }
}

/// While it lives, devices that are opened have so many multiprocessors.
class Multiprocessors {
 public:
  explicit Multiprocessors(int count) {
    ::setenv("NYSTROM_EMULATION_MULTIPROCESSORS", std::to_string(count).c_str(), 1);
  }
  ~Multiprocessors() { ::unsetenv("NYSTROM_EMULATION_MULTIPROCESSORS"); }
  Multiprocessors(const Multiprocessors&) = delete;
  Multiprocessors& operator=(const Multiprocessors&) = delete;
};

TEST(AttentionOnDevice, is_as_defined_where_blocks_share_the_chunks_of_a_head) {
  const Multiprocessors many(132);
  CaseOptions options = ragged();
  options.config = {.heads = 1, .landmarks = kLandmarks, .taps = 0};
  options.rows = {8 * 512 + 1};
  expect_as_defined(options);
}

struct Results {
  OwnedTensor out, d_qkv, d_filter, pinv;
};
template <class T>
Results results_on(int multiprocessors, const AttentionCase<T>& host) {
  const Multiprocessors present(multiprocessors);
  AttentionOnDevice<T> device(host);
  device.forward();
  device.backward();
  return {device.out(), device.d_qkv(), device.d_filter(), device.pinv()};
}

template <class T>
void expect_same_bits_where_chunks_are_shared(const CaseOptions& options) {
  const AttentionCase<T> host(options);
  const auto heads = static_cast<int>(options.config.heads * std::ssize(options.rows));
  emulation::launches().clear();
  const Results alone = results_on(heads, host);
  EXPECT_EQ(emulation::launches()["attention_merge_chunks"], 0);
  EXPECT_EQ(emulation::launches()["attention_add_chunks"], 0);
  const Results shared = results_on(heads + 1, host);
  EXPECT_EQ(emulation::launches()["attention_merge_chunks"], 1);
  EXPECT_EQ(emulation::launches()["attention_add_chunks"], 1);
  EXPECT_TRUE(same_bits(alone.out, shared.out));
  EXPECT_TRUE(same_bits(alone.d_qkv, shared.d_qkv));
  EXPECT_TRUE(same_bits(alone.d_filter, shared.d_filter));
  EXPECT_TRUE(same_bits(alone.pinv, shared.pinv));
}

TEST(AttentionOnDevice, gives_the_same_bits_whether_or_not_blocks_share_the_chunks_of_a_head) {
  struct Sizes {
    std::int64_t landmarks, width;
    PinvInit init = PinvInit::kPerMatrix;
  };
  for (const auto& [landmarks, width, init] :
       {Sizes{64, 64}, Sizes{16, 24, PinvInit::kBatchMax}, Sizes{5, 128}, Sizes{70, 8}}) {
    SCOPED_TRACE(fmt::format("{} landmarks, width {}", landmarks, width));
    CaseOptions options = ragged(width);
    options.config = {.heads = 1, .landmarks = landmarks, .taps = 3, .pinv_iterations = 2, .pinv_init = init};
    options.rows = {3, 9 * 512 + 100, 700};
    if (landmarks == 16) options.lengths = {3, 2000, 600};  // chunks without keys
    expect_same_bits_where_chunks_are_shared<float>(options);
    expect_same_bits_where_chunks_are_shared<BF16>(options);
  }
}
#endif

TEST(AttentionOnDevice, saves_the_residuals_and_inverses_of_the_cpu) {
  for (const std::int64_t landmarks : {16, 70}) {
    CaseOptions options = ragged();
    options.config.landmarks = landmarks;
    options.rows = {12, 141};
    AttentionCase<float> host(options);
    host.forward();
    AttentionOnDevice<float> device(host);
    device.forward();
    EXPECT_LT((distance<float, float>(device.residuals(), host.saved().residuals)), 1e-3);
    EXPECT_EQ(device.residuals().view().span<float>()[0], 0.0F);
    const std::int64_t heads = options.config.heads;
    const OwnedTensor pinv = device.pinv();
    EXPECT_LT((distance<float, float>(pinv.view().rows(1, 1), host.saved().pinv.rows(1, 1))), 1e-4) << heads;
  }
}

TEST(AttentionOnDevice, adds_to_the_filters_gradient) {
  CaseOptions options = ragged();
  options.rows = {40, 9};
  AttentionCase<float> host(options);
  AttentionOnDevice<float> fresh(host), used(host, 2.5F);
  for (auto* const device : {&fresh, &used}) {
    device->forward();
    device->backward();
  }
  const OwnedTensor a = fresh.d_filter(), b = used.d_filter();
  for (std::int64_t i = 0; i < a.view().numel(); ++i)
    EXPECT_FLOAT_EQ(a.view().data<float>()[i] + 2.5F, b.view().data<float>()[i]);
}

TEST(AttentionOnDevice, gives_the_same_bits_twice_and_whoever_the_neighbours_are) {
  for (const AttentionOp op : {AttentionOp::kNystrom, AttentionOp::kSoftmax}) {
    CaseOptions options = ragged();
    options.config.op = op;
    options.rows = {30, 90, 5};
    AttentionCase<BF16> host(options);
    AttentionOnDevice<BF16> first(host), second(host);
    for (auto* const device : {&first, &second}) {
      device->forward();
      device->backward();
    }
    const OwnedTensor out = first.out(), d_qkv = first.d_qkv();
    EXPECT_TRUE(same_bits(out, second.out()));
    EXPECT_TRUE(same_bits(d_qkv, second.d_qkv()));
    EXPECT_TRUE(same_bits(first.d_filter(), second.d_filter()));
    options.rows = {90};
    AttentionCase<BF16> alone_host(options);
    std::ranges::copy(host.qkv().rows(30, 90).span<BF16>(), alone_host.qkv().span<BF16>().begin());
    std::ranges::copy(host.d_out().rows(30, 90).span<BF16>(), alone_host.d_out().span<BF16>().begin());
    AttentionOnDevice<BF16> alone(alone_host);
    alone.forward();
    alone.backward();
    EXPECT_TRUE(same_bits(out.view().rows(30, 90), alone.out()));
    EXPECT_TRUE(same_bits(d_qkv.view().rows(30, 90), alone.d_qkv()));
  }
}

TEST(AttentionOnDevice, refuses_heads_and_landmarks_that_its_kernels_have_no_room_for) {
  Planner planner;
  AttentionLimits limits{.batch = 2, .tokens = 200, .longest = 100, .heads = 2, .taps = 3, .cuda = true};
  NystromOptions options{.landmarks = 16};
  const auto plan = [&](DType type) {
    plan_nystrom_attention_workspace(planner, options, type, limits);
    plan_softmax_attention_workspace(planner, type, limits);
  };
  for (const std::int64_t channels : {24, 512}) {  // 12 channels a head, and 256
    limits.channels = channels;
    EXPECT_THROW(plan_nystrom_attention_workspace(planner, options, DType::kBF16, limits), InputError);
    EXPECT_THROW(plan_softmax_attention_workspace(planner, DType::kBF16, limits), InputError);
  }
  limits.channels = 32;
  EXPECT_NO_THROW(plan(DType::kBF16));
  EXPECT_THROW(plan(DType::kF64), InputError);
  options.landmarks = 257;
  EXPECT_THROW(plan_nystrom_attention_workspace(planner, options, DType::kF32, limits), InputError);
}

}  // namespace
}  // namespace nystrom::testing
