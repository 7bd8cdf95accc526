#pragma once
// The project's own matrix products in fp32: packed panels, a register tile, dynamic chunks.

#include "kernels/cpu/products/slab.h"

namespace nystrom {

/// A product of fp32 numbers with fp32 results. Its bits depend on the instruction set, too.
void product_fp32(Context& context, const Product& product);

/// Packs as ProductKernels::pack_b does, fp32 numbers or anything else of 4 bytes.
void pack_words(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to, std::int64_t pitch);

}  // namespace nystrom
