#include "data/pretraining/masking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "shard_corpus.h"

namespace nystrom {
namespace {

using Ids = std::vector<std::int32_t>;
constexpr std::int64_t kWords = 1000;

struct Masked {
  Ids ids, positions, labels;
};

Masked mask(Masker& masker, std::uint64_t key, Ids ids) {
  Masked m{std::move(ids), {}, {}};
  masker.apply(key, m.ids, m.positions, m.labels);
  return m;
}

// <s> a ... </s> b ... </s>, with one <unk>; ids from `ordinary` on.
Ids sequence(std::int32_t length, std::int32_t ordinary = 5) {
  Ids ids = {0};
  for (std::int32_t i = 1; i < length - 1; ++i) ids.push_back(ordinary + i);
  ids.push_back(2);
  ids[static_cast<std::size_t>(length) / 2] = 2;
  ids[static_cast<std::size_t>(length) / 3] = 3;
  return ids;
}

// Every third token begins a word.
std::vector<bool> every_third() {
  std::vector<bool> starts(kWords);
  for (std::size_t id = 0; id < starts.size(); ++id) starts[id] = id % 3 == 0;
  return starts;
}

TEST(Masker, chooses_exactly_the_share_and_never_a_special_token) {
  Masker masker({}, {}, kWords, {}, 1);
  const Ids plain = sequence(128);  // 124 tokens that are not special
  for (std::uint64_t key = 0; key < 2000; ++key) {
    const Masked m = mask(masker, key, plain);
    ASSERT_EQ(m.positions.size(), 19U);  // round(0.15 x 124)
    ASSERT_TRUE(std::is_sorted(m.positions.begin(), m.positions.end()));
    ASSERT_EQ(std::set(m.positions.begin(), m.positions.end()).size(), 19U);
    Ids restored = m.ids;
    for (std::size_t i = 0; i < m.positions.size(); ++i) {
      ASSERT_FALSE(SpecialIds{}.contains(m.labels[i]));
      restored[static_cast<std::size_t>(m.positions[i])] = m.labels[i];
    }
    ASSERT_EQ(restored, plain);
  }
}

TEST(Masker, replaces_80_10_10_and_reaches_every_position_and_token) {
  Masker masker({}, {}, kWords, {}, 1);
  const Ids plain = sequence(102);
  std::map<std::int32_t, int> by_position, random_tokens;
  double masked = 0, kept = 0, random = 0;
  for (std::uint64_t key = 0; key < 20000; ++key) {
    const Masked m = mask(masker, key, plain);
    for (std::size_t i = 0; i < m.positions.size(); ++i) {
      const std::int32_t now = m.ids[static_cast<std::size_t>(m.positions[i])];
      ++by_position[m.positions[i]];
      if (now == 4)
        ++masked;
      else if (now == m.labels[i])
        ++kept;
      else
        ++random, ++random_tokens[now];
    }
  }
  const double all = masked + kept + random;
  EXPECT_NEAR(masked / all, 0.8, 0.004);
  EXPECT_NEAR(random / all, 0.1, 0.003);
  EXPECT_NEAR(kept / all, 0.1, 0.003);
  EXPECT_EQ(by_position.size(), 98U);
  for (const auto& [position, times] : by_position)
    EXPECT_NEAR(times, all / 98, 6 * std::sqrt(all / 98)) << position;
  EXPECT_EQ(random_tokens.size(), 995U);  // all but the special ones
  for (std::int32_t special : SpecialIds{}.ids()) EXPECT_FALSE(random_tokens.contains(special));
}

TEST(Masker, masks_at_least_one_token_unless_there_is_none_or_none_is_wanted) {
  Masker masker({}, {}, kWords, {}, 1), off({.probability = 0}, {}, kWords, {}, 1);
  EXPECT_EQ(mask(masker, 1, {0, 77, 2}).labels, Ids{77});
  EXPECT_TRUE(mask(masker, 1, {0, 3, 2}).labels.empty());
  EXPECT_TRUE(mask(off, 1, sequence(50)).labels.empty());
}

TEST(Masker, depends_only_on_key_and_seed) {
  Masker a({}, {}, kWords, {}, 1), b({}, {}, kWords, {}, 1), c({}, {}, kWords, {}, 2);
  (void)mask(b, 99, sequence(300));
  EXPECT_EQ(mask(a, 5, sequence(100)).ids, mask(b, 5, sequence(100)).ids);
  EXPECT_NE(mask(a, 5, sequence(100)).positions, mask(a, 6, sequence(100)).positions);
  EXPECT_NE(mask(a, 5, sequence(100)).positions, mask(c, 5, sequence(100)).positions);
}

TEST(Masker, masks_whole_words) {
  Masker masker({.unit = MaskUnit::kWord}, {}, kWords, every_third(), 1);
  const Ids plain = sequence(200, 300);
  double chosen = 0;
  for (std::uint64_t key = 0; key < 500; ++key) {
    const Masked m = mask(masker, key, plain);
    const std::set<std::int32_t> taken(m.positions.begin(), m.positions.end());
    chosen += static_cast<double>(taken.size());
    EXPECT_LE(taken.size(), 29U);  // round(0.15 x 196)
    for (std::int32_t p : taken) {
      const auto id = plain[static_cast<std::size_t>(p)];
      const auto next = plain[static_cast<std::size_t>(p) + 1];
      if (next == id + 1 && next % 3 != 0) {
        EXPECT_TRUE(taken.contains(p + 1)) << "the word at " << p << " is torn";
      }
      const auto before = plain[static_cast<std::size_t>(p) - 1];
      if (before == id - 1 && id % 3 != 0) {
        EXPECT_TRUE(taken.contains(p - 1)) << "the word at " << p << " is torn";
      }
    }
  }
  EXPECT_GT(chosen / 500, 28);
}

TEST(Masker, splits_a_word_that_exceeds_the_share) {
  Masker masker({.unit = MaskUnit::kWord}, {}, kWords, std::vector<bool>(kWords, false), 1);
  EXPECT_EQ(mask(masker, 0, sequence(20, 100)).positions.size(), 2U);  // round(0.15 x 16)
}

TEST(Masker, takes_spans_that_neither_cross_special_tokens_nor_exceed_the_share) {
  Masker masker({.unit = MaskUnit::kSpan}, {}, kWords, {}, 1);
  const Ids plain = sequence(400, 200);
  std::map<std::size_t, int> lengths;
  for (std::uint64_t key = 0; key < 500; ++key) {
    const Masked m = mask(masker, key, plain);
    EXPECT_EQ(m.positions.size(), 59U);  // round(0.15 x 396)
    std::size_t run = 1;
    for (std::size_t i = 1; i <= m.positions.size(); ++i) {
      if (i < m.positions.size() && m.positions[i] == m.positions[i - 1] + 1) {
        ++run;
        continue;
      }
      ++lengths[run];
      run = 1;
    }
    for (std::int32_t label : m.labels) ASSERT_FALSE(SpecialIds{}.contains(label));
  }
  EXPECT_GT(lengths[10], 100);  // independent tokens would make next to none
}

TEST(Masker, treats_a_span_as_a_whole) {
  Masker masker({.mask = 0.5, .random = 0, .unit = MaskUnit::kSpan}, {}, kWords, every_third(), 1);
  const Ids plain = sequence(200, 300);
  for (std::uint64_t key = 0; key < 300; ++key) {
    const Masked m = mask(masker, key, plain);
    for (std::size_t i = 1; i < m.positions.size(); ++i) {
      if (m.labels[i] != m.labels[i - 1] + 1 || m.labels[i] % 3 == 0) continue;  // not the same word
      const bool here = m.ids[static_cast<std::size_t>(m.positions[i])] == 4;
      const bool before = m.ids[static_cast<std::size_t>(m.positions[i - 1])] == 4;
      EXPECT_EQ(here, before) << "key " << key;
    }
  }
}

// As unigram and byte-level BPE give for a line of Chinese or Thai: only the first token begins a word.
TEST(Masker, reaches_every_token_of_text_without_blanks) {
  std::vector<bool> starts(kWords, false);
  starts[100] = true;
  for (const auto unit : {MaskUnit::kWord, MaskUnit::kSpan}) {
    Masker masker({.unit = unit}, {}, kWords, starts, 1);
    Ids plain{0};
    for (std::int32_t id = 100; id < 140; ++id) plain.push_back(id);
    plain.push_back(2);
    std::map<std::int32_t, int> by_position;
    for (std::uint64_t key = 0; key < 2000; ++key)
      for (const auto position : mask(masker, key, plain).positions) ++by_position[position];
    EXPECT_EQ(by_position.size(), 40U);
    for (const auto& [position, times] : by_position) EXPECT_GT(times, 100) << position;
  }
}

TEST(Masker, keeps_a_word_of_twenty_tokens_whole) {
  std::vector<bool> starts(kWords, false);
  for (std::size_t id = 100; id < 300; id += 20) starts[id] = true;
  Masker masker({.unit = MaskUnit::kWord}, {}, kWords, starts, 1);
  Ids plain{0};
  for (std::int32_t id = 100; id < 300; ++id) plain.push_back(id);
  plain.push_back(2);
  for (std::uint64_t key = 0; key < 50; ++key) {
    const Masked m = mask(masker, key, plain);
    ASSERT_EQ(m.labels.size(), 20U);
    EXPECT_EQ(m.labels.front() % 20, 0);
  }
}

TEST(Masker, refuses_shares_outside_zero_to_one) {
  EXPECT_THROW(Masker({.probability = 1.5}, {}, kWords, {}, 1), InputError);
  EXPECT_THROW(Masker({.mask = 0.8, .random = 0.3}, {}, kWords, {}, 1), InputError);
  EXPECT_THROW(Masker({.unit = MaskUnit::kWord}, {}, kWords, {}, 1), InputError);
}

}  // namespace
}  // namespace nystrom
