// Shadow memory: accesses of a kernel's threads that no barrier orders are faults, whatever order was drawn.
//
// Kernels that are compiled with -fsanitize=thread call the functions at the end for each load and store;
// they take the place of ThreadSanitizer's own. For each two bytes of shared and device memory it is kept who
// wrote last and who has read since. Two accesses of which one writes are ordered
//   - in one thread;
//   - in one block by a __syncthreads between them, and in one warp also by a __syncwarp (shuffles, votes,
//   ldmatrix and
//     mma order nothing);
//   - between blocks of one launch never, but for atomics with each other.
// What wgmma reads must also have been published by the thread that wrote it (publish_tiles() of wgmma.h).
// Which kernels of different streams may run at once is not looked at: streams.cpp draws their order.

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "machine.h"

namespace nystrom::emulation {
namespace {

constexpr std::uintptr_t kCellBytes = 2, kPageBytes = 4096;

/// One access: by which thread, and when.
struct Access {
  std::uint32_t block = 0, barriers = 0, warp_barriers = 0;
  std::uint16_t thread = 0;
  bool there = false, atomic = false;
};

struct Cell {
  std::uint64_t stamp = 0;  ///< of the launch (the block's run): what is older is forgotten
  Access write;
  std::uint64_t write_number = 0;   ///< of Progress::writes
  std::array<Access, 2> reads;      ///< the last by two different threads
  std::uint32_t reading_warps = 0;  ///< since the barrier of reads[0]
  bool read_by_blocks = false;      ///< by several of the launch
};

std::uint32_t warp_barriers_of(std::uint32_t thread) {
  return progress.warp_barriers[thread / 32];
}

Access this_access() {
  return {.block = progress.block,
          .barriers = progress.barriers,
          .warp_barriers = warp_barriers_of(progress.thread),
          .thread = static_cast<std::uint16_t>(progress.thread),
          .there = true,
          .atomic = progress.atomic};
}

bool is_ordered_before(const Access& before, const Access& now) {
  if (!before.there) return true;
  if (before.block != now.block) return false;
  return before.thread == now.thread || before.barriers < now.barriers ||
         (before.thread / 32 == now.thread / 32 && before.warp_barriers < now.warp_barriers);
}

/// Where the access is in the program, for addr2line.
std::string place_of(const void* code) {
  Dl_info info{};
  if (dladdr(code, &info) == 0 || info.dli_fname == nullptr) return "";
  const auto offset = static_cast<const std::byte*>(code) - static_cast<const std::byte*>(info.dli_fbase) - 1;
  return fmt::format(" (addr2line -Cfie {} {:#x})", info.dli_fname, offset);
}

class Shadow {
 public:
  static Shadow& instance() {
    static Shadow shadow;
    return shadow;
  }

  void access(const void* address, std::uintptr_t bytes, bool write, const void* code) {
    const auto* first = static_cast<const std::byte*>(address);
    if (first >= progress.stacks && first < progress.stacks_end) return;
    const bool shared = first >= progress.shared && first < progress.shared + progress.shared_bytes;
    const Access now = this_access();
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    for (std::uintptr_t at = begin / kCellBytes; at <= (begin + bytes - 1) / kCellBytes; ++at) {
      Cell* const cell = shared ? shared_cell(at) : device_cell(at);
      if (cell == nullptr) return;
      const std::uint64_t stamp = shared ? progress.block_run : progress.launch;
      if (cell->stamp != stamp) {
        *cell = {};
        cell->stamp = stamp;
      }
      if (const Access* other = write ? note_write(*cell, now) : note_read(*cell, now); other != nullptr)
        fault_of_thread(sentence(address, shared, write, now, *other, other == &cell->write) +
                        place_of(code));
      if (write)
        cell->write_number = ++progress.writes;
      else if (progress.tensor && cell->write_number > progress.published[cell->write.thread])
        fault_of_thread(
            fmt::format("wgmma reads byte {} of shared memory, which thread {} has written and not published "
                        "(publish_tiles)",
                        first - progress.shared, thread_text(cell->write.thread)));
    }
  }

 private:
  Cell* shared_cell(std::uintptr_t at) {
    const std::uintptr_t index = at - reinterpret_cast<std::uintptr_t>(progress.shared) / kCellBytes;
    if (index >= shared_.size()) shared_.resize(progress.shared_bytes / kCellBytes + 1);
    return index < shared_.size() ? &shared_[index] : nullptr;
  }

  using Cells = std::array<Cell, kPageBytes / kCellBytes>;

  /// Null outside of device memory.
  Cell* device_cell(std::uintptr_t at) {
    const std::uintptr_t page = at / (kPageBytes / kCellBytes);
    Looked& looked = looked_[page % looked_.size()];
    if (looked.page != page ||
        looked.launch != progress.launch)  // what is device memory changes between launches
      looked = {.page = page, .launch = progress.launch, .cells = cells_of(page)};
    return looked.cells == nullptr ? nullptr : &(*looked.cells)[at % (kPageBytes / kCellBytes)];
  }

  Cells* cells_of(std::uintptr_t page) {
    if (!is_in_device_pages(reinterpret_cast<const void*>(page * kPageBytes))) return nullptr;
    std::unique_ptr<Cells>& cells = pages_[page];
    if (cells == nullptr) cells = std::make_unique<Cells>();
    return cells.get();
  }

  /// The access that is in conflict with this one, or null.
  static const Access* note_read(Cell& cell, const Access& now) {
    if (now.atomic) return nullptr;  // its write follows
    const bool conflict = !is_ordered_before(cell.write, now);
    Access& last = cell.reads[0];
    if (!last.there || last.block != now.block || last.barriers != now.barriers) {
      cell.read_by_blocks = cell.read_by_blocks || (last.there && last.block != now.block);
      cell.reading_warps = 0;
    }
    cell.reading_warps |= 1U << now.thread / 32U;
    if (last.there && last.thread != now.thread) cell.reads[1] = last;
    last = now;
    return conflict ? &cell.write : nullptr;
  }

  static const Access* note_write(Cell& cell, const Access& now) {
    if (!is_ordered_before(cell.write, now) && !(cell.write.atomic && now.atomic)) return &cell.write;
    for (const Access& read : cell.reads)
      if (!is_ordered_before(read, now)) return &read;
    const Access& last = cell.reads[0];
    const bool others = (cell.reading_warps & ~(1U << now.thread / 32U)) != 0;
    if (last.there && (cell.read_by_blocks || (last.barriers == now.barriers && others))) return &last;
    cell.write = now;
    cell.reads = {};
    cell.reading_warps = 0;
    cell.read_by_blocks = false;
    return nullptr;
  }

  static std::string sentence(const void* address, bool shared, bool write, const Access& now,
                              const Access& other, bool other_writes) {
    const std::string where = shared ? fmt::format("byte {} of shared memory",
                                                   static_cast<const std::byte*>(address) - progress.shared)
                                     : describe_memory(address);
    const std::string whom = other.block != now.block
                                 ? fmt::format("a thread of block number {}", other.block)
                                 : fmt::format("thread {}", thread_text(other.thread));
    return fmt::format("{} {}; {} has {} it, and no barrier orders the two", write ? "writes" : "reads",
                       where, whom, other_writes ? "written" : "read");
  }

  struct Looked {
    std::uintptr_t page = 0;
    std::uint64_t launch = 0;
    Cells* cells = nullptr;
  };

  std::vector<Cell> shared_;
  std::unordered_map<std::uintptr_t, std::unique_ptr<Cells>> pages_;
  std::array<Looked, 256> looked_;  // pages that were looked up last
};

std::uint64_t noted = 0;

void note(const void* address, std::uintptr_t bytes, bool write, const void* code) {
  if (!progress.in_thread) return;
  ++noted;
  Shadow::instance().access(address, bytes, write, code);
}

}  // namespace

std::uint64_t watched_accesses() {
  return noted;
}

}  // namespace nystrom::emulation

// What the compiler calls. Atomic operations of the host's code in the same files are what they would be.
#define NYSTROM_ACCESS(name, bytes, write)                                        \
  void __tsan_##name(void* address) {                                             \
    nystrom::emulation::note(address, bytes, write, __builtin_return_address(0)); \
  }
#define NYSTROM_ACCESSES(bytes)                       \
  NYSTROM_ACCESS(read##bytes, bytes, false)           \
  NYSTROM_ACCESS(write##bytes, bytes, true)           \
  NYSTROM_ACCESS(unaligned_read##bytes, bytes, false) \
  NYSTROM_ACCESS(unaligned_write##bytes, bytes, true)
#define NYSTROM_ATOMICS(bits, type)                                                             \
  type __tsan_atomic##bits##_load(const type* x, int) {                                         \
    return __atomic_load_n(x, __ATOMIC_SEQ_CST);                                                \
  }                                                                                             \
  void __tsan_atomic##bits##_store(type* x, type y, int) {                                      \
    __atomic_store_n(x, y, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                             \
  type __tsan_atomic##bits##_exchange(type* x, type y, int) {                                   \
    return __atomic_exchange_n(x, y, __ATOMIC_SEQ_CST);                                         \
  }                                                                                             \
  type __tsan_atomic##bits##_fetch_add(type* x, type y, int) {                                  \
    return __atomic_fetch_add(x, y, __ATOMIC_SEQ_CST);                                          \
  }                                                                                             \
  type __tsan_atomic##bits##_fetch_sub(type* x, type y, int) {                                  \
    return __atomic_fetch_sub(x, y, __ATOMIC_SEQ_CST);                                          \
  }                                                                                             \
  int __tsan_atomic##bits##_compare_exchange_strong(type* x, type* y, type z, int, int) {       \
    return __atomic_compare_exchange_n(x, y, z, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ? 1 : 0; \
  }
extern "C" {
NYSTROM_ACCESSES(1)
NYSTROM_ACCESSES(2)
NYSTROM_ACCESSES(4)
NYSTROM_ACCESSES(8)
NYSTROM_ACCESSES(16)
NYSTROM_ATOMICS(8, std::uint8_t)
NYSTROM_ATOMICS(32, std::uint32_t)
NYSTROM_ATOMICS(64, std::uint64_t)
void __tsan_read_range(void* address, std::uintptr_t bytes) {
  nystrom::emulation::note(address, bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void* address, std::uintptr_t bytes) {
  nystrom::emulation::note(address, bytes, true, __builtin_return_address(0));
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
}
