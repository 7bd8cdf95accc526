#pragma once
// Threads that share the chunks of one op after another, each on its own core, and that lend each other the
// cores.
//
// An op ends when its last chunk does. Where another process takes turns on the core of one thread, that
// thread may be off its core for a whole time slice in the middle of a chunk, and all others would wait for
// it. Here a thread that has nothing left to do gives its core to the one that is waited for. An op waits for
// chunks alone, not for threads: one that comes late finds the work done.

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace nystrom {

class ThreadTeam {
 public:
  /// A thread for each of `cores` (its CPUs), at least two. The first is the thread that calls run().
  explicit ThreadTeam(std::vector<cpu_set_t> cores);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  [[nodiscard]] int size() const { return static_cast<int>(members_.size()); }

  /// Binds the calling thread to its core, from which run() is called until leave().
  void enter();
  /// The calling thread may run on `cpus` again.
  void leave(const cpu_set_t& cpus);

  /// Calls work(chunk, thread) for each chunk in [0, chunks), thread in [0, size()), and returns when all are
  /// done. Each thread has an equal part, in order, and then takes what others have not begun. `work` must
  /// not throw, nor call run(). Only between enter() and leave(), by the thread that called them.
  template <class Work>
  void run(std::int64_t chunks, const Work& work) {
    if (chunks <= 0) return;
    const std::int64_t together = (chunks + kMaxChunks - 1) / kMaxChunks;
    const auto group = [&](std::int64_t index, int thread) {
      const std::int64_t end = (index + 1) * together < chunks ? (index + 1) * together : chunks;
      for (std::int64_t chunk = index * together; chunk < end; ++chunk) work(chunk, thread);
    };
    using Group = decltype(group);
    run_job((chunks + together - 1) / together, {[](const void* body, std::int64_t index, int thread) {
                                                   (*static_cast<const Group*>(body))(index, thread);
                                                 },
                                                 &group});
  }

 private:
  static constexpr std::int64_t kMaxChunks = 0xFFFF;  // of a job: Member::part has 16 bits for them

  struct Job {
    void (*call)(const void* body, std::int64_t chunk, int thread) = nullptr;
    const void* body = nullptr;
  };
  struct alignas(64) Member {
    std::atomic<std::uint64_t> part{0};       // number of the job, end, next chunk to begin: 32, 16, 16 bits
    std::atomic<bool> has_chunk{false};       // begun and not done
    std::atomic<bool> visits{false};          // another thread's core, until it has nothing to do
    std::size_t core = 0;                     // its own; guarded by places_
    std::atomic<pid_t> id{0};                 // of the system
    std::atomic<clockid_t> clock{};           // its time on a CPU
    std::vector<std::int64_t> seen_on_clock;  // of each member, when this one last looked
    std::thread thread;
  };

  /// The calling thread is this member.
  static void introduce(Member& me);
  void run_job(std::int64_t chunks, Job job);
  void serve(std::size_t me);
  void compute(std::size_t me, std::uint32_t number);
  bool claim(Member& from, std::uint32_t number, std::int64_t& chunk);
  void wait_for_chunks();
  bool wait_for_job(std::size_t me, std::uint32_t last);
  bool waits(std::size_t me, std::size_t other);
  bool help(std::size_t me);
  void lend_core(std::size_t me, Member& to);
  void swap_cores(std::size_t me, std::size_t other);
  void go_home(Member& me);

  std::vector<cpu_set_t> cores_;
  std::vector<std::unique_ptr<Member>> members_;
  std::mutex places_;
  bool entered_ = false;  // guarded by places_

  Job job_;  // written before its parts
  alignas(64) std::atomic<std::uint32_t> number_{0};
  alignas(64) std::atomic<std::uint32_t> left_{0};  // chunks that are not done
  std::atomic<bool> ended_{false};
};

}  // namespace nystrom
