#pragma once
// Workspace of a call of Nystrom attention.

#include "kernels/cpu/attention/exact_head.h"
#include "kernels/cpu/attention/nystrom_head.h"

namespace nystrom {

/// The workspace of a call: arrays over all heads, slots, and each thread's scratch.
template <class C, class Slot, class Scratch, class Exact>
class Workspace {
 public:
  Workspace(C* base, const NystromShape& shape) : Workspace(base, shape, shape.slots()) {}
  /// `slots` as in NystromShape::slots(); without memory it only counts.
  Workspace(C* base, const NystromShape& shape, Index slots) : shape_(shape), allocator_(base) {
    norms = allocator_.take(shape.items());
    d_scales = allocator_.take(shape.items());
    d_conv = allocator_.take(shape.items() * shape.taps);
    slot_elements_ = elements_of<Slot, C>(shape);
    scratch_elements_ = elements_of<Scratch, C>(shape);
    exact_elements_ = elements_of<Exact, C>(shape);
    slots_ = allocator_.take(slots * slot_elements_);
    scratch_ = allocator_.take(shape.threads * scratch_elements_);
    exact_ = allocator_.take(shape.threads * exact_elements_);
  }

  C* norms;     ///< [items] |A|_1
  C* d_scales;  ///< [items]
  C* d_conv;    ///< [items, K]

  [[nodiscard]] Slot slot(Index i) const { return carved<Slot>(slots_ + i * slot_elements_); }
  [[nodiscard]] Scratch scratch(Index thread) const {
    return carved<Scratch>(scratch_ + thread * scratch_elements_);
  }
  [[nodiscard]] Exact exact(Index thread) const { return carved<Exact>(exact_ + thread * exact_elements_); }
  [[nodiscard]] Index elements() const { return allocator_.used(); }

 private:
  template <class Pieces>
  Pieces carved(C* base) const {
    WorkspaceAllocator<C> allocator(base);
    return Pieces(allocator, shape_);
  }

  const NystromShape& shape_;
  WorkspaceAllocator<C> allocator_;
  Index slot_elements_ = 0, scratch_elements_ = 0, exact_elements_ = 0;
  C *slots_ = nullptr, *scratch_ = nullptr, *exact_ = nullptr;
};
template <class C>
using ForwardWorkspace = Workspace<C, NystromForwardSlot<C>, NystromForwardScratch<C>, ExactForwardMemory<C>>;
template <class C>
using BackwardWorkspace =
    Workspace<C, NystromBackwardSlot<C>, NystromBackwardScratch<C>, ExactBackwardMemory<C>>;

}  // namespace nystrom
