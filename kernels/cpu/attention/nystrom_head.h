#pragma once
// Nystrom attention of one head of one sequence of more than M rows, in the phases between which other heads
// or chunks of rows may run. docs/mathematics.md has the formulas under the same names.
//
// Kernel 1 is softmax(q k~^T), kernel 2 A, kernel 3 softmax(q~ k^T).
// Forward: make_landmarks, accumulate_kernel3 (each chunk), invert_kernel2, attend_queries (each chunk).
// Backward: restore_landmarks, queries_gradient (each chunk), invert_kernel2_gradient, landmarks_gradient,
// keys_gradient (each chunk), finish_gradients.
// Where a sequence is split across ranks, the sums over chunks go through the ranks between these phases
// (nystrom_split.h), and a chunk is the part of it that is here.
// A slot holds what a head carries from phase to phase; scratch belongs to a thread.

#include <array>

#include "kernels/attention/nystrom.h"
#include "kernels/cpu/attention/pseudo_inverse.h"
#include "kernels/cpu/attention/streaming_softmax.h"
#include "kernels/cpu/attention/summary_rows.h"

namespace nystrom {

inline constexpr std::size_t kMaxChunks = 16;

/// The sizes of a call of Nystrom attention.
struct NystromShape : AttentionShape {
  NystromOptions options;

  NystromShape(const AttentionShape& shape, const NystromOptions& nystrom)
      : AttentionShape(shape), options(nystrom) {
    longest_exact = std::min(longest, options.landmarks);
  }

  /// Shorter sequences attend exactly.
  [[nodiscard]] bool approximates(const HeadTask& head) const { return head.rows > options.landmarks; }
  [[nodiscard]] bool one_scale() const { return options.pinv_init == PinvInit::kBatchMax; }

  /// Few heads with long sequences run phase by phase, each phase's chunks on all threads; otherwise a thread
  /// takes a head through all phases while it is in its cache.
  [[nodiscard]] bool by_phases() const {
    return one_scale() || (items() < Index{2} * threads && max_chunks() > 1);
  }
  /// Heads that are in work at once.
  [[nodiscard]] Index slots() const { return by_phases() ? items() : threads; }
  /// The same at most, for any smaller call.
  [[nodiscard]] Index max_slots() const {
    return one_scale() ? std::max<Index>(items(), threads)
                       : std::max<Index>(std::min<Index>(items(), Index{2} * threads), threads);
  }
};

template <class C>
struct NystromForwardSlot {
  NystromForwardSlot(WorkspaceAllocator<C>& allocator, const NystromShape& shape);

  Tile<C> q_t, k_t;                                ///< [D, M] landmarks, transposed and times 1 / sqrt(D)
  Tile<C> a;                                       ///< [M, M]
  Tile<C> w;                                       ///< [M, D] Z (k3 v)
  std::array<ColumnSoftmax<C>, kMaxChunks> parts;  ///< k3 v of each chunk of keys
};

template <class C>
struct NystromForwardScratch {
  NystromForwardScratch(WorkspaceAllocator<C>& allocator, const NystromShape& shape);

  KeyTiles<C> tiles;
  Tile<C> landmarks;  ///< [M, D]
  Tile<C> z;          ///< [M, M]
  Tile<C> out;        ///< [kTileRows, D]
  ConvolutionMemory<C> convolution;
  C *stats, *pinv;
};

template <class T>
class NystromForward {
 public:
  using C = Compute<T>;
  using Slot = NystromForwardSlot<C>;
  using Scratch = NystromForwardScratch<C>;

  NystromForward(const NystromShape& shape, const NystromAttention& args) : shape_(shape), args_(args) {}

  /// Landmarks and A; returns |A|_1. `sums`, if given, are those of segments over all ranks: the columns of q
  /// and k of a head in a row of `sums_stride` for each segment.
  struct SegmentSums {
    const C *q = nullptr, *k = nullptr;
    Index stride = 0;
  };
  C make_landmarks(const HeadTask& head, const Slot& slot, const Scratch& scratch,
                   const SegmentSums* sums = nullptr) const;
  /// One chunk's part of k3 v.
  void accumulate_kernel3(const HeadTask& head, Index chunk, const Slot& slot, const Scratch& scratch) const;
  /// The parts of all chunks become that of the first.
  void merge_kernel3(const HeadTask& head, const Slot& slot) const;
  /// From the merged parts k3 v; Z = pinv(A) with this scale, the residual, and W = Z (k3 v).
  void invert_kernel2(const HeadTask& head, C scale, const Slot& slot, const Scratch& scratch) const;
  /// One chunk of out = softmax(q k~^T / sqrt(D)) W + conv(v). `halo` of v may be null.
  void attend_queries(const HeadTask& head, Index chunk, const Slot& slot, const Scratch& scratch,
                      const HaloRows<T>* halo = nullptr) const;

 private:
  void load_means(const HeadTask& head, Index part, const SegmentSums* sums, const Tile<C>& means) const;

  const NystromShape& shape_;
  const NystromAttention& args_;
};

template <class C>
struct NystromBackwardSlot {
  NystromBackwardSlot(WorkspaceAllocator<C>& allocator, const NystromShape& shape);

  struct Part {
    Tile<C> d_w, d_k_landmarks, d_q_landmarks;  ///< [M, D]
    C* band;                                    ///< of the convolution's filter gradient
  };
  Tile<C> q, k;                        ///< [M, D] landmarks
  Tile<C> q_t, k_t;                    ///< [D, M] transposed and times 1 / sqrt(D)
  Tile<C> w_t;                         ///< [D, M] W^T
  Tile<C> k3_v, d_k3_v;                ///< [M, D]
  Tile<C> d_k3_v_t;                    ///< [D, M]
  Tile<C> a, d_a;                      ///< [M, M]
  C *maxima, *inverse_sums, *deltas;   ///< [M] of k3
  std::array<Part, kMaxChunks> parts;  ///< sums of each chunk of rows; the totals end in the first
};

template <class C>
struct NystromBackwardScratch {
  NystromBackwardScratch(WorkspaceAllocator<C>& allocator, const NystromShape& shape);

  Tile<C> x, y;      ///< [kTileRows, D] rows of q and d_out, or of k and v
  Tile<C> d_x, d_y;  ///< [kTileRows, D] gradients of q, or of k and v
  Tile<C> s, d_s;    ///< [kTileRows, M]
  Tile<C> z, g;      ///< [M, M]
  Tile<C> d_w_t, w;  ///< [D, M], [M, D]
  ConvolutionMemory<C> convolution;
  C *stats, *pinv;
};

template <class T>
class NystromBackward {
 public:
  using C = Compute<T>;
  using Slot = NystromBackwardSlot<C>;
  using Scratch = NystromBackwardScratch<C>;

  NystromBackward(const NystromShape& shape, const NystromAttention& args,
                  const AttentionGradients& gradients)
      : shape_(shape), args_(args), gradients_(gradients) {}

  /// Landmarks, A, W and k3 v as forward had them; returns |A|_1.
  OneNorm<C> restore_landmarks(const HeadTask& head, const Slot& slot, const Scratch& scratch) const;
  /// Through softmax(q k~^T / sqrt(D)) W: one chunk of d_q, and its parts of d_W and d_k~.
  void queries_gradient(const HeadTask& head, Index chunk, const Slot& slot, const Scratch& scratch) const;
  /// The parts of d_W and d_k~ of all chunks become those of the first.
  void add_query_parts(const HeadTask& head, const Slot& slot) const;
  /// From their sums d_(k3 v), and d_A except for the part through the scale; returns d_scale.
  C invert_kernel2_gradient(const HeadTask& head, C scale, const Slot& slot, const Scratch& scratch) const;
  /// Through A = softmax(q~ k~^T / sqrt(D)): d_q~ and d_k~. d_norm is the gradient of |A|_1.
  void landmarks_gradient(OneNorm<C> norm, C d_norm, const Slot& slot) const;
  /// Through softmax(q~ k^T / sqrt(D)) v and the convolution: one chunk of d_k and d_v, its parts of d_q~ and
  /// d_w. `halo` of d_out may be null.
  void keys_gradient(const HeadTask& head, Index chunk, const Slot& slot, const Scratch& scratch,
                     const HaloRows<T>* halo = nullptr) const;
  /// The parts of d_q~ of all chunks become that of the first.
  void add_key_parts(const HeadTask& head, const Slot& slot) const;
  /// The landmarks' gradients into d_q, the filter's into d_w [K].
  void finish_gradients(const HeadTask& head, const Slot& slot, C* d_w) const;

 private:
  const NystromShape& shape_;
  const NystromAttention& args_;
  const AttentionGradients& gradients_;
};

}  // namespace nystrom
