// Device and pinned memory: poisoned, guarded, out of the host's reach while host code runs.

#include <fmt/format.h>

#include <sys/mman.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "streams.h"

namespace nystrom::emulation {
namespace {

constexpr std::size_t kPage = 4096, kAlignment = 256;
constexpr std::size_t kPoisonBytes = std::size_t{4} << 20U;
constexpr std::size_t kNoAccess = 16 * kPage;  // before and after each allocation

constexpr std::size_t up(std::size_t bytes, std::size_t to) {
  return (bytes + to - 1) / to * to;
}

/// [no access][guard .. data .. guard][no access]; the guards fill their pages.
struct Allocation {
  std::byte* pages = nullptr;  // first accessible page
  std::size_t page_bytes = 0;
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  std::size_t number = 0;
  bool pinned = false;

  [[nodiscard]] std::byte* end() const { return data + bytes; }
  [[nodiscard]] bool whole() const {
    const auto is_guard = [](std::byte b) { return b == std::byte{0xA5}; };
    return std::all_of(pages, data, is_guard) && std::all_of(end(), pages + page_bytes, is_guard);
  }
};

/// A file of 0xff in memory.
int poison_file() {
  const int file = memfd_create("poison", 0);
  const std::vector<unsigned char> poison(kPoisonBytes, 0xFF);
  if (file < 0 || write(file, poison.data(), poison.size()) != static_cast<ssize_t>(kPoisonBytes))
    std::abort();
  return file;
}

/// Pages of 0xff, which take no memory (and no time when access to them changes) until they are written to.
void map_poison(std::byte* pages, std::size_t bytes) {
  static const int file = poison_file();
  for (std::size_t at = 0; at < bytes; at += kPoisonBytes)
    if (mmap(pages + at, std::min(kPoisonBytes, bytes - at), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, 0) == MAP_FAILED)
      std::abort();
}

void on_segmentation_fault(int, siginfo_t* info, void*);

class Memory {
 public:
  static Memory& instance() {
    static Memory memory;
    return memory;
  }

  std::byte* allocate(std::size_t bytes, bool pinned) {
    watch();
    Allocation a;
    a.bytes = bytes;
    a.pinned = pinned;
    a.number = ++count_;
    a.page_bytes = kPage + up(std::max<std::size_t>(bytes, 1) + kAlignment, kPage);
    auto* all = static_cast<std::byte*>(mmap(nullptr, a.page_bytes + 2 * kNoAccess, PROT_NONE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (all == MAP_FAILED) return nullptr;
    a.pages = all + kNoAccess;
    mprotect(a.pages, a.page_bytes, PROT_READ | PROT_WRITE);
    // As near to the end as the alignment permits: what overruns far enough meets the page without access.
    a.data = a.pages + a.page_bytes - up(std::max<std::size_t>(bytes, 1), kAlignment) - kAlignment;
    map_poison(a.pages, a.page_bytes);
    std::memset(a.pages, 0xA5, static_cast<std::size_t>(a.data - a.pages));
    std::memset(a.end(), 0xA5, static_cast<std::size_t>(a.pages + a.page_bytes - a.end()));
    if (!pinned && depth_ == 0) mprotect(a.pages, a.page_bytes, PROT_NONE);
    allocations_[a.data] = a;
    if (!pinned) used_ += bytes;
    return a.data;
  }

  bool release(void* address, bool pinned) {
    const auto found = allocations_.find(static_cast<std::byte*>(address));
    if (found == allocations_.end() || found->second.pinned != pinned) return false;
    const Allocation& a = found->second;
    if (!pinned) used_ -= a.bytes;
    munmap(a.pages - kNoAccess, a.page_bytes + 2 * kNoAccess);
    allocations_.erase(found);
    return true;
  }

  /// The allocation whose pages (and the page before and after) hold the address.
  const Allocation* around(const void* address) const {
    const auto* p = static_cast<const std::byte*>(address);
    auto next = allocations_.upper_bound(const_cast<std::byte*>(p));
    for (int step = 0; step < 2; ++step) {
      if (next != allocations_.end()) {
        const Allocation& a = next->second;
        if (p >= a.pages - kNoAccess && p < a.pages + a.page_bytes + kNoAccess) return &a;
      }
      if (next == allocations_.begin()) return nullptr;
      --next;
    }
    return nullptr;
  }
  const Allocation* holding(const void* address, std::size_t bytes) const {
    const Allocation* a = around(address);
    const auto* p = static_cast<const std::byte*>(address);
    return a != nullptr && p >= a->data && p + bytes <= a->end() ? a : nullptr;
  }

  void open() {
    if (depth_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    if (--depth_ == 0) protect(PROT_NONE);
  }
  [[nodiscard]] bool is_open() const { return depth_ > 0; }
  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] const std::map<std::byte*, Allocation>& all() const { return allocations_; }

 private:
  void protect(int access) const {
    for (const auto& [data, a] : allocations_)
      if (!a.pinned) mprotect(a.pages, a.page_bytes, access);
  }

  void watch() {
    if (watching_) return;
    watching_ = true;
    signal_stack_.resize(64 * 1024);
    stack_t stack{};
    stack.ss_sp = signal_stack_.data();
    stack.ss_size = signal_stack_.size();
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = on_segmentation_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, nullptr);
  }

  std::map<std::byte*, Allocation> allocations_;
  std::size_t count_ = 0, used_ = 0;
  int depth_ = 0;
  bool watching_ = false;
  std::vector<char> signal_stack_;
};

void on_segmentation_fault(int, siginfo_t* info, void*) {
  const std::string what = describe_memory(info->si_addr);
  (void)abandon_kernel("touched " + what);  // does not come back where a kernel runs
  const Memory& memory = Memory::instance();
  const bool device = memory.around(info->si_addr) != nullptr;
  const std::string sentence =
      fmt::format("emulation: host code touched {}{}.\n", device ? "device memory: " : "", what);
  (void)!write(STDERR_FILENO, sentence.data(), sentence.size());
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

std::size_t limit_bytes() {
  const char* text = std::getenv("NYSTROM_EMULATION_MEMORY");
  return (text != nullptr ? std::strtoull(text, nullptr, 10) : 16384U) << 20U;
}

cudaError_t allocate(void** address, std::size_t bytes, bool pinned) {
  *address = nullptr;
  if (!fault().empty()) return cudaErrorLaunchFailure;
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = refuse_while_capturing(nullptr); error != cudaSuccess) return error;
  ++mutable_statistics().allocations;
  if (!pinned && Memory::instance().used() + bytes > limit_bytes()) return cudaErrorMemoryAllocation;
  *address = Memory::instance().allocate(bytes, pinned);
  return *address == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

}  // namespace

DeviceSide::DeviceSide() {
  Memory::instance().open();
}
DeviceSide::~DeviceSide() {
  Memory::instance().close();
}

bool is_device_memory(const void* address, std::size_t bytes) {
  const Allocation* a = Memory::instance().holding(address, bytes);
  return a != nullptr && !a->pinned;
}

std::string describe_memory(const void* address) {
  const Allocation* a = Memory::instance().around(address);
  if (a == nullptr) return fmt::format("address {}, which is no device memory", address);
  return fmt::format("byte {} of allocation {}, which has {}",
                     static_cast<const std::byte*>(address) - a->data, a->number, a->bytes);
}

bool is_pinned_memory(const void* address) {
  const Allocation* a = Memory::instance().holding(address, 1);
  return a != nullptr && a->pinned;
}

bool is_in_device_pages(const void* page) {
  const Allocation* a = Memory::instance().around(page);
  const auto* p = static_cast<const std::byte*>(page);
  return a != nullptr && !a->pinned && p >= a->pages && p < a->pages + a->page_bytes;
}

void check_guards(const std::string& after) {
  for (const auto& [data, a] : Memory::instance().all())
    if (!a.pinned && !a.whole()) {
      set_fault(fmt::format("{} wrote beyond allocation {}, which has {} bytes", after, a.number, a.bytes));
      return;
    }
}

// A parameter may be any struct; its words that are addresses of mapped memory, but not of the device's, are
// taken for pointers to host memory. (Numbers that look so by chance would have to hit a mapped page.)
void check_parameter(const char* kernel, const void* parameter, std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  constexpr std::uint64_t kLowest = 0x10007fff8000;  // AddressSanitizer's own memory is below
#else
  constexpr std::uint64_t kLowest = 0x10000;
#endif
  for (std::size_t offset = 0; offset + 8 <= bytes; offset += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, static_cast<const std::byte*>(parameter) + offset, 8);
    if (word < kLowest || word >= std::uint64_t{1} << 47U) continue;
    const auto* address = reinterpret_cast<const void*>(word);
    const Allocation* a = Memory::instance().around(address);
    if (a != nullptr && !a->pinned) continue;
    unsigned char resident = 0;
    if (mincore(reinterpret_cast<void*>(word / kPage * kPage), 1, &resident) != 0) continue;  // not mapped
    set_fault(fmt::format("kernel {} is given the address of host memory (word {} of a parameter)", kernel,
                          offset / 8));
  }
}

}  // namespace nystrom::emulation

using emulation::Memory;

cudaError_t cudaMalloc(void** address, std::size_t bytes) {
  return emulation::allocate(address, bytes, false);
}
cudaError_t cudaMallocHost(void** address, std::size_t bytes) {
  return emulation::allocate(address, bytes, true);
}
cudaError_t cudaFree(void* address) {
  if (address == nullptr) return cudaSuccess;
  cudaDeviceSynchronize();  // as CUDA's does
  return Memory::instance().release(address, false) ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaFreeHost(void* address) {
  if (address == nullptr) return cudaSuccess;
  cudaDeviceSynchronize();
  return Memory::instance().release(address, true) ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  *total_bytes = emulation::limit_bytes();
  *free_bytes = *total_bytes - Memory::instance().used();
  return cudaSuccess;
}
