// Attention on the device of sequences that lie on several ranks, which here are threads that share it: as on
// one rank of the CPU.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <mutex>

#include "attention/attention_part.h"
#include "attention/thread_group.h"
#include "attention_on_device.h"

namespace nystrom::testing {
namespace {

/// The device is for one thread at a time: a rank gives it up while it waits for others.
class DeviceTurn {
 public:
  explicit DeviceTurn(std::mutex& device) : held_(device) {}
  void release() { held_.unlock(); }
  void take() { held_.lock(); }

 private:
  std::unique_lock<std::mutex> held_;
};

/// Messages of the device's memory between threads.
class DeviceThreadGroup final : public SequenceGroup {
 public:
  DeviceThreadGroup(ThreadMail& mail, int rank, int ranks) : mail_(mail), rank_(rank), ranks_(ranks) {}

  void use(const cuda::Stream& stream, DeviceTurn& turn) {
    stream_ = &stream;
    turn_ = &turn;
  }
  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int ranks() const override { return ranks_; }
  void send(std::span<const std::byte> bytes, int to) override { sent_.emplace_back(bytes, to); }
  void receive(std::span<std::byte> bytes, int from) override { received_.emplace_back(bytes, from); }
  void finish() override {
    std::vector<std::byte> host;
    for (const auto& [bytes, to] : sent_) {
      host.resize(bytes.size());
      cuda::copy_to_host(*stream_, host.data(), bytes.data(), bytes.size());
      stream_->synchronize();
      mail_.put({rank_, to}, host);
    }
    for (const auto& [bytes, from] : received_) {
      host.resize(bytes.size());
      turn_->release();
      mail_.take({from, rank_}, host);
      turn_->take();
      cuda::copy_to_device(*stream_, bytes.data(), host.data(), bytes.size());
      stream_->synchronize();
    }
    sent_.clear();
    received_.clear();
  }

 private:
  ThreadMail& mail_;
  int rank_, ranks_;
  const cuda::Stream* stream_ = nullptr;
  DeviceTurn* turn_ = nullptr;
  std::vector<std::pair<std::span<const std::byte>, int>> sent_;
  std::vector<std::pair<std::span<std::byte>, int>> received_;
};

/// What the ranks have computed, put together.
template <class T>
struct Together {
  OwnedTensor out, d_qkv;
  std::vector<double> d_filter;
  double residuals = 0;
  std::vector<std::size_t> sent;  ///< bytes of each rank
};

template <class T>
Together<T> on_ranks(const AttentionCase<T>& whole, const std::vector<std::int64_t>& cuts) {
  Together<T> all;
  all.out = OwnedTensor(dtype_of<T>(), whole.out().shape);
  all.d_qkv = OwnedTensor(dtype_of<T>(), whole.d_qkv().shape);
  all.d_filter.resize(
      static_cast<std::size_t>(whole.conv_weight().empty() ? 0 : whole.conv_weight().numel()));
  const int ranks = static_cast<int>(cuts.size()) - 1;
  ThreadMail mail;
  std::mutex device_mutex;
  on_threads(ranks, [&](int rank) {
    const Part part = part_of(whole.options(), cuts, rank);
    if (part.rows.empty()) return;
    DeviceTurn turn(device_mutex);
    DeviceThreadGroup group(mail, rank, ranks);
    CaseOptions options = whole.options();
    options.rows = part.rows;
    options.spans = {&group, cuts, part.firsts, part.lengths};
    const AttentionCase<T> host(options);
    copy_rows<T>(whole.qkv(), part.begin, host.qkv());
    copy_rows<T>(whole.d_out(), part.begin, host.d_out());
    AttentionOnDevice<T> device(host);
    group.use(device.cuda().stream(), turn);
    device.forward();
    device.backward();
    const OwnedTensor out = device.out(), d_qkv = device.d_qkv(), residuals = device.residuals();
    copy_rows<T>(out, 0, all.out.view().rows(part.begin, host.out().dim(0)));
    copy_rows<T>(d_qkv, 0, all.d_qkv.view().rows(part.begin, host.out().dim(0)));
    for (const float x : residuals.view().template span<float>()) all.residuals += static_cast<double>(x);
    if (all.d_filter.empty()) return;
    const OwnedTensor d_filter = device.d_filter();
    for (std::size_t i = 0; i < all.d_filter.size(); ++i)
      all.d_filter[i] += static_cast<double>(d_filter.view().template span<float>()[i]);
  });
  EXPECT_TRUE(mail.empty());
  for (int rank = 0; rank < ranks; ++rank) all.sent.push_back(mail.sent_by(rank));
  return all;
}

/// |a - b| / |b|
template <class A, class B>
double relative_distance(const A& a, const B& b) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    error += (x - y) * (x - y);
    norm += y * y;
  }
  return std::sqrt(error / norm);
}

/// On the device's ranks against the CPU in double precision, of the same inputs.
template <class T>
void expect_as_on_one_rank(const CaseOptions& options, const std::vector<std::int64_t>& cuts) {
  SCOPED_TRACE(::testing::Message() << cuts.size() - 1 << " ranks, the first cut at " << cuts[1] << ", in "
                                    << name_of(dtype_of<T>()));
  constexpr bool kRounded = std::is_same_v<T, BF16>;
  const AttentionCase<T> whole(options);
  AttentionCase<double> exact(options);
  exact.copy_inputs(whole);
  exact.forward();
  exact.backward();
  const Together<T> all = on_ranks(whole, cuts);
  EXPECT_LT(relative_distance(all.out.view().template span<T>(), exact.out().template span<double>()),
            kRounded ? 4e-3 : 4e-6);
  EXPECT_LT(relative_distance(all.d_qkv.view().template span<T>(), exact.d_qkv().template span<double>()),
            kRounded ? 1e-2 : 2e-5);
  if (!all.d_filter.empty()) {
    EXPECT_LT(relative_distance(all.d_filter, exact.d_conv_weight().template span<double>()),
              kRounded ? 1e-4 : 4e-6);
  }
}

void expect_as_on_one_rank(const CaseOptions& options,
                           const std::vector<std::vector<std::int64_t>>& all_cuts) {
  for (const auto& cuts : all_cuts) {
    expect_as_on_one_rank<float>(options, cuts);
    expect_as_on_one_rank<BF16>(options, cuts);
  }
}

// 40 rows of 5 landmarks are segments of 8; a filter of 9 taps reaches 4 rows far.
TEST(SplitAttentionOnDevice, spans_may_be_shorter_than_a_segment_or_than_the_halo_or_empty) {
  CaseOptions options{.config = {.heads = 2, .landmarks = 5, .taps = 9}, .rows = {40}, .head_width = 8};
  expect_as_on_one_rank(options, {{0, 3, 40},
                                  {0, 39, 40},
                                  {0, 17, 18, 19, 40},
                                  {0, 20, 20, 40},
                                  {0, 0, 20, 40},
                                  {0, 8, 16, 24, 32, 40}});
  options.config.taps = 33;  // further than most spans
  expect_as_on_one_rank(options, {{0, 10, 13, 14, 40}});
  options.config.taps = 0;
  expect_as_on_one_rank(options, {{0, 10, 13, 14, 40}});
}

TEST(SplitAttentionOnDevice, sequences_may_begin_in_the_last_row_of_a_span_and_end_in_the_first) {
  const CaseOptions options{
      .config = {.heads = 3, .landmarks = 6, .taps = 5}, .rows = {20, 31, 4, 50, 7}, .head_width = 16};
  expect_as_on_one_rank(options, {{0, 21, 112}, {0, 50, 112}, {0, 1, 112}, {0, 30, 40, 60, 90, 112}});
}

// Several chunks of 512 rows and of 64 keys, more landmarks than live in shared memory, wide heads, and a
// filter of several windows.
TEST(SplitAttentionOnDevice, long_sequences_many_landmarks_and_wide_heads_are_split_too) {
  CaseOptions options{.config = {.heads = 1, .landmarks = 8, .taps = 65}, .rows = {1500}, .head_width = 16};
  expect_as_on_one_rank<float>(options, {0, 700, 1500});
  expect_as_on_one_rank<BF16>(options, {0, 1024, 1100, 1500});
  options.head_width = 64;  // by wgmma
  options.config.landmarks = 64;
  expect_as_on_one_rank<BF16>(options, {0, 700, 1090, 1500});
  options.head_width = 16;
  options.config.landmarks = 70;
  options.config.pinv_iterations = 2;
  options.rows = {150, 90};
  expect_as_on_one_rank<float>(options, {0, 100, 240});
  options.config.landmarks = 8;
  options.head_width = 96;
  expect_as_on_one_rank<BF16>(options, {0, 100, 240});
}

// On a GPU of more multiprocessors than heads several blocks add up the chunks of a whole sequence before the
// one that goes on with it, and those of a part for the exchange.
TEST(SplitAttentionOnDevice, whole_sequences_of_many_chunks_may_lie_beside_parts_of_several) {
  ::setenv("NYSTROM_EMULATION_MULTIPROCESSORS", "132", 1);
  const CaseOptions options{
      .config = {.heads = 1, .landmarks = 8, .taps = 3}, .rows = {8 * 512 + 50, 1300}, .head_width = 16};
  expect_as_on_one_rank<float>(options, {0, 8 * 512 + 50 + 1100, 8 * 512 + 50 + 1300});
  ::unsetenv("NYSTROM_EMULATION_MULTIPROCESSORS");
}

TEST(SplitAttentionOnDevice, a_residual_counts_once) {
  const CaseOptions options{.config = {.heads = 2, .landmarks = 5, .taps = 0}, .rows = {60}, .head_width = 8};
  AttentionCase<float> whole(options);
  whole.forward();
  double expected = 0;
  for (const float x : whole.saved().residuals.span<float>()) expected += static_cast<double>(x);
  EXPECT_NEAR(on_ranks(whole, {0, 20, 41, 60}).residuals / expected, 1, 1e-3);
}

// Forward: halo, segments' sums, softmax; backward: halo and the gradients of W, k~ and q~.
TEST(SplitAttentionOnDevice, bytes_that_travel_do_not_depend_on_the_length) {
  constexpr std::size_t kM = 4, kC = 16, kH = 2, kReach = 2;
  for (const std::int32_t rows : {64, 256}) {
    const CaseOptions options{
        .config = {.heads = 2, .landmarks = 4, .taps = 5}, .rows = {rows}, .head_width = 8};
    const Together<float> all = on_ranks(AttentionCase<float>(options), {0, rows / 2, rows});
    for (const std::size_t sent : all.sent)
      EXPECT_EQ(sent, sizeof(float) * (2 * kReach * kC + kM / 2 * 2 * kC + kM * (kC + 2 * kH) + 3 * kM * kC));
  }
}

}  // namespace
}  // namespace nystrom::testing
