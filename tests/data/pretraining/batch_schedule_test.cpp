#include "data/pretraining/batch_schedule.h"

#include <gtest/gtest.h>

#include <map>

#include "data/pretraining/loader.h"
#include "rows.h"
#include "shard_corpus.h"

namespace nystrom {
namespace {

using namespace nystrom::testing;

TEST(BatchSizes, a_size_lasts_until_the_next_stage) {
  const BatchSizes sizes(4, {{.step = 3, .global_batch = 6}, {.step = 5, .global_batch = 12}});
  const std::vector<std::int64_t> expected{4, 4, 6, 6, 12, 12, 12};
  std::int64_t before = 0;
  for (std::int64_t step = 1; step <= 7; ++step) {
    EXPECT_EQ(sizes.of(step), expected[static_cast<std::size_t>(step - 1)]);
    EXPECT_EQ(sizes.before(step), before) << "step " << step;
    before += sizes.of(step);
  }
  EXPECT_EQ(sizes.largest(), 12);
  const BatchSizes same(5);
  EXPECT_EQ(same.of(100), 5);
  EXPECT_EQ(same.before(101), 500);
}

TEST(BatchSizes, a_batch_may_shrink) {
  const BatchSizes sizes(8, {{.step = 2, .global_batch = 2}});
  EXPECT_EQ(sizes.before(4), 12);
  EXPECT_EQ(sizes.largest(), 8);
}

class ScheduledLoader : public ::testing::Test {
 protected:
  ScheduledLoader() { write_shard(folder_ / "a.h5", make_documents(60)); }
  [[nodiscard]] LoaderOptions options() const {
    LoaderOptions o = loader_options({folder_ / "a.h5"}, 32);
    o.global_batch = 4;
    o.micro_batch = 3;
    o.batch_schedule = {{.step = 3, .global_batch = 7}, {.step = 4, .global_batch = 16}};
    return o;
  }
  TemporaryFolder folder_;
};

// 4, 4, 7, 16, 16: the stream's samples one after the other, whatever the ranks.
TEST_F(ScheduledLoader, steps_read_the_stream_without_gap_or_repetition) {
  const std::vector<Row> straight = [&] {
    LoaderOptions o = options();
    o.batch_schedule.clear();
    o.global_batch = 47;
    return rows_of_steps(o, 1);
  }();
  for (const std::int64_t ranks : {1, 2, 3}) {
    std::map<std::int64_t, Row> seen;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      LoaderOptions o = options();
      o.rank = rank;
      o.ranks = ranks;
      Loader loader(o);
      for (int step = 0; step < 5; ++step)
        for (const HostBatch& batch : loader.next().micro_batches) {
          EXPECT_LE(std::ssize(batch.lengths), loader.limits().sequences);
          std::vector<Row> rows;
          append_rows(batch, rows);
          for (Row& row : rows) EXPECT_TRUE(seen.emplace(row.sample, row).second) << row.sample;
        }
    }
    ASSERT_EQ(seen.size(), straight.size());
    for (const Row& row : straight) EXPECT_EQ(seen.at(row.sample), row);
  }
}

TEST_F(ScheduledLoader, a_resume_at_any_step_reads_what_it_would_have_read) {
  Loader straight(options());
  for (std::int64_t step = 1; step <= 6; ++step) {
    Loader resumed(options());
    resumed.seek(step);
    EXPECT_EQ(rows_of(resumed.next()), rows_of(straight.next())) << "step " << step;
  }
}

TEST_F(ScheduledLoader, micro_batches_are_planned_for_the_largest_batch) {
  LoaderOptions o = options();
  o.micro_batch = 100;
  EXPECT_EQ(Loader(o).limits().sequences, 16);
  o.ranks = 3;
  EXPECT_EQ(Loader(o).limits().sequences, 6);
}

}  // namespace
}  // namespace nystrom
