#pragma once
// Execution context of an op: device, threads, profiler.

#include <omp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "kernels/core/trace.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/thread_team.h"

namespace nystrom {

class CudaContext;  // kernels/tensor/cuda/context.h

/// Calls, time, operations and bytes of one op, summed since the profile was cleared.
struct OpCount {
  std::int64_t calls = 0;
  double seconds = 0;
  double flops = 0;       ///< multiply and add count as two
  double fp32_flops = 0;  ///< of these: computed by units for fp32 in bf16 runs too
  double bytes = 0;  ///< fewest bytes that must cross memory: each input read once, each output written once
};

using Profile = std::map<std::string, OpCount, std::less<>>;

class Context {
 public:
  static constexpr std::size_t kWorkspaceBytes = std::size_t{2} << 20U;

  explicit Context(int threads = omp_get_max_threads()) : threads_(threads < 1 ? 1 : threads) {}
  /// Ops run on the GPU of `cuda`, which must outlive this; on the CPU where it is null.
  Context(int threads, CudaContext* cuda) : Context(threads) { cuda_ = cuda; }

  /// Threads of an op on the CPU. An op that runs there cannot be given a GPU's tensors: InternalError.
  [[nodiscard]] int threads() const {
    if (cuda_ != nullptr) [[unlikely]]
      no_cuda_twin();
    return threads_;
  }
  /// Threads that host code may use, wherever the ops run.
  [[nodiscard]] int host_threads() const { return threads_; }
  [[nodiscard]] CudaContext* cuda() const { return cuda_; }
  /// The memory in which the tensors of ops must be.
  [[nodiscard]] Memory& memory() const;
  /// The host waits until all that was asked for is computed. Not inside a step.
  void synchronize() const;
  /// Scratch of an op on the CPU: kWorkspaceBytes, made when an op first asks for it. What it holds is
  /// lost at the op's return.
  [[nodiscard]] std::byte* workspace() {
    if (workspace_.bytes() == 0) workspace_ = Buffer(kWorkspaceBytes);
    return workspace_.data();
  }
  /// The tensor's values as ops so far leave them, to host memory; the host waits. Once a step.
  void read(const Tensor& from, void* to) const;

  /// Ops add to `profile` while one is set; without one they only run.
  void set_profile(Profile* profile) { profile_ = profile; }
  [[nodiscard]] Profile* profile() const { return profile_; }
  /// Ops are recorded in `trace` while one is set, without waiting for a GPU: there, the times are those at
  /// which the host asked for them, and NVTX ranges surround them.
  void set_trace(Trace* trace) { trace_ = trace; }
  [[nodiscard]] Trace* trace() const { return trace_; }
  /// The threads of ops while one is set (BoundThreads); else OpenMP's.
  void set_team(ThreadTeam* team) { team_ = team; }
  [[nodiscard]] ThreadTeam* team() const { return team_; }

 private:
  [[noreturn]] static void no_cuda_twin();

  int threads_;
  CudaContext* cuda_ = nullptr;
  Profile* profile_ = nullptr;
  Buffer workspace_;
  Trace* trace_ = nullptr;
  ThreadTeam* team_ = nullptr;
};

/// Ops of the context are profiled while it lives.
class Profiling {
 public:
  /// Both must outlive it.
  Profiling(Context& context, Profile& profile) : context_(context) { context_.set_profile(&profile); }
  ~Profiling() { context_.set_profile(nullptr); }
  Profiling(const Profiling&) = delete;
  Profiling& operator=(const Profiling&) = delete;

 private:
  Context& context_;
};

/// Placed in an op of the CPU after its OpScope and its checks of shapes: with a GPU its twin runs instead,
/// e.g. NYSTROM_ON_CUDA(gelu_forward, context, kind, x, y) calls cuda::gelu_forward(*context.cuda(), kind, x,
/// y).
/// NYSTROM_CUDA_HAS(is_fused, context, args): there is a GPU, and cuda::is_fused(*context.cuda(), args) says
/// that it has its own implementation; false in a program without CUDA.
#ifdef NYSTROM_WITH_CUDA
#define NYSTROM_ON_CUDA(op, context, ...) \
  if ((context).cuda() != nullptr) return cuda::op(*(context).cuda(), __VA_ARGS__)
#define NYSTROM_CUDA_HAS(way, context, ...) \
  ((context).cuda() != nullptr && cuda::way(*(context).cuda(), __VA_ARGS__))
#else
#define NYSTROM_ON_CUDA(op, context, ...) static_cast<void>(0)
#define NYSTROM_CUDA_HAS(way, context, ...) false
#endif

/// Placed at the top of each op: OpScope scope(context, "gelu_forward", flops, bytes). `fp32_flops` of the
/// flops are computed by units for fp32 whatever the precision of the run.
class OpScope {
 public:
  OpScope(Context& context, std::string_view name, double flops, double bytes, double fp32_flops = 0)
      : event_{.name = name, .flops = flops, .bytes = bytes, .fp32_flops = fp32_flops} {
    if (context.profile() != nullptr || context.trace() != nullptr) begin(context);
  }
  ~OpScope() {
    if (context_ != nullptr) end();
  }
  OpScope(const OpScope&) = delete;
  OpScope& operator=(const OpScope&) = delete;

 private:
  friend class PartScope;
  OpScope(Context& context, std::string_view name) : event_{.name = name, .kind = Trace::Kind::kPart} {
    if (context.trace() != nullptr) begin(context);
  }
  void begin(Context& context);
  void end() noexcept;
  void count(double seconds) const;

  const Context* context_ = nullptr;  // null: nobody asks
  Trace::Event event_;
};

/// A part of a step, around its ops, in a trace: PartScope part(context, "forward").
class PartScope {
 public:
  PartScope(Context& context, std::string_view name) : scope_(context, name) {}

 private:
  OpScope scope_;
};

/// Runs body(begin, end) over [0, count) on the context's threads, in chunks of at least `grain`. Each thread
/// has an equal part, in order, and continues with the chunks that others have not yet begun: one that the
/// machine keeps waiting is helped. So body's results must not depend on who computes a chunk, nor on where
/// chunks begin. body must not throw.
template <class Body>
void parallel_for(Context& context, std::int64_t count, std::int64_t grain, const Body& body) {
  constexpr std::int64_t kChunksPerThread = 8, kMaxChunks = 1024;
  const std::int64_t most = std::min(grain < 1 ? 1 : (count + grain - 1) / grain, kMaxChunks);
  const std::int64_t chunks = std::min(most, kChunksPerThread * context.threads());
  if (context.threads() == 1 || chunks <= 1) {
    if (count > 0) body(std::int64_t{0}, count);
    return;
  }
  if (ThreadTeam* const team = context.team(); team != nullptr) {
    team->run(chunks,
              [&](std::int64_t chunk, int) { body(count * chunk / chunks, count * (chunk + 1) / chunks); });
    return;
  }
  std::array<std::atomic<bool>, kMaxChunks> begun{};
  // All threads, however few the chunks: libgomp ends those that a smaller team leaves out, and starts new
  // ones for the next.
#pragma omp parallel num_threads(context.threads())
  {
    const std::int64_t own = chunks * omp_get_thread_num() / omp_get_num_threads();
    for (std::int64_t turn = 0; turn < chunks; ++turn) {
      const std::int64_t chunk = (own + turn) % chunks;
      if (!begun[static_cast<std::size_t>(chunk)].exchange(true, std::memory_order_relaxed))
        body(count * chunk / chunks, count * (chunk + 1) / chunks);
    }
  }
}

/// Runs body(i, thread) for i in [0, count), dynamically scheduled (uneven work);
/// thread is in [0, context.threads()). body must not throw.
template <class Body>
void parallel_items(Context& context, std::int64_t count, const Body& body) {
  if (context.threads() == 1 || count <= 1) {
    for (std::int64_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  if (ThreadTeam* const team = context.team(); team != nullptr) {
    team->run(count, body);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(context.threads())
  for (std::int64_t i = 0; i < count; ++i) body(i, omp_get_thread_num());
}

}  // namespace nystrom
