// Nystrom attention on the CPU: which phases of which heads run on which thread.

#include "kernels/cpu/attention/nystrom_split.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

/// Sequences of at most M rows.
SoftmaxAttention exact_part(const NystromAttention& args) {
  return {args.inputs, args.saved.row_stats};
}

/// body(head, item, thread) for each head of a sequence that has rows, all of them here.
template <class Body>
void for_whole_heads(Context& context, const NystromShape& shape, const Sequences& sequences,
                     const Body& body) {
  for_heads(context, shape, sequences, [&](const HeadTask& head, Index item, int thread) {
    if (!head.is_part()) body(head, item, thread);
  });
}

/// body(head, item, chunk, thread) for each chunk of each such head that is approximated.
template <class Body>
void for_approximated_chunks(Context& context, const NystromShape& shape, const Sequences& sequences,
                             const Body& body) {
  const Index chunks = shape.max_chunks();
  parallel_items(context, shape.items() * chunks, [&](Index i, int thread) {
    const HeadTask head = shape.head(sequences, i / chunks);
    if (!head.is_part() && shape.approximates(head) && i % chunks < NystromShape::chunks(head.rows))
      body(head, i / chunks, i % chunks, thread);
  });
}

/// Which head has the largest |A|_1 of the call; the first of equals.
template <class C>
Index largest_norm(const NystromShape& shape, const C* norms) {
  return std::max_element(norms, norms + shape.items()) - norms;
}

template <class T>
void forward(Context& context, const NystromShape& shape, const NystromAttention& args,
             const ForwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  const NystromForward<T> op(shape, args);
  const SoftmaxAttention exact_args = exact_part(args);
  const auto exact = [&](const HeadTask& head, Index item, int thread) {
    for (Index block = 0; block < KeyWindow().blocks(head.rows); ++block)
      exact_forward<T>(exact_args, KeyWindow(), head, block, memory.exact(thread));
    if (!args.saved.residuals.empty()) args.saved.residuals.data<C>()[item] = C(0);
    memory.norms[item] = C(0);
  };
  if (!shape.by_phases()) {
    for_whole_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
      if (!shape.approximates(head)) return exact(head, item, thread);
      const auto slot = memory.slot(thread);
      const auto scratch = memory.scratch(thread);
      const Index chunks = NystromShape::chunks(head.rows);
      const C norm = op.make_landmarks(head, slot, scratch);
      for (Index c = 0; c < chunks; ++c) op.accumulate_kernel3(head, c, slot, scratch);
      op.merge_kernel3(head, slot);
      op.invert_kernel2(head, norm, slot, scratch);
      for (Index c = 0; c < chunks; ++c) op.attend_queries(head, c, slot, scratch);
    });
    return;
  }
  std::fill_n(memory.norms, shape.items(), C(0));
  for_whole_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
    if (!shape.approximates(head)) return exact(head, item, thread);
    memory.norms[item] = op.make_landmarks(head, memory.slot(item), memory.scratch(thread));
  });
  for_approximated_chunks(context, shape, args.inputs.sequences,
                          [&](const HeadTask& head, Index item, Index chunk, int thread) {
                            op.accumulate_kernel3(head, chunk, memory.slot(item), memory.scratch(thread));
                          });
  const C largest = memory.norms[largest_norm(shape, memory.norms)];
  for_whole_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
    if (!shape.approximates(head)) return;
    op.merge_kernel3(head, memory.slot(item));
    op.invert_kernel2(head, shape.one_scale() ? largest : memory.norms[item], memory.slot(item),
                      memory.scratch(thread));
  });
  for_approximated_chunks(context, shape, args.inputs.sequences,
                          [&](const HeadTask& head, Index item, Index chunk, int thread) {
                            op.attend_queries(head, chunk, memory.slot(item), memory.scratch(thread));
                          });
}

template <class T>
void backward_by_phases(Context& context, const NystromShape& shape, const NystromAttention& args,
                        const AttentionGradients& gradients, const BackwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  const NystromBackward<T> op(shape, args, gradients);
  const SoftmaxAttention exact = exact_part(args);
  std::fill_n(memory.norms, shape.items(), C(0));
  std::fill_n(memory.d_scales, shape.items(), C(0));
  for_whole_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
    if (shape.approximates(head))
      memory.norms[item] = op.restore_landmarks(head, memory.slot(item), memory.scratch(thread)).value;
    else
      exact_backward<T>(exact, gradients, KeyWindow(), head, memory.exact(thread),
                        memory.d_conv + item * shape.taps);
  });
  for_approximated_chunks(context, shape, args.inputs.sequences,
                          [&](const HeadTask& head, Index item, Index chunk, int thread) {
                            op.queries_gradient(head, chunk, memory.slot(item), memory.scratch(thread));
                          });
  const Index largest = largest_norm(shape, memory.norms);
  for_whole_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
    if (!shape.approximates(head)) return;
    const C scale = memory.norms[shape.one_scale() ? largest : item];
    op.add_query_parts(head, memory.slot(item));
    memory.d_scales[item] =
        op.invert_kernel2_gradient(head, scale, memory.slot(item), memory.scratch(thread));
  });
  C d_shared = 0;
  for (Index item = 0; item < shape.items(); ++item) d_shared += memory.d_scales[item];
  for_whole_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int) {
    if (!shape.approximates(head)) return;
    const auto slot = memory.slot(item);
    const C d_norm = !shape.one_scale() ? memory.d_scales[item] : item == largest ? d_shared : C(0);
    op.landmarks_gradient(one_norm(slot.a, shape.options.landmarks), d_norm, slot);
  });
  for_approximated_chunks(context, shape, args.inputs.sequences,
                          [&](const HeadTask& head, Index item, Index chunk, int thread) {
                            op.keys_gradient(head, chunk, memory.slot(item), memory.scratch(thread));
                          });
  for_whole_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int) {
    if (!shape.approximates(head)) return;
    op.add_key_parts(head, memory.slot(item));
    op.finish_gradients(head, memory.slot(item), memory.d_conv + item * shape.taps);
  });
}

template <class T>
void backward_by_heads(Context& context, const NystromShape& shape, const NystromAttention& args,
                       const AttentionGradients& gradients, const BackwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  const NystromBackward<T> op(shape, args, gradients);
  const SoftmaxAttention exact = exact_part(args);
  for_whole_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
    C* const d_conv = memory.d_conv + item * shape.taps;
    if (!shape.approximates(head))
      return exact_backward<T>(exact, gradients, KeyWindow(), head, memory.exact(thread), d_conv);
    const auto slot = memory.slot(thread);
    const auto scratch = memory.scratch(thread);
    const Index chunks = NystromShape::chunks(head.rows);
    const OneNorm<C> norm = op.restore_landmarks(head, slot, scratch);
    for (Index c = 0; c < chunks; ++c) op.queries_gradient(head, c, slot, scratch);
    op.add_query_parts(head, slot);
    const C d_scale = op.invert_kernel2_gradient(head, norm.value, slot, scratch);
    op.landmarks_gradient(norm, d_scale, slot);
    for (Index c = 0; c < chunks; ++c) op.keys_gradient(head, c, slot, scratch);
    op.add_key_parts(head, slot);
    op.finish_gradients(head, slot, d_conv);
  });
}

}  // namespace

Index nystrom_attention_workspace(const NystromOptions& options, const AttentionLimits& limits) {
  const NystromShape shape(AttentionShape(limits), options);
  const Index slots = shape.max_slots();
  return std::max(ForwardWorkspace<float>(nullptr, shape, slots).elements(),
                  BackwardWorkspace<float>(nullptr, shape, slots).elements()) +
         (limits.split ? split_workspace(shape) : 0);
}

// Between chunks; where there are more ranks than chunks, through them, but between tiles.
Index nystrom_cut_rows(const NystromOptions& options, Index rows, int ranks) {
  if (rows <= options.landmarks) return 0;
  const auto most = static_cast<Index>(kMaxChunks);
  const Index parts = (ranks + most - 1) / most, chunk = AttentionShape::chunk_rows(rows);
  return (chunk / parts + kTileRows - 1) / kTileRows * kTileRows;
}

void nystrom_attention_forward(Context& context, const NystromAttention& args) {
  const NystromShape shape(AttentionShape(context, args.inputs), args.options);
  check_sequences(shape, args.inputs);
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto memory = workspace_in<ForwardWorkspace<C>, C>(args.inputs.workspace, shape);
    const SplitSequences splits(shape.spans);
    if (!splits.empty()) split_forward<T>(context, shape, args, splits, memory);
    forward<T>(context, shape, args, memory);
  });
}

void nystrom_attention_backward(Context& context, const NystromAttention& args,
                                const AttentionGradients& gradients) {
  const NystromShape shape(AttentionShape(context, args.inputs), args.options);
  check_sequences(shape, args.inputs);
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto memory = workspace_in<BackwardWorkspace<C>, C>(args.inputs.workspace, shape);
    std::fill_n(memory.d_conv, shape.items() * shape.taps, C(0));
    const SplitSequences splits(shape.spans);
    if (!splits.empty()) split_backward<T>(context, shape, args, gradients, splits, memory);
    const auto run = shape.by_phases() ? &backward_by_phases<T> : &backward_by_heads<T>;
    run(context, shape, args, gradients, memory);
    add_conv_gradients(shape, memory.d_conv, gradients.d_conv_weight);
  });
}

}  // namespace nystrom::cpu
