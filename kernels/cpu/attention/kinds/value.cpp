// No attention on the CPU: the values and their convolution, tile by tile.

#include "kernels/cpu/attention/head_convolution.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

template <class C>
struct Part {
  Part(WorkspaceAllocator<C>& allocator, const AttentionShape& shape)
      : band(allocator.take(conv_band_elements(shape.taps))) {}
  C* band;
};

template <class C>
struct Scratch {
  Scratch(WorkspaceAllocator<C>& allocator, const AttentionShape& shape)
      : v(allocator.tile(kTileRows, shape.width)),
        d_v(allocator.tile(kTileRows, shape.width)),
        convolution(allocator, shape) {}
  Tile<C> v, d_v;  ///< [kTileRows, D]
  ConvolutionMemory<C> convolution;
};

template <class C>
using Workspace = PhasedWorkspace<C, Part<C>, Scratch<C>, AttentionShape>;

}  // namespace

Index value_attention_workspace(const AttentionLimits& limits) {
  return Workspace<float>(nullptr, AttentionShape(limits)).elements();
}

void value_attention_forward(Context& context, const AttentionInputs& inputs) {
  const AttentionShape shape(context, inputs);
  check_sequences(shape, inputs);
  dispatch_float(inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto& ops = tile_ops<T>();
    const auto memory = workspace_in<Workspace<C>, C>(inputs.workspace, shape);
    for_chunks(context, shape, inputs.sequences, [&](const HeadTask& head, Index chunk, int thread) {
      const auto scratch = memory.scratch(thread);
      const ConvolvedValues<T> convolution(inputs, head, scratch.convolution);
      for_tiles(head, chunk, [&](Index first, Index count) {
        ops.load_rows(head.of<const T>(inputs.qkv, shape.width, shape.heads), head.rows, first, count,
                      scratch.v);
        convolution.add(first, count, scratch.v);
        ops.store_rows(scratch.v, count, head.of<T>(inputs.out, shape.width, shape.heads), first);
      });
    });
  });
}

void value_attention_backward(Context& context, const AttentionInputs& inputs,
                              const AttentionGradients& gradients) {
  const AttentionShape shape(context, inputs);
  check_sequences(shape, inputs);
  dispatch_float(inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto& ops = tile_ops<T>();
    const auto memory = workspace_in<Workspace<C>, C>(inputs.workspace, shape);
    for_chunks(context, shape, inputs.sequences, [&](const HeadTask& head, Index chunk, int thread) {
      const auto scratch = memory.scratch(thread);
      const ConvolutionGradient<T> convolution(inputs, gradients, head, scratch.convolution,
                                               memory.part(head, chunk).band);
      for_tiles(head, chunk, [&](Index first, Index count) {
        ops.load_rows(head.of<const T>(inputs.qkv, shape.width, shape.heads), head.rows, first, count,
                      scratch.v);
        ops.load_rows(head.of<const T>(gradients.d_out, shape.width, shape.heads), head.rows, first, count,
                      scratch.d_v);
        convolution.add(first, count, scratch.v, scratch.d_v);
        ops.store_rows(scratch.d_v, count, head.of<T>(gradients.d_qkv, shape.width, shape.heads), first);
      });
    });
    finish_filter_gradients<C>(
        shape, inputs.sequences, gradients.d_conv_weight,
        [&](const HeadTask& head, Index chunk) { return memory.part(head, chunk).band; });
  });
}

}  // namespace nystrom::cpu
