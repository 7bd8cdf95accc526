// Blocks of a kernel: a fiber a thread, barriers and shuffles that wait, deadlocks that are reported.

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <numeric>
#include <string_view>
#include <vector>

#include "machine.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace nystrom::emulation {

constinit thread_local Current current;
constinit Progress progress;

namespace {

namespace context = boost::context::detail;

constexpr unsigned kWarp = 32;
constexpr std::size_t kStackBytes = 256 * 1024, kPage = 4096;
constexpr std::size_t kSharedGuard = 256;
constexpr std::byte kGuard{0xA5}, kPoison{0xFF};

std::string place(const Site& site) {
  std::string_view file = site.file_name();
  if (const auto slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
  return fmt::format("{}:{}", file, site.line());
}

std::string text(const uint3& v) {
  return fmt::format("({}, {}, {})", v.x, v.y, v.z);
}

enum class State : std::uint8_t { kReady, kAtBlockBarrier, kAtWarp, kDone };

struct Lane {
  context::fcontext_t context = nullptr;
  uint3 thread{};
  unsigned index = 0;
  State state = State::kReady;
  const char* what = "";
  Site site;
  unsigned mask = 0;           // of the exchange that it waits at
  void* fake_stack = nullptr;  // AddressSanitizer's
  std::vector<CopyUnderWay> copies;
};

/// Lanes of a warp that meet at one exchange. Two generations of values, so that a lane may be one ahead.
struct Meeting {
  unsigned mask = 0, arrived = 0, generation = 0;
  const WarpOperation* operation = nullptr;
  Site site;
  alignas(16) std::array<std::array<std::byte, kWarp * kMaxExchangeBytes>, 2> values;
};

/// Groups of lanes of one warp may meet separately.
struct Warp {
  Meeting whole;
  std::deque<Meeting> parts;  // by masks in use; addresses stay
};

class Stacks {
 public:
  Stacks() {
    base_ = static_cast<std::byte*>(mmap(nullptr, kMaxThreads * kStackBytes, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (base_ == MAP_FAILED) std::abort();
    for (std::size_t i = 0; i < kMaxThreads; ++i) mprotect(base_ + i * kStackBytes, kPage, PROT_NONE);
  }
  [[nodiscard]] const std::byte* begin() const { return base_; }
  /// Tops are staggered, or the fibers' first frames would share cache sets.
  [[nodiscard]] std::byte* top(std::size_t i) const { return base_ + (i + 1) * kStackBytes - i % 61 * 64; }
  [[nodiscard]] std::byte* bottom(std::size_t i) const { return base_ + i * kStackBytes + kPage; }

 private:
  std::byte* base_;
};

class BlockRunner {
 public:
  static BlockRunner& instance() {
    static BlockRunner runner;
    return runner;
  }

  void run(const KernelCall& call, uint3 block) {
    call_ = &call;
    block_ = block;
    fault_.clear();
    prepare_shared(call.shared_bytes);
    start_lanes(call.block);
    current.block = block;
    current.block_size = call.block;
    current.grid_size = call.grid;
    current.shared = shared_.data() + kSharedGuard;
    ++progress.block_run;
    progress.block = block.x + call.grid.x * (block.y + call.grid.y * block.z);
    progress.barriers = 0;
    progress.atomic = false;  // a fault may have left it
    progress.warp_barriers = {};
    progress.shared = current.shared;
    progress.shared_bytes = call.shared_bytes;
    inside_ = true;
    while (!ready_.empty() && fault_.empty()) leave_to_next(main_);
    inside_ = false;
    if (fault_.empty() && done_ != threads_) fault_ = deadlock();
    if (fault_.empty()) check_shared(call.shared_bytes);
    if (!fault_.empty()) forget_abandoned_frames();
    if (!fault_.empty()) set_fault(fmt::format("kernel {}, block {}: {}", call.name, text(block), fault_));
  }

  [[nodiscard]] bool inside() const { return inside_ && running_ != &main_; }
  [[nodiscard]] unsigned lane() const { return running_->index % kWarp; }

  void synchronize_block(const Site& site) {
    Lane& me = *running_;
    if (at_barrier_ == 0) barrier_ = site;
    if (site.line() != barrier_.line() || std::string_view(site.file_name()) != barrier_.file_name())
      leave_with(fmt::format("thread {} is at the __syncthreads at {} while others wait at {}",
                             text(me.thread), place(site), place(barrier_)));
    me.state = State::kAtBlockBarrier;
    me.what = "__syncthreads";
    me.site = site;
    if (++at_barrier_ == threads_) {
      at_barrier_ = 0;
      ++progress.barriers;
      push_all();
    }
    leave_to_next(me);
  }

  const std::byte* exchange(unsigned mask, const void* value, std::size_t bytes,
                            const WarpOperation& operation, const Site& site) {
    Lane& me = *running_;
    const unsigned number = me.index % kWarp, bit = 1U << number;
    if ((mask & bit) == 0)
      leave_with(fmt::format("thread {} calls {} at {} with a mask that lacks it", text(me.thread),
                             operation.name, place(site)));
    const unsigned first = me.index - number, there = std::min(kWarp, threads_ - first);
    if (there < kWarp) mask &= (1U << there) - 1;  // the last warp of a block may be short
    Meeting& meeting = find_meeting(warps_[me.index / kWarp], mask);
    if (meeting.arrived == 0) {
      meeting.operation = &operation;
      meeting.site = site;
    } else if (site.line() != meeting.site.line() || &operation != meeting.operation) {
      leave_with(fmt::format("thread {} is at {} at {} while lanes of its warp wait at {} at {}",
                             text(me.thread), operation.name, place(site), meeting.operation->name,
                             place(meeting.site)));
    }
    std::byte* const values = meeting.values[meeting.generation & 1U].data();
    std::memcpy(values + number * bytes, value, bytes);
    meeting.arrived |= bit;
    if (meeting.arrived == mask) {
      meeting.arrived = 0;
      ++meeting.generation;
      if (operation.complete != nullptr) operation.complete(values);
      if (operation.orders_memory) ++progress.warp_barriers[me.index / kWarp];
      for (unsigned i = 0; i < there; ++i)
        if (i != number && (mask >> i & 1U) != 0) push(lanes_[first + i]);
    } else {
      me.state = State::kAtWarp;
      me.what = operation.name;
      me.site = site;
      me.mask = mask;
      leave_to_next(me);
    }
    return values;
  }

  /// The running thread ends the kernel with a fault.
  [[noreturn]] void leave_with(std::string sentence) {
    fault_ = std::move(sentence);
    ready_.clear();
    leave(*running_, main_);
    std::abort();  // never resumed
  }
  [[nodiscard]] std::vector<CopyUnderWay>& copies() { return running_->copies; }
  [[nodiscard]] std::string running_thread() const { return text(running_->thread); }
  [[nodiscard]] std::string thread(unsigned index) const { return text(lanes_[index].thread); }

 private:
  BlockRunner() : lanes_(kMaxThreads), warps_(kMaxThreads / kWarp) {
    ready_.reserve(kMaxThreads);
    order_.reserve(kMaxThreads);
    progress.stacks = stacks_.begin();
    progress.stacks_end = progress.stacks + kMaxThreads * kStackBytes;
  }

  void prepare_shared(std::size_t bytes) {
    shared_.resize(bytes + 2 * kSharedGuard);
    std::fill_n(shared_.begin(), kSharedGuard, kGuard);
    std::fill_n(shared_.begin() + kSharedGuard, bytes, kPoison);
    std::fill_n(shared_.end() - kSharedGuard, kSharedGuard, kGuard);
  }

  void check_shared(std::size_t bytes) {
    const auto whole = [](auto from) {
      return std::all_of(from, from + kSharedGuard, [](std::byte b) { return b == kGuard; });
    };
    if (!whole(shared_.begin()) || !whole(shared_.end() - kSharedGuard))
      fault_ = fmt::format("it wrote beyond its {} bytes of shared memory", bytes);
  }

  void start_lanes(dim3 block) {
    threads_ = block.x * block.y * block.z;
    done_ = at_barrier_ = 0;
    for (unsigned w = 0; w * kWarp < threads_; ++w) abandon_meetings(warps_[w]);
    for (unsigned i = 0; i < threads_; ++i) {
      Lane& lane = lanes_[i];
      lane.index = i;
      lane.thread = {i % block.x, i / block.x % block.y, i / block.x / block.y};
      lane.fake_stack = nullptr;
      lane.copies.clear();
      lane.context = context::make_fcontext(stacks_.top(i), kStackBytes - kPage - 64 * 64, enter);
    }
    push_all();
  }

  void push(Lane& lane) {
    lane.state = State::kReady;
    ready_.push_back(&lane);
  }

  /// Warps in a drawn order, a warp's lanes forwards or backwards; the last one pushed runs first.
  void push_all() {
    const unsigned warps = (threads_ + kWarp - 1) / kWarp;
    order_.resize(warps);
    std::iota(order_.begin(), order_.end(), 0U);
    for (unsigned i = warps; i > 1; --i) std::swap(order_[i - 1], order_[dice().below(i)]);
    const bool backwards = dice().below(2) != 0;
    for (const unsigned w : order_) {
      const unsigned first = w * kWarp, there = std::min(kWarp, threads_ - first);
      for (unsigned i = 0; i < there; ++i) push(lanes_[first + (backwards ? i : there - 1 - i)]);
    }
  }

  static void abandon_meetings(Warp& warp) {
    warp.whole.arrived = 0;
    for (Meeting& meeting : warp.parts) meeting.arrived = 0;
  }

  static Meeting& find_meeting(Warp& warp, unsigned mask) {
    if (mask == 0xffffffffU) return warp.whole;
    for (Meeting& meeting : warp.parts)
      if (meeting.mask == mask) return meeting;
    Meeting& fresh = warp.parts.emplace_back();
    fresh.mask = mask;
    return fresh;
  }

  void leave_to_next(Lane& me) {
    if (ready_.empty()) {
      leave(me, main_);
      return;
    }
    Lane& next = *ready_.back();
    ready_.pop_back();
    if (&next != &me) leave(me, next);
  }

  /// From fiber `me` to fiber `next`; returns when somebody comes back to `me`.
  void leave(Lane& me, Lane& next) {
    running_ = &next;
    current.thread = next.thread;
    progress.in_thread = &next != &main_;
    progress.thread = next.index;
    before_switch(me, next);
    const context::transfer_t from = context::jump_fcontext(next.context, &me);
    arrived(me, from);
  }

  static void arrived(Lane& me, const context::transfer_t& from) {
    static_cast<Lane*>(from.data)->context = from.fctx;
    after_switch(me);
  }

#if defined(__SANITIZE_ADDRESS__)
  void before_switch(Lane& me, const Lane& next) {
    if (me.state == State::kDone) {
      constexpr std::size_t kOwnFrame = 2048;
      const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0)) - kOwnFrame;
      forget_frames(std::max(here, static_cast<const std::byte*>(stacks_.bottom(me.index))), me.index);
    }
    const bool to_main = &next == &main_;
    void** save = me.state == State::kDone ? nullptr : &me.fake_stack;
    if (to_main)
      __sanitizer_start_switch_fiber(save, main_bottom_, main_size_);
    else
      __sanitizer_start_switch_fiber(save, stacks_.bottom(next.index), kStackBytes - kPage);
  }
  static void after_switch(Lane& me) {
    BlockRunner& r = instance();
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(me.fake_stack, &bottom, &size);
    if (r.main_bottom_ == nullptr || r.entering_from_main_) {
      r.main_bottom_ = bottom;
      r.main_size_ = size;
    }
  }
  /// Frames that nobody returns to leave their red zones behind; the stack's next user must not meet them.
  void forget_frames(const std::byte* from, unsigned lane) const {
    __asan_unpoison_memory_region(from, static_cast<std::size_t>(stacks_.top(lane) - from));
  }
  void forget_abandoned_frames() const {
    for (unsigned i = 0; i < threads_; ++i) forget_frames(stacks_.bottom(i), i);
  }
#else
  static void before_switch(Lane&, const Lane&) {}
  static void after_switch(Lane&) {}
  static void forget_abandoned_frames() {}
#endif

  static void enter(context::transfer_t from) {
    BlockRunner& runner = instance();
    Lane& me = *runner.running_;
#if defined(__SANITIZE_ADDRESS__)
    runner.entering_from_main_ = from.data == &runner.main_;
    arrived(me, from);
    runner.entering_from_main_ = false;
#else
    arrived(me, from);
#endif
    try {
      runner.call_->thread();
    } catch (const std::exception& error) {
      runner.fault_ = fmt::format("thread {}: {}", text(me.thread), error.what());
      runner.ready_.clear();
    }
    if (!me.copies.empty() && runner.fault_.empty()) {
      runner.fault_ = fmt::format("thread {} ends with copies under way", text(me.thread));
      runner.ready_.clear();
    }
    me.state = State::kDone;
    ++runner.done_;
    runner.leave_to_next(me);
    std::abort();  // never resumed
  }

  /// Nobody can run and not all are done.
  [[nodiscard]] std::string deadlock() const {
    const Lane* waiting = nullptr;
    const Lane* other = nullptr;
    for (unsigned i = 0; i < threads_; ++i) {
      const Lane& lane = lanes_[i];
      if (lane.state == State::kAtWarp) waiting = &lane;
      if (waiting == nullptr && lane.state == State::kAtBlockBarrier) waiting = &lane;
    }
    if (waiting == nullptr) return "its threads wait for nothing that could come";
    const unsigned first = waiting->index / kWarp * kWarp;
    const bool warp = waiting->state == State::kAtWarp;
    for (unsigned i = 0; i < threads_ && other == nullptr; ++i) {
      const Lane& lane = lanes_[i];
      const bool awaited =
          !warp || (i >= first && i < first + kWarp && (waiting->mask >> (i - first) & 1U) != 0);
      const bool here = lane.state == waiting->state && (!warp || lane.mask == waiting->mask);
      if (awaited && !here) other = &lane;
    }
    const std::string sentence = fmt::format("thread {} waits at the {} at {}", text(waiting->thread),
                                             waiting->what, place(waiting->site));
    if (other == nullptr) return sentence;
    const std::string where = other->state == State::kDone
                                  ? "has left the kernel"
                                  : fmt::format("waits at the {} at {}", other->what, place(other->site));
    return fmt::format("{} for thread {}, which {}", sentence, text(other->thread), where);
  }

  Stacks stacks_;
  std::vector<Lane> lanes_;
  std::vector<Warp> warps_;
  std::vector<Lane*> ready_;
  std::vector<unsigned> order_;
  std::vector<std::byte> shared_;
  Lane main_;
  Lane* running_ = &main_;
  const KernelCall* call_ = nullptr;
  uint3 block_{};
  unsigned threads_ = 0, done_ = 0, at_barrier_ = 0;
  Site barrier_;
  std::string fault_;
  bool inside_ = false;
#if defined(__SANITIZE_ADDRESS__)
  const void* main_bottom_ = nullptr;
  std::size_t main_size_ = 0;
  bool entering_from_main_ = false;
#endif
};

}  // namespace

void synchronize_block(const Site& site) {
  BlockRunner::instance().synchronize_block(site);
}

const std::byte* exchange(unsigned mask, const void* value, std::size_t bytes, const WarpOperation& operation,
                          const Site& site) {
  return BlockRunner::instance().exchange(mask, value, bytes, operation, site);
}

AtomicAccess::AtomicAccess() {
  progress.atomic = true;
}
AtomicAccess::~AtomicAccess() {
  progress.atomic = false;
}

void publish_writes() {
  progress.published[progress.thread] = progress.writes;
}
TensorRead::TensorRead() {
  progress.tensor = true;
}
TensorRead::~TensorRead() {
  progress.tensor = false;
}

void count_bank_conflicts(const void* const* rows, int count) {
  constexpr std::uintptr_t kBanks = 8;  // of 16 bytes
  for (int first = 0; first < count; first += 8) {
    std::array<int, kBanks> wanted{};
    for (int i = first; i < first + 8; ++i) ++wanted[reinterpret_cast<std::uintptr_t>(rows[i]) / 16 % kBanks];
    mutable_statistics().bank_conflicts += *std::max_element(wanted.begin(), wanted.end()) - 1;
  }
}

void note_copy(const CopyUnderWay& copy) {
  BlockRunner::instance().copies().push_back(copy);
}
bool take_copy(CopyUnderWay& copy) {
  std::vector<CopyUnderWay>& copies = BlockRunner::instance().copies();
  if (copies.empty()) return false;
  copy = copies.back();
  copies.pop_back();
  return true;
}

unsigned lane() {
  return BlockRunner::instance().lane();
}

void fault_in_kernel(const char* sentence, const Site& site) {
  BlockRunner& runner = BlockRunner::instance();
  runner.leave_with(fmt::format("thread {} at {}: {}", runner.running_thread(), place(site), sentence));
}

void fault_of_thread(const std::string& what) {
  BlockRunner& runner = BlockRunner::instance();
  runner.leave_with(fmt::format("thread {} {}", runner.running_thread(), what));
}

std::string thread_text(unsigned index) {
  return BlockRunner::instance().thread(index);
}

bool inside_kernel() {
  return BlockRunner::instance().inside();
}

bool abandon_kernel(const std::string& what) {
  if (!inside_kernel()) return false;
  fault_of_thread(what);
}

// Blocks in a drawn order: none may count on another.
void run_kernel(const KernelCall& call) {
  ++progress.launch;
  const std::uint64_t blocks = std::uint64_t{call.grid.x} * call.grid.y * call.grid.z;
  std::uint64_t stride = 1;
  if (blocks > 2) {
    do stride = 1 + dice().below(blocks - 1);
    while (std::gcd(stride, blocks) != 1);
  }
  std::uint64_t index = blocks == 0 ? 0 : dice().below(blocks);
  for (std::uint64_t n = 0; n < blocks && fault().empty(); ++n, index = (index + stride) % blocks)
    BlockRunner::instance().run(call, {static_cast<unsigned>(index % call.grid.x),
                                       static_cast<unsigned>(index / call.grid.x % call.grid.y),
                                       static_cast<unsigned>(index / call.grid.x / call.grid.y)});
}

}  // namespace nystrom::emulation
