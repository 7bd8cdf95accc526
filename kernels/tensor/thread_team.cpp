#include "kernels/tensor/thread_team.h"

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

using Clock = std::chrono::steady_clock;
// A thread without work looks every so often whether another one waits for a core, and then sleeps: to sleep
// and be woken costs some tens of microseconds, and its core may be wanted.
constexpr auto kLookEvery = std::chrono::microseconds(40);
constexpr int kMaxLooks = 5, kMaxLooksForChunks = 25;
constexpr int kPauses = 16;  // between two looks at the clock

void pause() {
  __builtin_ia32_pause();
}

void run_on(pid_t thread, const cpu_set_t& cpus) {
  ::sched_setaffinity(thread, sizeof(cpus), &cpus);  // refused: it runs where it did
}

std::int64_t nanoseconds_of(clockid_t clock) {
  timespec time{};
  return ::clock_gettime(clock, &time) == 0 ? time.tv_sec * 1'000'000'000 + time.tv_nsec : -1;
}

constexpr std::uint64_t part_of(std::uint32_t number, std::int64_t begin, std::int64_t end) {
  return (std::uint64_t{number} << 32U) | (static_cast<std::uint64_t>(end) << 16U) |
         static_cast<std::uint64_t>(begin);
}

/// Spins until done(), or until it has looked often enough; look() returns true to end the spinning.
template <class Done, class Look>
bool spin(int max_looks, const Done& done, const Look& look) {
  auto next = Clock::now() + kLookEvery;
  for (int looks = 0; looks < max_looks;) {
    for (int i = 0; i < kPauses; ++i) {
      if (done()) return true;
      pause();
    }
    if (Clock::now() < next) continue;
    if (look()) break;
    next = Clock::now() + kLookEvery;
    ++looks;
  }
  return done();
}

}  // namespace

ThreadTeam::ThreadTeam(std::vector<cpu_set_t> cores) : cores_(std::move(cores)) {
  NYSTROM_CHECK(cores_.size() > 1, "a team has {} threads", cores_.size());
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    members_.push_back(std::make_unique<Member>());
    members_[i]->core = i;
    members_[i]->seen_on_clock.assign(cores_.size(), -1);
  }
  std::atomic<std::size_t> ready = 1;
  for (std::size_t i = 1; i < cores_.size(); ++i)
    members_[i]->thread = std::thread([this, i, &ready] {
      Member& me = *members_[i];
      introduce(me);
      run_on(0, cores_[me.core]);
      ready.fetch_add(1);
      ready.notify_one();
      serve(i);
    });
  for (std::size_t n = ready; n < cores_.size(); n = ready) ready.wait(n);
}

ThreadTeam::~ThreadTeam() {
  ended_ = true;
  ++number_;
  number_.notify_all();
  for (auto& member : members_)
    if (member->thread.joinable()) member->thread.join();
}

void ThreadTeam::introduce(Member& me) {
  clockid_t clock{};
  ::pthread_getcpuclockid(::pthread_self(), &clock);
  me.clock = clock;
  me.id = ::gettid();
}

void ThreadTeam::enter() {
  const std::scoped_lock held(places_);
  entered_ = true;
  introduce(*members_[0]);
  run_on(0, cores_[members_[0]->core]);  // which no thread can have taken while it was not entered
}

void ThreadTeam::leave(const cpu_set_t& cpus) {
  const std::scoped_lock held(places_);
  entered_ = false;
  run_on(0, cpus);
}

void ThreadTeam::run_job(std::int64_t chunks, Job job) {
  const std::uint32_t number = number_.load(std::memory_order_relaxed) + 1;
  const auto threads = static_cast<std::int64_t>(members_.size());
  job_ = job;
  left_.store(static_cast<std::uint32_t>(chunks), std::memory_order_relaxed);
  for (std::int64_t i = 0; i < threads; ++i)
    members_[static_cast<std::size_t>(i)]->part.store(
        part_of(number, chunks * i / threads, chunks * (i + 1) / threads), std::memory_order_release);
  number_ = number;  // in one order with the sleepers' count, which notify_all reads
  number_.notify_all();
  compute(0, number);
  wait_for_chunks();
}

bool ThreadTeam::claim(Member& from, std::uint32_t number, std::int64_t& chunk) {
  std::uint64_t part = from.part.load(std::memory_order_acquire);
  do {
    if (part >> 32U != number || (part & 0xFFFFU) >= ((part >> 16U) & 0xFFFFU)) return false;
  } while (!from.part.compare_exchange_weak(part, part + 1, std::memory_order_acquire));
  chunk = static_cast<std::int64_t>(part & 0xFFFFU);
  return true;
}

void ThreadTeam::compute(std::size_t me, std::uint32_t number) {
  std::atomic<bool>& has_chunk = members_[me]->has_chunk;
  std::int64_t chunk = 0;
  for (std::size_t turn = 0; turn < members_.size(); ++turn) {
    Member& from = *members_[(me + turn) % members_.size()];
    while (true) {
      has_chunk.store(true, std::memory_order_relaxed);
      if (!claim(from, number, chunk)) break;
      job_.call(job_.body, chunk, static_cast<int>(me));
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
    }
  }
  has_chunk.store(false, std::memory_order_relaxed);
}

void ThreadTeam::wait_for_chunks() {
  const auto done = [&] { return left_.load(std::memory_order_acquire) == 0; };
  if (done() || spin(kMaxLooksForChunks, done, [&] { return help(0); })) return;
  for (std::uint32_t left = left_; left != 0; left = left_) left_.wait(left);
}

void ThreadTeam::serve(std::size_t me) {
  std::uint32_t last = 0;
  while (wait_for_job(me, last)) {
    last = number_.load(std::memory_order_acquire);
    compute(me, last);
  }
}

bool ThreadTeam::wait_for_job(std::size_t me, std::uint32_t last) {
  const auto begun = [&] { return number_.load(std::memory_order_acquire) != last; };
  go_home(*members_[me]);
  if (!spin(kMaxLooks, begun, [&] { return help(me); })) {
    go_home(*members_[me]);
    number_.wait(last, std::memory_order_acquire);
  }
  go_home(*members_[me]);
  return !ended_;
}

/// Has it been off its core since `me` last looked?
bool ThreadTeam::waits(std::size_t me, std::size_t other) {
  const std::int64_t now = nanoseconds_of(members_[other]->clock);
  return std::exchange(members_[me]->seen_on_clock[other], now) == now;
}

/// Gives the core of `me`, which has nothing to do, to a thread that waits for one; false if there is none.
bool ThreadTeam::help(std::size_t me) {
  if (left_.load(std::memory_order_relaxed) != 0)
    for (std::size_t other = 1; other < members_.size(); ++other)
      if (other != me && members_[other]->has_chunk.load(std::memory_order_relaxed) && waits(me, other)) {
        lend_core(me, *members_[other]);
        return true;
      }
  if (me == 0 || !waits(me, 0)) return false;
  swap_cores(me, 0);  // for good: everything waits for the first thread
  return true;
}

void ThreadTeam::lend_core(std::size_t me, Member& to) {
  const std::scoped_lock held(places_);
  if (!entered_ || to.visits) return;
  to.visits = true;
  run_on(to.id, cores_[members_[me]->core]);
}

void ThreadTeam::swap_cores(std::size_t me, std::size_t other) {
  const cpu_set_t* mine = nullptr;
  {
    const std::scoped_lock held(places_);
    if (!entered_) return;
    std::swap(members_[me]->core, members_[other]->core);
    run_on(members_[other]->id, cores_[members_[other]->core]);
    mine = &cores_[members_[me]->core];
  }
  run_on(0, *mine);  // where it may wait: not with the lock
}

void ThreadTeam::go_home(Member& me) {
  if (!me.visits.load(std::memory_order_relaxed)) return;
  const cpu_set_t* home = nullptr;
  {
    const std::scoped_lock held(places_);
    me.visits = false;
    home = &cores_[me.core];
  }
  run_on(0, *home);
}

}  // namespace nystrom
