#pragma once
// What the kinds share that walk over a sequence in phases: chunks of all heads, then heads, then chunks
// again.

#include "kernels/cpu/attention/head_convolution.h"

namespace nystrom::cpu {

/// `Part` and `Scratch` of C as in PhasedWorkspace; a Part of backward has a `band`.
template <class T, class Part, class Scratch, class Shape>
class PhasedAttention {
 public:
  using C = Compute<T>;
  using Workspace = PhasedWorkspace<C, Part, Scratch, Shape>;

 protected:
  PhasedAttention(Context& context, const AttentionInputs& inputs, const Shape& shape)
      : context_(context),
        inputs_(inputs),
        shape_(shape),
        width_(shape.width),
        memory_(workspace_in<Workspace, C>(inputs.workspace, shape_)) {
    check_sequences(shape_, inputs);
  }

  /// body(head, chunk, scratch)
  template <class Body>
  void over_chunks(const Body& body) const {
    for_chunks(context_, shape_, inputs_.sequences, [&](const HeadTask& head, Index chunk, int thread) {
      body(head, chunk, memory_.scratch(thread));
    });
  }
  template <class Body>
  void over_heads(const Body& body) const {
    for_heads(context_, shape_, inputs_.sequences, [&](const HeadTask& head, Index, int) { body(head); });
  }
  /// Projection `part` of a head's tokens.
  [[nodiscard]] HeadRows<const T> part_of(const HeadTask& head, Index part) const {
    return head.of<const T>(inputs_.qkv, width_, shape_.heads, part);
  }
  /// d_conv_weight, of the bands that all chunks have left.
  void add_filter_gradient(const AttentionGradients& gradients) const {
    finish_filter_gradients<C>(
        shape_, inputs_.sequences, gradients.d_conv_weight,
        [&](const HeadTask& head, Index chunk) { return memory_.part(head, chunk).band; });
  }

  const TileOps<T>& ops_ = tile_ops<T>();
  Context& context_;
  const AttentionInputs& inputs_;
  Shape shape_;
  Index width_;
  Workspace memory_;
};

}  // namespace nystrom::cpu
