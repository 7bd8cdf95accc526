#pragma once
// The project's own matrix products in bf16 by AMX, the matrix units of Intel's servers.

#include "kernels/cpu/products/slab.h"

namespace nystrom {

/// As product_bf16(); needs amx_is_usable().
void product_amx(Context& context, const Product& product, bool rounded);

/// product_amx() with tiles that are emulated, an element at a time: for tests on other CPUs with
/// AVX512-BF16. Its sums round as a processor without AMX does.
void product_amx_emulated(Context& context, const Product& product, bool rounded);

/// Whether the CPU has AMX and AVX512-BF16, the operating system lets this process use the tiles, and a
/// product of small integers comes out right. Asked once for all threads.
bool amx_is_usable();

}  // namespace nystrom
