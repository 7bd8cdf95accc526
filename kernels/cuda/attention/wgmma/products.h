#pragma once
// Products of attention's passes over the sequence by wgmma, beside activations in bf16 for heads of up to 64
// channels: as add_product() and add_product_of() of tiles.h, for the whole block at once.

#include "kernels/cuda/attention/tiles.h"

namespace nystrom::cuda {

/// 64 x 64 elements in bf16, in kParts parts.
template <int kParts>
using GroupTile = SharedTile<BF16, kGroupTile, kParts, kGroupTile, Layout::kSwizzled>;
using GroupSums = Sums<kGroupTile>;

/// As finish_rows(), for tiles that products read.
__device__ inline void finish_group_rows() {
  finish_copies();
  publish_tiles();
  __syncthreads();
}
/// What threads wrote is there for products. Ends with __syncthreads.
__device__ inline void finish_group_tiles() {
  publish_tiles();
  __syncthreads();
}

/// 16 rows of a warp in parts, as a left factor.
template <int kParts>
struct PartsOfRows {
  std::uint32_t r[kGroupTile / 16][kParts][4];

  __device__ explicit PartsOfRows(const GroupSums& x) {
#pragma unroll
    for (int k = 0; k < kGroupTile / 16; ++k) split_columns(r[k], x, 16 * k);
  }
};

namespace detail {
/// add(k, part of a, part of b, whether there is something in c) for all that counts in a product.
template <int kPartsA, int kPartsB, class Add>
__device__ inline void for_each_term(bool has, const Add& add) {
  constexpr int kTerms = kPartsA > kPartsB ? kPartsA : kPartsB;
#pragma unroll
  for (int p = 0; p < kPartsA; ++p)
#pragma unroll
    for (int q = 0; q < kPartsB && p + q < kTerms; ++q)
#pragma unroll
      for (int k = 0; k < kGroupTile / 16; ++k) {
        add(k, p, q, has);
        has = true;
      }
}
}  // namespace detail

/// c (+)= a b, between start_products() and finish_products(); unless `add`, c is overwritten.
template <Lies kLeft, Lies kRight, int kPartsA, int kPartsB>
__device__ inline void add_group_product(GroupSums& c, const GroupTile<kPartsA>& a,
                                         const GroupTile<kPartsB>& b, bool add) {
  constexpr Inner kInnerA = kInnerOfLeft<kLeft>, kInnerB = kInnerOfRight<kRight>;
  const TileDescriptor of_a = tile_descriptor(a.data), of_b = tile_descriptor(b.data);
  detail::for_each_term<kPartsA, kPartsB>(add, [&](int k, int p, int q, bool has) {
    add_group_product<BF16, kInnerA, kInnerB>(c.x, of_a.part(p).from<kInnerA>(k),
                                              of_b.part(q).from<kInnerB>(k), has);
  });
}
/// The same with this warp's rows of the left factor in registers, which must keep them until
/// finish_products(), and b as it lies.
template <int kPartsA, int kPartsB>
__device__ inline void add_group_product(GroupSums& c, const PartsOfRows<kPartsA>& a,
                                         const GroupTile<kPartsB>& b, bool add) {
  constexpr Inner kInner = kInnerOfRight<Lies::kPlain>;
  const TileDescriptor of_b = tile_descriptor(b.data);
  detail::for_each_term<kPartsA, kPartsB>(add, [&](int k, int p, int q, bool has) {
    add_group_product<BF16, kInner>(c.x, a.r[k][p], of_b.part(q).from<kInner>(k), has);
  });
}

}  // namespace nystrom::cuda
