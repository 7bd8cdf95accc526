#pragma once
// Streaming softmax: a block of queries (64 of a sequence's, or its landmarks) against many keys, a tile of
// keys at a time: the third softmax of Nystrom attention, and the exact one. Logits are [keys, queries], so
// that softmaxes run along columns and no product needs a transposed tile of keys.

#include "kernels/cpu/attention/work_split.h"

namespace nystrom {

/// Dropout of exact attention's probabilities, for the queries [query, query + ...) of one head.
struct HeadDropout {
  Dropout dropout;
  Index sample = 0;
  Index first = 0;  ///< element of probability (query 0 of the block, key 0)
  Index rows = 0;   ///< n: elements from query to query
  bool active = false;
};

/// Pairs of a block of queries that are not attended to.
template <class C>
class PairMask {
 public:
  PairMask() = default;
  virtual ~PairMask() = default;
  PairMask(const PairMask&) = delete;
  PairMask& operator=(const PairMask&) = delete;
  /// s [j, i] becomes -infinity where key first + j is hidden from query i.
  virtual void hide(const Tile<C>& s, Index first, Index keys) const = 0;
};

template <class C>
struct KeyTiles {
  Tile<C> rows;  ///< [kTileRows, D]
  Tile<C> s;     ///< [kTileRows, queries]
  Tile<C> mask;  ///< [queries, kTileRows] followed by its transpose; only where there is dropout
  Tile<C> mask_t;
};

/// softmax += e^(k q~^T) and its sum of v, over keys [begin, end). scaled_t [D, queries] = q^T / sqrt(D).
/// Every query must have seen a key by the end of the first tile. `mask` may be null.
template <class T>
void attend(const HeadRows<const T>& k, const HeadRows<const T>& v, Index begin, Index end,
            const Tile<Compute<T>>& scaled_t, const ColumnSoftmax<Compute<T>>& softmax,
            const HeadDropout& dropout, const PairMask<Compute<T>>* mask, const KeyTiles<Compute<T>>& tiles);

/// What backward needs to know of a block of queries.
template <class C>
struct QueryBlock {
  Index count = 0, width = 0;
  C scale = 1;          ///< 1 / sqrt(D)
  Tile<C> rows;         ///< [count, D]
  Tile<C> scaled_t;     ///< [D, count] rows^T * scale
  Tile<C> d_context;    ///< [count, D]
  Tile<C> d_context_t;  ///< [D, count]
  const C* maxima = nullptr;
  const C* inverse_sums = nullptr;
  const C* deltas = nullptr;  ///< sum_d context d_context
  Tile<C> d_rows;             ///< [count, D], added to
};

template <class C>
struct KeyGradientTiles {
  Tile<C> k, v;    ///< [count, D] the keys and values
  Tile<C> s, d_s;  ///< [kTileRows, queries] scratch
  Tile<C> d_k,
      d_v;  ///< [count, D] added to where `accumulate`, else d_k is overwritten (d_v is always added to)
  Tile<C> mask, mask_t;
};

/// Gradients of `keys` keys [first, first + keys) and their part of the queries'. `mask` may be null.
template <class T>
void attend_backward(const QueryBlock<Compute<T>>& queries, Index first, Index keys, bool accumulate_d_k,
                     const HeadDropout& dropout, const PairMask<Compute<T>>* mask,
                     const KeyGradientTiles<Compute<T>>& tiles);

}  // namespace nystrom
