// Ends the program with a sentence on a processor that it was not compiled for, which would else kill it by
// SIGILL at any moment, also for `--help`. Compiled for every x86-64 (launch/library.cmake), run before all
// other initializers, and so without any code from elsewhere that is compiled for more.

#include <cpuid.h>
#include <unistd.h>

namespace {

constexpr char kSentence[] =
    "nystrom: This CPU lacks instructions that this program is compiled for (x86-64-v3: AVX2, FMA, BMI2, F16C). "
    "Run it on an Intel processor from Haswell (2013) or an AMD one from Zen (2017) on; in a virtual machine, let the "
    "guest see the host's CPU (QEMU: `-cpu host`).\n";

constexpr unsigned bit(unsigned index) {
  return 1U << index;
}

bool saves_wide_registers() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & 6U) == 6U;
}

// The names are those of Intel's manual, CPUID leaves 1, 7 and 80000001H.
bool is_good_enough() {
  constexpr unsigned kFma = bit(12), kMovbe = bit(22), kOsxsave = bit(27), kAvx = bit(28), kF16c = bit(29),
                     kBmi1 = bit(3), kAvx2 = bit(5), kBmi2 = bit(8), kLzcnt = bit(5);
  constexpr unsigned kBasic = kFma | kMovbe | kOsxsave | kAvx | kF16c, kMore = kBmi1 | kAvx2 | kBmi2;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kBasic) != kBasic || !saves_wide_registers()) return false;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (b & kMore) != kMore) return false;
  return __get_cpuid(0x80000001U, &a, &b, &c, &d) != 0 && (c & kLzcnt) != 0;
}

__attribute__((constructor(101))) void check_processor() {
  if (is_good_enough()) return;
  (void)!::write(STDERR_FILENO, kSentence, sizeof kSentence - 1);
  ::_exit(2);  // refused, as a GPU that is not there
}

}  // namespace
