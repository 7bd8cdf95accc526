// Attention of sequences that are split across ranks, which here are threads: the same as on one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "attention/attention_case.h"
#include "attention/attention_part.h"
#include "attention/thread_group.h"

namespace nystrom::testing {
namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.address, b.address, a.bytes()) == 0;
}

/// |a - b| / |b|
template <class T>
double distance(const Tensor& a, const Tensor& b) {
  const auto x = a.span<T>(), y = b.span<T>();
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double p = static_cast<double>(x[i]), q = static_cast<double>(y[i]);
    error += (p - q) * (p - q);
    norm += q * q;
  }
  return norm == 0 ? std::sqrt(error) : std::sqrt(error / norm);
}

/// Attention of `options` on ranks with these cuts, against one rank.
template <class T>
class Comparison {
 public:
  using C = Compute<T>;

  Comparison(const CaseOptions& options, std::vector<std::int64_t> cuts)
      : whole_(options), cuts_(std::move(cuts)) {
    whole_.forward();
    whole_.backward();
    const int ranks = static_cast<int>(cuts_.size()) - 1;
    for (int rank = 0; rank < ranks; ++rank) {
      groups_.push_back(std::make_unique<ThreadGroup>(mail_, rank, ranks));
      parts_.push_back(part_of(options, cuts_, rank));
    }
    cases_.resize(parts_.size());
    on_threads(ranks, [&](int rank) { run(static_cast<std::size_t>(rank)); });
  }

  void expect_same_bits() const {
    for_cases([&](const AttentionCase<T>& part, std::int64_t begin) {
      const std::int64_t rows = part.out().dim(0);
      EXPECT_TRUE(same_bits(part.out(), whole_.out().rows(begin, rows))) << "out from row " << begin;
      EXPECT_TRUE(same_bits(part.d_qkv(), whole_.d_qkv().rows(begin, rows))) << "d_qkv from row " << begin;
    });
    expect_near(1e-5);
  }
  void expect_same_outputs() const {
    for_cases([&](const AttentionCase<T>& part, std::int64_t begin) {
      EXPECT_TRUE(same_bits(part.out(), whole_.out().rows(begin, part.out().dim(0))))
          << "out from row " << begin;
    });
  }
  /// Relative to the norm of a rank's rows.
  void expect_near(double error) const {
    std::vector<double> filter(
        static_cast<std::size_t>(whole_.d_conv_weight().empty() ? 0 : whole_.d_conv_weight().numel()));
    for_cases([&](const AttentionCase<T>& part, std::int64_t begin) {
      const std::int64_t rows = part.out().dim(0);
      EXPECT_LT(distance<T>(part.out(), whole_.out().rows(begin, rows)), error) << "out from row " << begin;
      EXPECT_LT(distance<T>(part.d_qkv(), whole_.d_qkv().rows(begin, rows)), error)
          << "d_qkv from row " << begin;
      for (std::size_t i = 0; i < filter.size(); ++i)
        filter[i] += static_cast<double>(part.d_conv_weight().template span<C>()[i]);
    });
    for (std::size_t i = 0; i < filter.size(); ++i)
      EXPECT_NEAR(filter[i], static_cast<double>(whole_.d_conv_weight().template span<C>()[i]),
                  error * 100 * std::sqrt(static_cast<double>(whole_.sequences().tokens)))
          << "filter " << i;
    EXPECT_TRUE(mail_.empty());
  }
  /// Residuals of the pseudo-inverses over all ranks: each counts once.
  [[nodiscard]] double residuals() const {
    double sum = 0;
    for_cases([&](const AttentionCase<T>& part, std::int64_t) {
      for (const C value : part.saved().residuals.template span<C>()) sum += static_cast<double>(value);
    });
    return sum;
  }
  [[nodiscard]] double residuals_of_whole() const {
    double sum = 0;
    for (const C value : whole_.saved().residuals.template span<C>()) sum += static_cast<double>(value);
    return sum;
  }
  [[nodiscard]] ThreadMail& mail() { return mail_; }

 private:
  void run(std::size_t rank) {
    const Part& part = parts_[rank];
    if (part.rows.empty()) return;
    CaseOptions options = whole_.options();
    options.rows = part.rows;
    options.spans = {groups_[rank].get(), cuts_, part.firsts, part.lengths};
    auto& one = cases_[rank] = std::make_unique<AttentionCase<T>>(options);
    copy_rows<T>(whole_.qkv(), part.begin, one->qkv());
    copy_rows<T>(whole_.d_out(), part.begin, one->d_out());
    one->forward();
    one->backward();
  }
  template <class Body>
  void for_cases(const Body& body) const {
    for (std::size_t rank = 0; rank < cases_.size(); ++rank)
      if (cases_[rank]) body(*cases_[rank], parts_[rank].begin);
  }

  AttentionCase<T> whole_;
  std::vector<std::int64_t> cuts_;
  ThreadMail mail_;
  std::vector<std::unique_ptr<ThreadGroup>> groups_;
  std::vector<Part> parts_;
  std::vector<std::unique_ptr<AttentionCase<T>>> cases_;
};

const CaseOptions kLong{.config = {.heads = 2, .landmarks = 8, .taps = 9}, .rows = {5000}, .head_width = 8};

TEST(SplitAttention, has_the_bits_of_one_rank_if_split_at_chunks) {
  ASSERT_EQ(nystrom_cut_rows(kLong.config.nystrom(), 5000, 16), 1024);
  for (const int threads : {1, 3}) {
    CaseOptions options = kLong;
    options.threads = threads;
    Comparison<float>(options, {0, 2048, 5000}).expect_same_bits();
    Comparison<float>(options, {0, 1024, 3072, 5000}).expect_same_bits();
    Comparison<BF16>(options, {0, 1024, 2048, 4096, 5000}).expect_same_bits();
    Comparison<double>(options, {0, 4096, 5000}).expect_same_bits();
  }
}

TEST(SplitAttention, has_them_with_other_sequences_too) {
  CaseOptions options = kLong;
  options.rows = {300, 2500, 5, 3000, 2100, 40};
  Comparison<float>(options, {0, 300 + 1024, 2805 + 2048, 5805 + 1024, 7945}).expect_same_bits();
  Comparison<float>(options, {0, 300 + 2048, 2805 + 1024, 5805, 7945}).expect_same_bits();
}

TEST(SplitAttention, is_equal_to_rounding_wherever_it_is_split) {
  for (const std::int64_t cut : {9, 500, 625, 626, 1023, 1030, 4990, 4999}) {
    Comparison<double>(kLong, {0, cut, 5000}).expect_near(1e-10);
    Comparison<float>(kLong, {0, cut, 5000}).expect_near(2e-4);
  }
  Comparison<double>(kLong, {0, 1700, 3301, 5000}).expect_near(1e-10);
}

// 40 rows of 5 landmarks are segments of 8; a filter of 9 taps reaches 4 rows far.
TEST(SplitAttention, spans_may_be_shorter_than_a_segment_or_than_the_halo_or_empty) {
  CaseOptions options{.config = {.heads = 2, .landmarks = 5, .taps = 9}, .rows = {40}, .head_width = 8};
  for (const std::vector<std::int64_t>& cuts :
       std::vector<std::vector<std::int64_t>>{{0, 3, 40},
                                              {0, 39, 40},
                                              {0, 10, 13, 40},
                                              {0, 17, 18, 19, 40},
                                              {0, 1, 2, 3, 4, 40},
                                              {0, 20, 20, 40},
                                              {0, 0, 20, 40},
                                              {0, 20, 40, 40},
                                              {0, 8, 16, 24, 32, 40},
                                              {0, 10, 11, 12, 13, 14, 15, 40}})
    Comparison<double>(options, cuts).expect_near(1e-10);
  options.config.taps = 33;  // further than most spans
  Comparison<double>(options, {0, 10, 13, 14, 40}).expect_near(1e-10);
  options.config.taps = 1;
  Comparison<double>(options, {0, 10, 13, 14, 40}).expect_near(1e-10);
  options.config.taps = 0;
  Comparison<double>(options, {0, 10, 13, 14, 40}).expect_near(1e-10);
}

TEST(SplitAttention, sequences_may_begin_in_the_last_row_of_a_span_and_end_in_the_first) {
  CaseOptions options{
      .config = {.heads = 3, .landmarks = 6, .taps = 5}, .rows = {20, 31, 4, 50, 7}, .head_width = 10};
  for (const std::vector<std::int64_t>& cuts :
       std::vector<std::vector<std::int64_t>>{{0, 21, 112},
                                              {0, 50, 112},
                                              {0, 1, 112},
                                              {0, 21, 56, 112},
                                              {0, 30, 40, 60, 90, 112},
                                              {0, 19, 50, 104, 112}})
    Comparison<double>(options, cuts).expect_near(1e-10);
}

// Of M, of a tile of 64 rows, of a chunk of 1,024 and of two: below, at and above, cut in the middle and one
// row from either end.
TEST(SplitAttention, lengths_around_every_boundary_are_split) {
  CaseOptions options{.config = {.heads = 1, .landmarks = 7, .taps = 5}, .head_width = 8};
  for (const std::int32_t length :
       {8, 9, 13, 14, 15, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2047, 2048, 2049}) {
    SCOPED_TRACE(length);
    options.rows = {length};
    for (const std::int64_t cut : {1, length / 2, length - 1})
      Comparison<double>(options, {0, cut, length}).expect_near(1e-10);
    Comparison<double>(options, {0, length / 3, length - length / 3, length}).expect_near(1e-10);
    const std::int64_t step = nystrom_cut_rows(options.config.nystrom(), length, 2);
    if (step > 0 && step < length) Comparison<float>(options, {0, step, length}).expect_same_bits();
  }
}

TEST(SplitAttention, a_residual_counts_once) {
  Comparison<double> split(kLong, {0, 1700, 3301, 5000});
  EXPECT_GT(split.residuals(), 0);
  EXPECT_NEAR(split.residuals() / split.residuals_of_whole(), 1, 1e-6);
}

TEST(SplitAttention, bytes_that_travel_do_not_depend_on_the_length) {
  CaseOptions options = kLong;
  std::vector<std::size_t> sent;
  for (const std::int32_t length : {2048, 8192, 32768}) {
    options.rows = {length};
    Comparison<float> split(options, {0, length / 2, length});
    for (const int rank : {0, 1}) sent.push_back(split.mail().sent_by(rank));
  }
  EXPECT_EQ(sent[0], sent[2]);
  EXPECT_EQ(sent[1], sent[3]);
  EXPECT_EQ(sent[0], sent[4]);
  EXPECT_EQ(sent[1], sent[5]);
}

// The table of docs/long-sequences.md. 6144 rows of 8 landmarks are segments of 768: 2, 3 and 3 of them end
// on the ranks.
TEST(SplitAttention, the_traffic_is_as_documented) {
  CaseOptions options = kLong;
  options.rows = {6144};
  Comparison<float> split(options, {0, 2048, 4096, 6144});
  constexpr std::size_t kM = 8, kH = 2, kC = 16, kReach = 4, kOthers = 2;
  const std::size_t sums = kM * (kC + 2 * kH) + 3 * kM * kC;
  const auto expected = [&](std::size_t neighbours, std::size_t segments, std::size_t next,
                            std::size_t receivers) {
    return sizeof(float) *
           (2 * neighbours * kReach * kC + next * 2 * kC + kOthers * segments * 2 * kC + receivers * sums);
  };
  EXPECT_EQ(split.mail().sent_by(0), expected(1, 2, 1, 1));
  EXPECT_EQ(split.mail().sent_by(1), expected(2, 3, 1, 1));
  EXPECT_EQ(split.mail().sent_by(2), expected(1, 3, 0, kOthers));
}

TEST(SplitAttention, unsplit_sequences_send_nothing) {
  CaseOptions options = kLong;
  options.rows = {300, 2500, 5, 200};
  Comparison<float> split(options, {0, 2800, 3005});
  split.expect_same_bits();
  EXPECT_EQ(split.mail().messages_of(0) + split.mail().messages_of(1), 0U);
}

TEST(SplitAttention, long_sequences_are_split_at_chunks_and_short_ones_never) {
  EXPECT_EQ(nystrom_cut_rows({.landmarks = 64}, 64, 2), 0);
  EXPECT_GE(nystrom_cut_rows({.landmarks = 64}, 65, 2), 65);
  EXPECT_EQ(nystrom_cut_rows({.landmarks = 64}, 65536, 16), 4096);
  EXPECT_EQ(nystrom_cut_rows({.landmarks = 64}, 65536, 64), 1024);
}

CaseOptions softmax_case(std::vector<std::int32_t> rows) {
  return {.config = {.op = AttentionOp::kSoftmax, .heads = 2, .taps = 9},
          .rows = std::move(rows),
          .head_width = 8};
}

TEST(SplitSoftmax, is_equal_to_one_rank_wherever_it_is_split) {
  for (const double dropout : {0.0, 0.2}) {
    CaseOptions options = softmax_case({300});
    options.dropout = dropout;
    for (const int threads : {1, 3}) {
      options.threads = threads;
      for (const std::vector<std::int64_t>& cuts : std::vector<std::vector<std::int64_t>>{
               {0, 128, 300}, {0, 1, 300}, {0, 100, 103, 300}, {0, 64, 128, 128, 299, 300}})
        Comparison<double>(options, cuts).expect_near(1e-10);
      Comparison<float>(options, {0, 90, 300}).expect_near(1e-4);
    }
  }
}

TEST(SplitSoftmax, has_neighbours_and_two_split_sequences) {
  const CaseOptions options = softmax_case({20, 131, 4, 150, 7});
  for (const std::vector<std::int64_t>& cuts : std::vector<std::vector<std::int64_t>>{
           {0, 21, 312}, {0, 100, 312}, {0, 100, 200, 312}, {0, 30, 140, 160, 290, 312}})
    Comparison<double>(options, cuts).expect_near(1e-10);
}

TEST(SplitSoftmax, outputs_have_the_bits_of_one_rank_if_split_between_blocks) {
  const CaseOptions options = softmax_case({1500});
  ASSERT_EQ(softmax_cut_rows(1500), 64);
  EXPECT_EQ(softmax_cut_rows(1000), 0);
  Comparison<float>(options, {0, 640, 1088, 1500}).expect_same_outputs();
  Comparison<BF16>(options, {0, 704, 1500}).expect_same_outputs();
}

TEST(SplitSoftmax, all_keys_and_values_travel) {
  std::vector<std::size_t> sent;
  for (const std::int32_t length : {256, 512}) {
    Comparison<float> split(softmax_case({length}), {0, length / 2, length});
    sent.push_back(split.mail().sent_by(0));
  }
  constexpr std::size_t kC = 16, kReach = 4, kHalf = 128;
  EXPECT_EQ(sent[0], sizeof(float) * (3 * kHalf * 2 * kC + kReach * kC));
  EXPECT_EQ(sent[1], sizeof(float) * (6 * kHalf * 2 * kC + kReach * kC));
}

}  // namespace
}  // namespace nystrom::testing
