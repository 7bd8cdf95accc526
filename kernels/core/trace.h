#pragma once
// Recorder of what a process does when, for the timeline of some steps (`run.profile_steps`,
// docs/tracing.md). Whoever may be recorded holds a pointer to it, null in a run that traces nothing: then a
// test of the pointer is all that it costs.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

/// Thread-safe. Times are nanoseconds of the steady clock.
class Trace {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Kind : std::uint8_t {
    kStep,        ///< from its begin to that of the next
    kPhase,       ///< of a step, as the heartbeat names it
    kPart,        ///< of a phase: the forward of a micro-batch
    kOp,          ///< by its name in a profile
    kWait,        ///< the training thread waits for other ranks
    kCollective,  ///< from its start to its completion; several may be under way
    kLoader,      ///< the loader's thread builds a batch
    kCheckpoint   ///< a thread writes a checkpoint
  };
  static constexpr std::size_t kKinds = 8;

  struct Event {
    std::string_view name;  ///< lives as long as the trace
    Kind kind = Kind::kOp;
    std::int64_t begin_ns = 0, end_ns = 0;
    std::int64_t number = -1;     ///< step; -1: none
    double flops = 0, bytes = 0;  ///< 0: unknown
    double fp32_flops = 0;        ///< of the flops, by units for fp32 whatever the precision
  };

  /// That it keeps, 64 MiB; further ones are counted.
  static constexpr std::size_t kMaxEvents = std::size_t{1} << 20U;

  Trace() = default;
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  [[nodiscard]] static std::int64_t nanoseconds(Clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  }
  [[nodiscard]] static std::int64_t now() { return nanoseconds(Clock::now()); }

  /// Forgets all events and records from now on.
  void start();
  /// Ends recording. What is open is recorded up to now.
  void stop();
  [[nodiscard]] bool active() const { return active_.load(std::memory_order_relaxed); }

  /// Records what has ended; what began before start() is cut off there. Any name. Without effect while
  /// nothing is recorded.
  void add(const Event& event);

  /// Begins an event of this kind, and ends the one that is open. It may begin before start() and end after
  /// stop(). `name` must have static lifetime: a literal.
  void open(Kind kind, std::string_view name, std::int64_t number = -1);
  void close(Kind kind);

  /// Calls visit(event) for those that ended since then, the latest first, also while it records.
  template <class Visit>
  void visit_since(std::int64_t begin_ns, const Visit& visit) const {
    const std::scoped_lock held(mutex_);
    for (auto event = events_.rbegin(); event != events_.rend() && event->end_ns >= begin_ns; ++event)
      visit(*event);
  }
  /// Events in the order of their ends. Not while it records.
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  /// Events beyond kMaxEvents.
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }
  [[nodiscard]] std::int64_t begin_ns() const { return begin_ns_; }
  [[nodiscard]] std::int64_t end_ns() const { return end_ns_; }

 private:
  void record(Event event);
  void close(Event& open, std::int64_t at);

  std::atomic<bool> active_ = false;
  mutable std::mutex mutex_;  // guards all below
  std::int64_t begin_ns_ = 0, end_ns_ = 0;
  std::array<Event, kKinds> open_;  // by kind; begin_ns 0: none
  std::vector<Event> events_;
  std::set<std::string, std::less<>> names_;
  std::int64_t dropped_ = 0;
};

/// An event that lasts as long as it lives, on a thread of the given kind. `trace` may be null.
class TraceSpan {
 public:
  /// `name`: a literal.
  TraceSpan(Trace* trace, Trace::Kind kind, std::string_view name, std::int64_t number = -1)
      : trace_(trace), kind_(kind) {
    if (trace_ != nullptr) trace_->open(kind, name, number);
  }
  ~TraceSpan() {
    if (trace_ != nullptr) trace_->close(kind_);
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  Trace* trace_;
  Trace::Kind kind_;
};

}  // namespace nystrom
