#include "kernels/attention.h"

#include "kernels/cpu/attention/exact_head.h"
#include "kernels/cpu/attention/nystrom_head.h"
#include "kernels/cuda/attention/workspace.h"

namespace nystrom {
namespace {

/// The workspace of a call: arrays over all heads, slots, and each thread's scratch.
template <class C, class Slot, class Scratch, class Exact>
class Workspace {
 public:
  /// `slots` as in AttentionShape::slots(); without memory it only counts.
  Workspace(C* base, const AttentionShape& shape, Index slots) : shape_(shape), carver_(base) {
    norms = carver_.take(shape.items());
    d_scales = carver_.take(shape.items());
    d_conv = carver_.take(shape.items() * shape.config.taps);
    if (shape.config.kind == AttentionKind::kNystrom) {
      slot_elements_ = elements_of<Slot, C>(shape);
      scratch_elements_ = elements_of<Scratch, C>(shape);
    }
    exact_elements_ = elements_of<Exact, C>(shape);
    slots_ = carver_.take(slots * slot_elements_);
    scratch_ = carver_.take(shape.threads * scratch_elements_);
    exact_ = carver_.take(shape.threads * exact_elements_);
  }

  C* norms;     ///< [items] |A|_1
  C* d_scales;  ///< [items]
  C* d_conv;    ///< [items, K]

  [[nodiscard]] Slot slot(Index i) const { return carved<Slot>(slots_ + i * slot_elements_); }
  [[nodiscard]] Scratch scratch(Index thread) const {
    return carved<Scratch>(scratch_ + thread * scratch_elements_);
  }
  [[nodiscard]] Exact exact(Index thread) const { return carved<Exact>(exact_ + thread * exact_elements_); }
  [[nodiscard]] Index elements() const { return carver_.used(); }

 private:
  template <class Pieces>
  Pieces carved(C* base) const {
    Carver<C> carver(base);
    return Pieces(carver, shape_);
  }

  const AttentionShape& shape_;
  Carver<C> carver_;
  Index slot_elements_ = 0, scratch_elements_ = 0, exact_elements_ = 0;
  C *slots_ = nullptr, *scratch_ = nullptr, *exact_ = nullptr;
};
template <class C>
using ForwardWorkspace = Workspace<C, NystromForwardSlot<C>, NystromForwardScratch<C>, ExactForwardMemory<C>>;
template <class C>
using BackwardWorkspace =
    Workspace<C, NystromBackwardSlot<C>, NystromBackwardScratch<C>, ExactBackwardMemory<C>>;

template <class Args>
AttentionShape shape_of(const Context& context, const Args& args) {
  AttentionShape shape;
  shape.config = args.config;
  shape.width = args.qkv.dim(1) / 3 / args.config.heads;
  shape.batch = args.sequences.count;
  shape.longest = args.sequences.longest;
  shape.threads = context.threads();
  return shape;
}

/// The memory for these slots, which the plan must have booked.
template <class Memory, class C>
Memory workspace_in(const Tensor& workspace, const AttentionShape& shape) {
  const Index needed = Memory(nullptr, shape, shape.slots()).elements();
  NYSTROM_CHECK(needed <= workspace.numel(),
                "attention of {} sequences of up to {} tokens needs a workspace of {} elements, not {}",
                shape.batch, shape.longest, needed, workspace.numel());
  return Memory(workspace.data<C>(), shape, shape.slots());
}

/// body(head, item, chunk, thread) for each chunk of each head that goes the Nystrom way.
template <class Body>
void for_chunks(Context& context, const AttentionShape& shape, const Sequences& sequences, const Body& body) {
  const Index chunks = shape.most_chunks();
  parallel_items(context, shape.items() * chunks, [&](Index i, int thread) {
    const HeadTask head = shape.head(sequences, i / chunks);
    if (head.nystrom && i % chunks < AttentionShape::chunks(head.rows))
      body(head, i / chunks, i % chunks, thread);
  });
}

/// body(head, item, thread) for each head that has rows.
template <class Body>
void for_heads(Context& context, const AttentionShape& shape, const Sequences& sequences, const Body& body) {
  parallel_items(context, shape.items(), [&](Index i, int thread) {
    const HeadTask head = shape.head(sequences, i);
    if (head.rows > 0) body(head, i, thread);
  });
}

/// Which head has the largest |A|_1 of the call; the first of equals.
template <class C>
Index largest_norm(const AttentionShape& shape, const C* norms) {
  return std::max_element(norms, norms + shape.items()) - norms;
}

// Forward.

template <class T>
void softmax_forward(Context& context, const AttentionShape& shape, const AttentionForward& args,
                     const ForwardWorkspace<Compute<T>>& memory) {
  const Index blocks = (shape.longest + kTileRows - 1) / kTileRows;
  parallel_items(context, shape.items() * blocks, [&](Index i, int thread) {
    const HeadTask head = shape.head(args.sequences, i / blocks);
    const Index begin = i % blocks * kTileRows, end = std::min(begin + kTileRows, head.rows);
    if (begin < end) exact_forward<T>(shape, args, head, begin, end, memory.exact(thread));
  });
}

template <class T>
void nystrom_forward(Context& context, const AttentionShape& shape, const AttentionForward& args,
                     const ForwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  const NystromForward<T> op(shape, args);
  const auto exact = [&](const HeadTask& head, Index item, int thread) {
    exact_forward<T>(shape, args, head, 0, head.rows, memory.exact(thread));
    if (!args.saved.residuals.empty()) args.saved.residuals.data<C>()[item] = C(0);
    memory.norms[item] = C(0);
  };
  if (!shape.by_phases()) {
    for_heads(context, shape, args.sequences, [&](const HeadTask& head, Index item, int thread) {
      if (!head.nystrom) return exact(head, item, thread);
      const auto slot = memory.slot(thread);
      const auto scratch = memory.scratch(thread);
      const Index chunks = AttentionShape::chunks(head.rows);
      const C norm = op.begin(head, slot, scratch);
      for (Index c = 0; c < chunks; ++c) op.keys(head, c, slot, scratch);
      op.middle(head, norm, slot, scratch);
      for (Index c = 0; c < chunks; ++c) op.rows(head, c, slot, scratch);
    });
    return;
  }
  std::fill_n(memory.norms, shape.items(), C(0));
  for_heads(context, shape, args.sequences, [&](const HeadTask& head, Index item, int thread) {
    if (!head.nystrom) return exact(head, item, thread);
    memory.norms[item] = op.begin(head, memory.slot(item), memory.scratch(thread));
  });
  for_chunks(context, shape, args.sequences, [&](const HeadTask& head, Index item, Index chunk, int thread) {
    op.keys(head, chunk, memory.slot(item), memory.scratch(thread));
  });
  const C largest = memory.norms[largest_norm(shape, memory.norms)];
  for_heads(context, shape, args.sequences, [&](const HeadTask& head, Index item, int thread) {
    if (!head.nystrom) return;
    op.middle(head, shape.one_scale() ? largest : memory.norms[item], memory.slot(item),
              memory.scratch(thread));
  });
  for_chunks(context, shape, args.sequences, [&](const HeadTask& head, Index item, Index chunk, int thread) {
    op.rows(head, chunk, memory.slot(item), memory.scratch(thread));
  });
}

// Backward.

template <class T>
void nystrom_backward_by_phases(Context& context, const AttentionShape& shape, const AttentionBackward& args,
                                const BackwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  const NystromBackward<T> op(shape, args);
  std::fill_n(memory.norms, shape.items(), C(0));
  std::fill_n(memory.d_scales, shape.items(), C(0));
  for_heads(context, shape, args.sequences, [&](const HeadTask& head, Index item, int thread) {
    if (head.nystrom)
      memory.norms[item] = op.begin(head, memory.slot(item), memory.scratch(thread)).value;
    else
      exact_backward<T>(shape, args, head, memory.exact(thread), memory.d_conv + item * shape.config.taps);
  });
  for_chunks(context, shape, args.sequences, [&](const HeadTask& head, Index item, Index chunk, int thread) {
    op.rows(head, chunk, memory.slot(item), memory.scratch(thread));
  });
  const Index largest = largest_norm(shape, memory.norms);
  for_heads(context, shape, args.sequences, [&](const HeadTask& head, Index item, int thread) {
    if (!head.nystrom) return;
    const C scale = memory.norms[shape.one_scale() ? largest : item];
    memory.d_scales[item] = op.middle(head, scale, memory.slot(item), memory.scratch(thread));
  });
  C d_shared = 0;
  for (Index item = 0; item < shape.items(); ++item) d_shared += memory.d_scales[item];
  for_heads(context, shape, args.sequences, [&](const HeadTask& head, Index item, int) {
    if (!head.nystrom) return;
    const auto slot = memory.slot(item);
    const C d_norm = !shape.one_scale() ? memory.d_scales[item] : item == largest ? d_shared : C(0);
    op.landmarks(one_norm(slot.a, shape.config.landmarks), d_norm, slot);
  });
  for_chunks(context, shape, args.sequences, [&](const HeadTask& head, Index item, Index chunk, int thread) {
    op.keys(head, chunk, memory.slot(item), memory.scratch(thread));
  });
  for_heads(context, shape, args.sequences, [&](const HeadTask& head, Index item, int) {
    if (head.nystrom) op.end(head, memory.slot(item), memory.d_conv + item * shape.config.taps);
  });
}

template <class T>
void backward_by_heads(Context& context, const AttentionShape& shape, const AttentionBackward& args,
                       const BackwardWorkspace<Compute<T>>& memory) {
  using C = Compute<T>;
  const NystromBackward<T> op(shape, args);
  for_heads(context, shape, args.sequences, [&](const HeadTask& head, Index item, int thread) {
    C* const d_conv = memory.d_conv + item * shape.config.taps;
    if (!head.nystrom) return exact_backward<T>(shape, args, head, memory.exact(thread), d_conv);
    const auto slot = memory.slot(thread);
    const auto scratch = memory.scratch(thread);
    const Index chunks = AttentionShape::chunks(head.rows);
    const OneNorm<C> norm = op.begin(head, slot, scratch);
    for (Index c = 0; c < chunks; ++c) op.rows(head, c, slot, scratch);
    const C d_scale = op.middle(head, norm.value, slot, scratch);
    op.landmarks(norm, d_scale, slot);
    for (Index c = 0; c < chunks; ++c) op.keys(head, c, slot, scratch);
    op.end(head, slot, d_conv);
  });
}

// What a call costs.

/// Multiplications and additions of one head: `products` of n x M x D (or n x keys x D) products,
/// `convolutions` of n x K x D, `squares` of M x M x M.
struct Cost {
  double products, convolutions, squares;

  [[nodiscard]] double of(const AttentionConfig& config, Index width, Index rows, Index keys) const {
    const auto d = static_cast<double>(width), m = static_cast<double>(config.landmarks);
    const auto n = static_cast<double>(rows);
    const double convolution = convolutions * n * static_cast<double>(config.taps) * d;
    if (config.kind == AttentionKind::kNystrom && rows > config.landmarks)
      return 2 * (convolution + products * 2 * n * m * d + squares * m * m * m + 2 * m * m * d);
    return 2 * (convolution + products * n * static_cast<double>(keys) * d);
  }
};

/// Of all heads. Only the GPU knows how long the sequences there are: they are taken to be equally long.
template <class Args>
double flops(const Context& context, const Args& args, const Cost& cost) {
  const Sequences& sequences = args.sequences;
  const Index width = args.qkv.dim(1) / 3 / args.config.heads;
  double sum = 0;
  if (context.cuda() != nullptr) {
    const Index rows = sequences.count == 0 ? 0 : sequences.tokens / sequences.count;
    sum = static_cast<double>(sequences.count) * cost.of(args.config, width, rows, rows);
  } else {
    const auto* const offsets = sequences.offsets.data<std::int32_t>();
    const auto* const lengths = sequences.lengths.data<std::int32_t>();
    for (Index b = 0; b < sequences.count; ++b) {
      const Index rows = offsets[b + 1] - offsets[b];
      sum += cost.of(args.config, width, rows, std::min<Index>(rows, lengths[b]));
    }
  }
  return sum * static_cast<double>(args.config.heads);
}

template <class Args>
void check_shapes(const Args& args) {
  const AttentionConfig& config = args.config;
  const Tensor& qkv = args.qkv;
  NYSTROM_CHECK(config.taps == 0 || config.taps % 2 == 1,
                "the convolution has {} taps; an even number has no middle", config.taps);
  NYSTROM_CHECK(qkv.dim(1) % (3 * config.heads) == 0, "qkv has {} columns for {} heads", qkv.dim(1),
                config.heads);
  NYSTROM_CHECK(config.taps == 0 || args.conv_weight.numel() == config.heads * config.taps,
                "the convolution's weight is {}, not {} heads of {} taps", args.conv_weight.shape.text(),
                config.heads, config.taps);
}

template <class Args>
void check_sequences(const AttentionShape& shape, const Args& args) {
  const Tensor& qkv = args.qkv;
  for (Index b = 0; b < shape.batch; ++b) {
    const HeadTask head = shape.head(args.sequences, b * shape.config.heads);
    NYSTROM_CHECK(head.rows == 0 || head.keys > 0, "sequence {} has {} rows, but no key to attend to", b,
                  head.rows);
    NYSTROM_CHECK(head.begin + head.rows <= qkv.dim(0) && head.rows <= shape.longest,
                  "sequence {} has rows [{}, {}) of {}, at most {}", b, head.begin, head.begin + head.rows,
                  qkv.dim(0), shape.longest);
  }
}

/// The same for the kernels of a GPU.
Tensor plan_cuda_workspace(Planner& planner, const AttentionConfig& config, DType activation,
                           const AttentionLimits& limits) {
  const Index width = limits.channels / config.heads;
  if (width % 8 != 0 || width > 128)
    refuse(
        "Attention on a GPU takes heads of a multiple of 8 channels, at most 128; these have {}: choose "
        "another number of heads, or the CPU.",
        width);
  if (config.kind == AttentionKind::kNystrom && config.landmarks > 256)
    refuse("Attention on a GPU takes at most 256 landmarks, not {}: choose fewer, or the CPU.",
           config.landmarks);
  if (activation == DType::kF64)
    refuse("Attention on a GPU computes in fp32 or bf16, not in {}.", name_of(activation));
  const cuda::CudaAttentionShape shape{config, width, limits.batch, limits.longest};
  const Index elements = std::max(cuda::CudaAttentionWorkspace(nullptr, shape, false).elements(),
                                  cuda::CudaAttentionWorkspace(nullptr, shape, true).elements());
  return planner.scratch("attention.workspace", DType::kF32, {elements});
}

}  // namespace

AttentionSaved AttentionSaved::plan(Planner& planner, const AttentionConfig& config, DType activation,
                                    std::int64_t batch, std::int64_t tokens, std::int64_t channels) {
  const DType type = compute_dtype(activation);
  const Index heads = config.heads, m = config.landmarks, width = channels / heads;
  AttentionSaved saved;
  saved.row_stats = planner.saved("attention.row_stats", type, {tokens, heads, 2});
  if (config.kind == AttentionKind::kSoftmax) return saved;
  saved.q_landmarks = planner.saved("attention.q_landmarks", type, {batch, heads, m, width});
  saved.k_landmarks = planner.saved("attention.k_landmarks", type, {batch, heads, m, width});
  saved.pinv = planner.saved("attention.pinv", type, {batch, heads, m, m});
  saved.k3_v = planner.saved("attention.k3_v", type, {batch, heads, m, width});
  saved.k3_stats = planner.saved("attention.k3_stats", type, {batch, heads, m, 2});
  saved.residuals = planner.saved("attention.residuals", type, {batch, heads});
  return saved;
}

Tensor plan_attention_workspace(Planner& planner, const AttentionConfig& config, DType activation,
                                const AttentionLimits& limits) {
  if (limits.cuda) return plan_cuda_workspace(planner, config, activation, limits);
  AttentionShape shape;
  shape.config = config;
  shape.width = limits.channels / config.heads;
  shape.batch = limits.batch;
  shape.longest = limits.longest;
  shape.threads = limits.threads;
  const Index slots = shape.most_slots();
  const Index elements = std::max(ForwardWorkspace<float>(nullptr, shape, slots).elements(),
                                  BackwardWorkspace<float>(nullptr, shape, slots).elements());
  return planner.scratch("attention.workspace", compute_dtype(activation), {elements});
}

void attention_forward(Context& context, const AttentionForward& args) {
  check_shapes(args);
  const double squares = 4 * args.config.pinv_iterations + (args.saved.residuals.empty() ? 0 : 1);
  const OpScope scope(context, "attention_forward", flops(context, args, {2, 1, squares}),
                      static_cast<double>(args.qkv.bytes() + args.out.bytes()));
  NYSTROM_ON_CUDA(attention_forward, context, args);
  const AttentionShape shape = shape_of(context, args);
  check_sequences(shape, args);
  dispatch_float(args.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto memory = workspace_in<ForwardWorkspace<C>, C>(args.workspace, shape);
    const auto run = args.config.kind == AttentionKind::kSoftmax ? &softmax_forward<T> : &nystrom_forward<T>;
    run(context, shape, args, memory);
  });
}

void attention_backward(Context& context, const AttentionBackward& args) {
  check_shapes(args);
  const OpScope scope(context, "attention_backward",
                      flops(context, args, {5, 2, 12.0 * args.config.pinv_iterations}),
                      static_cast<double>(args.qkv.bytes() + args.d_out.bytes() + args.d_qkv.bytes()));
  NYSTROM_ON_CUDA(attention_backward, context, args);
  const AttentionShape shape = shape_of(context, args);
  check_sequences(shape, args);
  dispatch_float(args.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const Index taps = args.config.taps, size = args.config.heads * taps;
    const auto memory = workspace_in<BackwardWorkspace<C>, C>(args.workspace, shape);
    std::fill_n(memory.d_conv, shape.items() * taps, C(0));
    const auto run = shape.by_phases() ? &nystrom_backward_by_phases<T> : &backward_by_heads<T>;
    run(context, shape, args, memory);
    for (Index b = 0; b < shape.batch; ++b)
      for (Index i = 0; i < size; ++i) args.d_conv_weight.data<C>()[i] += memory.d_conv[b * size + i];
  });
}

}  // namespace nystrom
