#include "kernels/cpu/attention/exact_attention.h"

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

}  // namespace

Index exact_attention_workspace(const AttentionLimits& limits) {
  const AttentionShape shape(limits);
  return std::max(ForwardWorkspace<float>(nullptr, shape).elements(),
                  BackwardWorkspace<float>(nullptr, shape).elements());
}

void exact_attention_forward(Context& context, const SoftmaxAttention& args, const KeyWindow& window) {
  const AttentionShape shape(context, args.inputs);
  check_sequences(shape, args.inputs);
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto memory = workspace_in<ForwardWorkspace<C>, C>(args.inputs.workspace, shape);
    const Index blocks = window.blocks(shape.longest);
    parallel_items(context, shape.items() * blocks, [&](Index i, int thread) {
      const HeadTask head = shape.head(args.inputs.sequences, i / blocks);
      if (window.first_of(i % blocks) < head.rows)
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
    for_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
      exact_backward<T>(args, gradients, window, head, memory.exact(thread),
                        memory.d_conv + item * shape.taps);
    });
    add_conv_gradients(shape, memory.d_conv, gradients.d_conv_weight);
  });
}

}  // namespace nystrom
