#pragma once
// Copies from global to shared memory that pass no register, and run while the thread goes on (cp.async, from
// compute capability 8.0 on):
//
//   start_copy_16_bytes(to, from);   // what is at `to` is undefined from here on
//   finish_copies();                 // this thread's copies are there, for itself
//   __syncthreads();                 // and all threads' for the block
//
// A barrier must lie between the last use of `to` by any thread and the start. In the emulation the
// destination is overwritten with NaN at the start, and the copy made at finish_copies(): each at the moment
// at which a mistake shows. A kernel that ends with copies under way is an error there. Checked through the
// emulation; not yet run on a GPU.

#include <cuda_runtime.h>

#include <cstdint>

namespace nystrom::cuda {

/// Both on 16 bytes; `to` in shared, `from` in global memory, which must not change until finish_copies().
/// Unless `copies`, zeros are written, and `from` is not read.
__device__ inline void start_copy_16_bytes(void* to, const void* from, bool copies = true) {
#ifdef NYSTROM_EMULATION
  *static_cast<uint4*>(to) = make_uint4(~0U, ~0U, ~0U, ~0U);
  emulation::note_copy({to, copies ? from : nullptr});
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(address), "l"(from), "r"(copies ? 16 : 0)
               : "memory");
#endif
}

/// Waits for all copies that this thread has started.
__device__ inline void finish_copies() {
#ifdef NYSTROM_EMULATION
  for (emulation::CopyUnderWay copy; emulation::take_copy(copy);)
    *static_cast<uint4*>(copy.to) =
        copy.from == nullptr ? make_uint4(0, 0, 0, 0) : *static_cast<const uint4*>(copy.from);
#else
  asm volatile("cp.async.wait_all;" : : : "memory");
#endif
}

}  // namespace nystrom::cuda
