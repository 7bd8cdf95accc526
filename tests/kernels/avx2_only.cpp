// Linked with the ops' tests, it makes them a program that runs as on a CPU without AVX-512.

#include <hwy/targets.h>

namespace {
[[maybe_unused]] const bool kDisabled = [] {
  hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL);
  return true;
}();
}  // namespace
