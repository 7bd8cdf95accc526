#include "kernels/cpu/attention/kinds/exact_attention.h"

#include "kernels/cpu/attention/split_sequences.h"

namespace nystrom {
namespace {

/// The workspace of a call; without memory it only counts.
template <class C, class Exact>
class Workspace {
 public:
  Workspace(C* base, const AttentionShape& shape) : shape_(shape), allocator_(base) {
    d_conv = allocator_.take(shape.items() * shape.taps);
    exact_elements_ = elements_of<Exact, C>(shape);
    exact_ = allocator_.take(shape.threads * exact_elements_);
  }

  C* d_conv;  ///< [items, K]

  [[nodiscard]] Exact exact(Index thread) const {
    WorkspaceAllocator<C> allocator(exact_ + thread * exact_elements_);
    return Exact(allocator, shape_);
  }
  [[nodiscard]] Index elements() const { return allocator_.used(); }

 private:
  const AttentionShape& shape_;
  WorkspaceAllocator<C> allocator_;
  Index exact_elements_ = 0;
  C* exact_ = nullptr;
};
template <class C>
using ForwardWorkspace = Workspace<C, ExactForwardMemory<C>>;
template <class C>
using BackwardWorkspace = Workspace<C, ExactBackwardMemory<C>>;

/// Behind it, for sequences on several ranks: keys and values of all rows, and what this rank adds to their
/// gradients.
template <class C>
class SplitWorkspace {
 public:
  SplitWorkspace(C* base, const AttentionShape& shape) : allocator_(base) {
    const Index row = 2 * shape.heads * shape.width;
    for (std::size_t s = 0; s < kMaxSplits; ++s) {
      gathered_[s] = allocator_.take(shape.longest * row);
      d_rows[s] = allocator_.take(shape.longest * row);
      exchanges[s] = ExchangeMemory<C>(allocator_, shape, 0, 0);
    }
    received = allocator_.take(std::min(shape.tokens, shape.longest) * row);
  }

  std::array<C*, kMaxSplits> d_rows{};  ///< [n, 2 C]
  C* received = nullptr;                ///< [rows here, 2 C]
  ExchangeMemories<C> exchanges;

  /// [n, 2 C]
  template <class T>
  [[nodiscard]] std::array<T*, kMaxSplits> gathered() const {
    return {reinterpret_cast<T*>(gathered_[0]), reinterpret_cast<T*>(gathered_[1])};
  }
  [[nodiscard]] Index elements() const { return allocator_.used(); }

 private:
  WorkspaceAllocator<C> allocator_;
  std::array<C*, kMaxSplits> gathered_{};
};

template <class C>
SplitWorkspace<C> split_workspace_in(const Tensor& workspace, const AttentionShape& shape, Index used) {
  const Index needed = SplitWorkspace<C>(nullptr, shape).elements();
  NYSTROM_CHECK(used + needed <= workspace.numel(),
                "split sequences need a workspace of {} elements beside {}, not {}: was it planned for them?",
                needed, used, workspace.numel());
  return SplitWorkspace<C>(workspace.data<C>() + used, shape);
}

/// k and v of all rows of each sequence.
template <class T>
std::array<GatheredRows<T>, kMaxSplits> gather_keys(const AttentionShape& shape,
                                                    const AttentionInputs& inputs,
                                                    const SplitSequences& splits,
                                                    const SplitWorkspace<Compute<T>>& memory) {
  const Index channels = shape.heads * shape.width, stride = inputs.qkv.dim(1);
  const auto all = memory.template gathered<T>();
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const T* const here = inputs.qkv.data<T>() +
                          inputs.sequences.offsets.data<std::int32_t>()[splits[s].batch] * stride + channels;
    for (Index i = 0; i < splits[s].rows.size(); ++i)
      std::copy_n(here + i * stride, 2 * channels, all[s] + (splits[s].rows.begin + i) * 2 * channels);
  }
  gather_rows<T>(splits, all, 2 * channels);
  return {{{all[0], channels}, {all[1], channels}}};
}

/// body(head, split, thread) for each head of each split sequence.
template <class Body>
void for_split_heads(Context& context, const AttentionShape& shape, const Sequences& sequences,
                     const SplitSequences& splits, const Body& body) {
  parallel_items(context, static_cast<Index>(splits.size()) * shape.heads, [&](Index i, int thread) {
    const auto split = static_cast<std::size_t>(i / shape.heads);
    body(shape.head(sequences, splits[split].batch * shape.heads + i % shape.heads), split, thread);
  });
}

template <class T>
void split_forward(Context& context, const AttentionShape& shape, const SoftmaxAttention& args,
                   const SplitSequences& splits, const ForwardWorkspace<Compute<T>>& memory) {
  const auto own = split_workspace_in<Compute<T>>(args.inputs.workspace, shape, memory.elements());
  const auto gathered = gather_keys<T>(shape, args.inputs, splits, own);
  const Index blocks = KeyWindow().blocks(shape.tokens);
  parallel_items(context, static_cast<Index>(splits.size()) * shape.heads * blocks, [&](Index i, int thread) {
    const auto s = static_cast<std::size_t>(i / (shape.heads * blocks));
    const HeadTask head =
        shape.head(args.inputs.sequences, splits[s].batch * shape.heads + i / blocks % shape.heads);
    if (i % blocks * kTileRows < head.rows)
      exact_forward<T>(args, KeyWindow(), head, i % blocks, memory.exact(thread), &gathered[s]);
  });
}

template <class T>
void split_backward(Context& context, const AttentionShape& shape, const SoftmaxAttention& args,
                    const AttentionGradients& gradients, const SplitSequences& splits,
                    const BackwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  const Sequences& sequences = args.inputs.sequences;
  const auto own = split_workspace_in<C>(args.inputs.workspace, shape, memory.elements());
  const auto gathered = gather_keys<T>(shape, args.inputs, splits, own);
  const auto halos = exchange_halos<T>(shape, sequences, gradients.d_out, 0, splits, own.exchanges);
  for_split_heads(context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, int thread) {
    exact_queries_backward<T>(args, gradients, head, memory.exact(thread), gathered[s], own.d_rows[s]);
  });
  const Index row = 2 * shape.heads * shape.width;
  scatter_add_rows<C>(splits, own.d_rows, row, own.received);
  for_split_heads(context, shape, sequences, splits, [&](const HeadTask& head, std::size_t s, int thread) {
    exact_keys_backward<T>(args, gradients, head, memory.exact(thread), own.d_rows[s] + head.first * row,
                           halos[s], memory.d_conv + (head.batch * shape.heads + head.head) * shape.taps);
  });
}

}  // namespace

Index exact_attention_workspace(const AttentionLimits& limits) {
  const AttentionShape shape(limits);
  return std::max(ForwardWorkspace<float>(nullptr, shape).elements(),
                  BackwardWorkspace<float>(nullptr, shape).elements()) +
         (limits.split ? SplitWorkspace<float>(nullptr, shape).elements() : 0);
}

void exact_attention_forward(Context& context, const SoftmaxAttention& args, const KeyWindow& window) {
  const AttentionShape shape(context, args.inputs);
  check_sequences(shape, args.inputs);
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto memory = workspace_in<ForwardWorkspace<C>, C>(args.inputs.workspace, shape);
    const SplitSequences splits(shape.spans);
    NYSTROM_CHECK(splits.empty() || !window.bounded(), "a window over {} split sequences", splits.size());
    if (!splits.empty()) split_forward<T>(context, shape, args, splits, memory);
    const Index blocks = window.blocks(shape.longest);
    parallel_items(context, shape.items() * blocks, [&](Index i, int thread) {
      const HeadTask head = shape.head(args.inputs.sequences, i / blocks);
      if (!head.is_part() && window.first_of(i % blocks) < head.rows)
        exact_forward<T>(args, window, head, i % blocks, memory.exact(thread));
    });
  });
}

void exact_attention_backward(Context& context, const SoftmaxAttention& args,
                              const AttentionGradients& gradients, const KeyWindow& window) {
  const AttentionShape shape(context, args.inputs);
  check_sequences(shape, args.inputs);
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto memory = workspace_in<BackwardWorkspace<C>, C>(args.inputs.workspace, shape);
    std::fill_n(memory.d_conv, shape.items() * shape.taps, C(0));
    const SplitSequences splits(shape.spans);
    NYSTROM_CHECK(splits.empty() || !window.bounded(), "a window over {} split sequences", splits.size());
    if (!splits.empty()) split_backward<T>(context, shape, args, gradients, splits, memory);
    for_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
      if (!head.is_part())
        exact_backward<T>(args, gradients, window, head, memory.exact(thread),
                          memory.d_conv + item * shape.taps);
    });
    add_conv_gradients(shape, memory.d_conv, gradients.d_conv_weight);
  });
}

}  // namespace nystrom
