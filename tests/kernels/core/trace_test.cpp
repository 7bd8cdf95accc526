#include "kernels/core/trace.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "kernels/tensor/context.h"

namespace nystrom {
namespace {

using Kind = Trace::Kind;

std::map<std::string, Trace::Event> by_name(const Trace& trace) {
  std::map<std::string, Trace::Event> events;
  for (const Trace::Event& event : trace.events()) events[std::string(event.name)] = event;
  return events;
}

TEST(Trace, records_between_start_and_stop_alone) {
  Trace trace;
  trace.add({.name = "before", .begin_ns = Trace::now() - 5, .end_ns = Trace::now()});
  trace.start();
  const std::int64_t begin = Trace::now();
  trace.add({.name = "ended before", .begin_ns = 1, .end_ns = 2});
  trace.add({.name = "within", .begin_ns = begin, .end_ns = begin + 10, .flops = 3});
  trace.stop();
  trace.add({.name = "after", .begin_ns = Trace::now(), .end_ns = Trace::now() + 1});
  ASSERT_EQ(trace.events().size(), 1U);
  EXPECT_EQ(trace.events()[0].name, "within");
  EXPECT_EQ(trace.events()[0].begin_ns, begin);
  EXPECT_EQ(trace.events()[0].flops, 3);
}

TEST(Trace, events_open_at_its_ends_are_clipped) {
  Trace trace;
  trace.open(Kind::kLoader, "early", 3);
  trace.start();
  trace.close(Kind::kLoader);
  trace.open(Kind::kCheckpoint, "late", 7);
  trace.stop();
  trace.close(Kind::kCheckpoint);
  const auto events = by_name(trace);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events.at("early").begin_ns, trace.begin_ns());
  EXPECT_EQ(events.at("early").number, 3);
  EXPECT_EQ(events.at("late").end_ns, trace.end_ns());
  EXPECT_GE(events.at("late").begin_ns, trace.begin_ns());
}

TEST(Trace, an_event_ends_where_the_next_of_its_kind_begins) {
  Trace trace;
  trace.start();
  trace.open(Kind::kPhase, "first");
  trace.open(Kind::kPhase, "second");
  trace.stop();
  const auto events = by_name(trace);
  EXPECT_EQ(events.at("first").end_ns, events.at("second").begin_ns);
}

TEST(Trace, a_second_recording_forgets_the_first) {
  Trace trace;
  for (const char* name : {"one", "two"}) {
    trace.start();
    trace.add({.name = std::string(name), .begin_ns = Trace::now(), .end_ns = Trace::now() + 1});
    trace.stop();
  }
  ASSERT_EQ(trace.events().size(), 1U);
  EXPECT_EQ(trace.events()[0].name, "two");
}

TEST(Trace, too_many_events_are_counted) {
  Trace trace;
  trace.start();
  const std::int64_t at = Trace::now();
  for (std::size_t i = 0; i < Trace::kMaxEvents + 5; ++i)
    trace.add({.name = "op", .begin_ns = at, .end_ns = at + 1});
  trace.stop();
  EXPECT_EQ(trace.events().size(), Trace::kMaxEvents);
  EXPECT_EQ(trace.dropped(), 5);
}

TEST(Trace, ops_are_within_their_part) {
  Context context(1);
  Trace trace;
  trace.start();
  context.set_trace(&trace);
  {
    const PartScope part(context, "forward");
    const OpScope op(context, "linear_forward", 10, 20);
  }
  context.set_trace(nullptr);
  { const OpScope op(context, "gelu_forward", 1, 1); }
  trace.stop();
  const auto events = by_name(trace);
  ASSERT_EQ(events.size(), 2U);
  const auto &part = events.at("forward"), &op = events.at("linear_forward");
  EXPECT_EQ(part.kind, Kind::kPart);
  EXPECT_LE(part.begin_ns, op.begin_ns);
  EXPECT_LE(op.end_ns, part.end_ns);
  EXPECT_EQ(op.flops, 10);
  EXPECT_EQ(op.bytes, 20);
}

TEST(Trace, parts_are_not_ops_of_a_profile) {
  Context context(1);
  Profile profile;
  Trace trace;
  trace.start();
  context.set_trace(&trace);
  {
    const Profiling profiling(context, profile);
    const PartScope part(context, "forward");
    const OpScope op(context, "linear_forward", 10, 20);
  }
  ASSERT_EQ(profile.size(), 1U);
  EXPECT_EQ(profile.at("linear_forward").calls, 1);
  EXPECT_EQ(profile.at("linear_forward").flops, 10);
}

}  // namespace
}  // namespace nystrom
