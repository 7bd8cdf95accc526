#include "kernels/cpu/attention/nystrom_split.h"

namespace nystrom {
namespace {

/// Elements of one head in the sums that go from rank to rank: its third softmax, and the gradients of W and
/// k~.
Index softmax_elements(const NystromShape& shape) {
  return shape.options.landmarks * (shape.width + 2);
}
Index gradient_elements(const NystromShape& shape) {
  return 2 * shape.options.landmarks * shape.width;
}

/// Behind the workspace of whole sequences: a slot for each head of each split sequence.
template <class C, class Slot>
class SplitWorkspace {
 public:
  SplitWorkspace(C* base, const NystromShape& shape) : shape_(shape), allocator_(base) {
    slot_elements_ = elements_of<Slot, C>(shape);
    slots_ = allocator_.take(static_cast<Index>(kMaxSplits) * shape.heads * slot_elements_);
    received_elements_ = counted([&](WorkspaceAllocator<C>& a) { (void)softmax_in(a); });
    received_ = allocator_.take(shape.heads * received_elements_);
    const Index sum = shape.heads * std::max(softmax_elements(shape), gradient_elements(shape));
    for (auto& exchange : exchanges)
      exchange = ExchangeMemory<C>(allocator_, shape, shape.options.landmarks, sum);
  }

  ExchangeMemories<C> exchanges;

  [[nodiscard]] Slot slot(std::size_t split, Index head) const {
    WorkspaceAllocator<C> allocator(slots_ +
                                    (static_cast<Index>(split) * shape_.heads + head) * slot_elements_);
    return Slot(allocator, shape_);
  }
  /// What the ranks before this one have of a head's third softmax.
  [[nodiscard]] ColumnSoftmax<C> received(Index head) const {
    WorkspaceAllocator<C> allocator(received_ + head * received_elements_);
    return softmax_in(allocator);
  }
  [[nodiscard]] Index elements() const { return allocator_.used(); }

 private:
  ColumnSoftmax<C> softmax_in(WorkspaceAllocator<C>& allocator) const {
    return allocator.column_softmax(shape_.options.landmarks, shape_.width);
  }
  template <class Take>
  static Index counted(const Take& take) {
    WorkspaceAllocator<C> counter(nullptr);
    take(counter);
    return counter.used();
  }

  const NystromShape& shape_;
  WorkspaceAllocator<C> allocator_;
  Index slot_elements_ = 0, received_elements_ = 0;
  C *slots_ = nullptr, *received_ = nullptr;
};

template <class Slot, class C, class Workspace>
SplitWorkspace<C, Slot> split_workspace_in(const Tensor& workspace, const NystromShape& shape,
                                           const Workspace& whole) {
  const Index used = whole.elements(), needed = SplitWorkspace<C, Slot>(nullptr, shape).elements();
  NYSTROM_CHECK(used + needed <= workspace.numel(),
                "split sequences need a workspace of {} elements beside {}, not {}: was it planned for them?",
                needed, used, workspace.numel());
  return SplitWorkspace<C, Slot>(workspace.data<C>() + used, shape);
}

void check_splits(const NystromShape& shape, const SplitSequences& splits) {
  NYSTROM_CHECK(!shape.one_scale(), "matrices of one scale on {} ranks", splits.group().ranks());
  for (std::size_t s = 0; s < splits.size(); ++s)
    NYSTROM_CHECK(splits[s].length > shape.options.landmarks,
                  "a sequence of {} rows, which {} landmarks attend to exactly, is split across ranks",
                  splits[s].length, shape.options.landmarks);
}

/// body(head, split, thread) for each head of each split sequence.
template <class Body>
void for_split_heads(Context& context, const NystromShape& shape, const Sequences& sequences,
                     const SplitSequences& splits, const Body& body) {
  parallel_items(context, static_cast<Index>(splits.size()) * shape.heads, [&](Index i, int thread) {
    const auto split = static_cast<std::size_t>(i / shape.heads);
    body(shape.head(sequences, splits[split].batch * shape.heads + i % shape.heads), split, thread);
  });
}

/// body(head, split, chunk, thread) for each chunk of them that has rows here.
template <class Body>
void for_split_chunks(Context& context, const NystromShape& shape, const Sequences& sequences,
                      const SplitSequences& splits, const Body& body) {
  const Index chunks = shape.max_chunks(), heads = shape.heads;
  parallel_items(context, static_cast<Index>(splits.size()) * heads * chunks, [&](Index i, int thread) {
    const auto split = static_cast<std::size_t>(i / (heads * chunks));
    const HeadTask head = shape.head(sequences, splits[split].batch * heads + i / chunks % heads);
    const RowRange here = NystromShape::chunks_of(head);
    if (i % chunks >= here.begin && i % chunks < here.end) body(head, split, i % chunks, thread);
  });
}

/// body(head) for each head of a sequence, on all threads.
template <class Body>
void for_heads_of(Context& context, const NystromShape& shape, const Sequences& sequences,
                  const SplitSequence& split, const Body& body) {
  parallel_items(context, shape.heads,
                 [&](Index h, int) { body(shape.head(sequences, split.batch * shape.heads + h)); });
}

template <class C>
void pack_softmax(const ColumnSoftmax<C>& softmax, C* to) {
  const Index m = softmax.columns, width = softmax.width;
  tile_ops<C>().pack(softmax.weighted, m, width, to);
  std::copy_n(softmax.maxima, m, to + m * width);
  std::copy_n(softmax.sums, m, to + m * (width + 1));
}

template <class C>
void unpack_softmax(const C* from, const ColumnSoftmax<C>& softmax) {
  const Index m = softmax.columns, width = softmax.width;
  tile_ops<C>().unpack(from, m, width, softmax.weighted);
  std::copy_n(from + m * width, m, softmax.maxima);
  std::copy_n(from + m * (width + 1), m, softmax.sums);
}

/// to [rows, columns] = tile, or to += tile.
template <class C>
void add_packed(const Tile<C>& tile, Index rows, Index columns, bool overwrite, C* to) {
  for (Index i = 0; i < rows; ++i, to += columns)
    for (Index j = 0; j < columns; ++j) to[j] = overwrite ? tile.row(i)[j] : to[j] + tile.row(i)[j];
}

}  // namespace

Index split_workspace(const NystromShape& shape) {
  return std::max(SplitWorkspace<float, NystromForwardSlot<float>>(nullptr, shape).elements(),
                  SplitWorkspace<float, NystromBackwardSlot<float>>(nullptr, shape).elements());
}

template <class T>
void split_forward(Context& context, const NystromShape& shape, const NystromAttention& args,
                   const SplitSequences& splits, const ForwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  check_splits(shape, splits);
  const NystromForward<T> op(shape, args);
  const Sequences& sequences = args.inputs.sequences;
  const Index m = shape.options.landmarks, width = shape.width, channels = shape.heads * width;
  auto split_memory = split_workspace_in<NystromForwardSlot<C>, C>(args.inputs.workspace, shape, memory);
  auto& exchanges = split_memory.exchanges;
  const auto norm_of = [&](const HeadTask& head) -> C& {
    return memory.norms[head.batch * shape.heads + head.head];
  };

  const auto halos = exchange_halos<T>(shape, sequences, args.inputs.qkv, 2 * channels, splits, exchanges);
  exchange_segment_sums<T>(context, shape, args.inputs, m, splits, exchanges);
  for_split_heads(context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, int thread) {
    const C* const q = exchanges[s].segment_sums + head.head * width;
    const typename NystromForward<T>::SegmentSums sums{.q = q, .k = q + channels, .stride = 2 * channels};
    norm_of(head) = op.make_landmarks(head, split_memory.slot(s, head.head), memory.scratch(thread), &sums);
  });
  for_split_chunks(
      context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, Index chunk, int thread) {
        op.accumulate_kernel3(head, chunk, split_memory.slot(s, head.head), memory.scratch(thread));
      });
  const Index elements = softmax_elements(shape);
  sum_in_order<C>(splits, exchanges, shape.heads * elements, [&](std::size_t s, C* running, bool is_first) {
    for_heads_of(context, shape, sequences, splits[s], [&](const HeadTask& head) {
      const auto slot = split_memory.slot(s, head.head);
      const auto part = [&](Index c) { return slot.parts[static_cast<std::size_t>(c)]; };
      RowRange chunks = NystromShape::chunks_of(head);
      const ColumnSoftmax<C> sum = is_first ? part(chunks.begin++) : split_memory.received(head.head);
      if (!is_first) unpack_softmax(running + head.head * elements, sum);
      for (Index c = chunks.begin; c < chunks.end; ++c) tile_ops<T>().column_softmax_merge(sum, part(c));
      pack_softmax(sum, running + head.head * elements);
    });
  });
  for_split_heads(context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, int thread) {
    const auto slot = split_memory.slot(s, head.head);
    unpack_softmax(exchanges[s].total + head.head * elements, slot.parts[0]);
    op.invert_kernel2(head, norm_of(head), slot, memory.scratch(thread));
  });
  for_split_chunks(
      context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, Index chunk, int thread) {
        op.attend_queries(head, chunk, split_memory.slot(s, head.head), memory.scratch(thread), &halos[s]);
      });
}

template <class T>
void split_backward(Context& context, const NystromShape& shape, const NystromAttention& args,
                    const AttentionGradients& gradients, const SplitSequences& splits,
                    const BackwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  check_splits(shape, splits);
  const NystromBackward<T> op(shape, args, gradients);
  const Sequences& sequences = args.inputs.sequences;
  const Index m = shape.options.landmarks, width = shape.width, size = m * width;
  auto split_memory = split_workspace_in<NystromBackwardSlot<C>, C>(args.inputs.workspace, shape, memory);
  auto& exchanges = split_memory.exchanges;
  // Adds `tile(part)` of all chunks here to the packed sum of a head.
  const auto add_parts = [&](const HeadTask& head, std::size_t s, bool is_first, C* sum, const auto& tile) {
    const auto slot = split_memory.slot(s, head.head);
    const RowRange chunks = NystromShape::chunks_of(head);
    for (Index c = chunks.begin; c < chunks.end; ++c)
      add_packed(tile(slot.parts[static_cast<std::size_t>(c)]), m, width, is_first && c == chunks.begin, sum);
  };

  const auto halos = exchange_halos<T>(shape, sequences, gradients.d_out, 0, splits, exchanges);
  for_split_heads(context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, int thread) {
    memory.norms[head.batch * shape.heads + head.head] =
        op.restore_landmarks(head, split_memory.slot(s, head.head), memory.scratch(thread)).value;
  });
  for_split_chunks(
      context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, Index chunk, int thread) {
        op.queries_gradient(head, chunk, split_memory.slot(s, head.head), memory.scratch(thread));
      });
  sum_in_order<C>(splits, exchanges, shape.heads * 2 * size, [&](std::size_t s, C* running, bool is_first) {
    for_heads_of(context, shape, sequences, splits[s], [&](const HeadTask& head) {
      C* const sum = running + head.head * 2 * size;
      add_parts(head, s, is_first, sum, [](const auto& part) { return part.d_w; });
      add_parts(head, s, is_first, sum + size, [](const auto& part) { return part.d_k_landmarks; });
    });
  });
  for_split_heads(context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, int thread) {
    const auto slot = split_memory.slot(s, head.head);
    const C* const sum = exchanges[s].total + head.head * 2 * size;
    tile_ops<T>().unpack(sum, m, width, slot.parts[0].d_w);
    tile_ops<T>().unpack(sum + size, m, width, slot.parts[0].d_k_landmarks);
    const C norm = memory.norms[head.batch * shape.heads + head.head];
    const C d_norm = op.invert_kernel2_gradient(head, norm, slot, memory.scratch(thread));
    op.landmarks_gradient(one_norm(slot.a, m), d_norm, slot);
  });
  for_split_chunks(
      context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, Index chunk, int thread) {
        op.keys_gradient(head, chunk, split_memory.slot(s, head.head), memory.scratch(thread), &halos[s]);
      });
  sum_in_order<C>(splits, exchanges, shape.heads * size, [&](std::size_t s, C* running, bool is_first) {
    for_heads_of(context, shape, sequences, splits[s], [&](const HeadTask& head) {
      add_parts(head, s, is_first, running + head.head * size,
                [](const auto& part) { return part.d_q_landmarks; });
    });
  });
  for_split_heads(context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, int) {
    const auto slot = split_memory.slot(s, head.head);
    tile_ops<T>().unpack(exchanges[s].total + head.head * size, m, width, slot.parts[0].d_q_landmarks);
    op.finish_gradients(head, slot, memory.d_conv + (head.batch * shape.heads + head.head) * shape.taps);
  });
}

#define NYSTROM_INSTANTIATE(T)                                                                \
  template void split_forward<T>(Context&, const NystromShape&, const NystromAttention&,      \
                                 const SplitSequences&, const ForwardWorkspace<Compute<T>>&); \
  template void split_backward<T>(Context&, const NystromShape&, const NystromAttention&,     \
                                  const AttentionGradients&, const SplitSequences&,           \
                                  const BackwardWorkspace<Compute<T>>&)
NYSTROM_INSTANTIATE(float);
NYSTROM_INSTANTIATE(BF16);
NYSTROM_INSTANTIATE(double);
#undef NYSTROM_INSTANTIATE

}  // namespace nystrom
