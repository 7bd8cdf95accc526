// attention_forward and attention_backward of the CUDA backend: which kernels run, in which order. Launches
// are sized by the longest sequence; a block that finds no rows of its kind returns. Checked against the CPU
// through the emulation; not yet run on a GPU.

#include <cmath>

#include "kernels/cuda/attention/backward.h"
#include "kernels/cuda/attention/forward.h"
#include "kernels/cuda/attention/landmarks.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class Args>
CudaAttentionShape shape_of(const Args& args) {
  return {args.config, args.qkv.dim(1) / 3 / args.config.heads, args.sequences.count, args.sequences.longest};
}

template <class Args>
AttentionProblem problem_of(const CudaAttentionShape& shape, const Args& args) {
  AttentionProblem problem;
  problem.offsets = args.sequences.offsets.template data<std::int32_t>();
  problem.lengths = args.sequences.lengths.template data<std::int32_t>();
  problem.tokens = args.sequences.tokens;
  problem.batch = static_cast<int>(shape.batch);
  problem.heads = static_cast<int>(shape.config.heads);
  problem.width = static_cast<int>(shape.width);
  problem.landmarks = static_cast<int>(shape.config.landmarks);
  problem.taps = static_cast<int>(shape.config.taps);
  problem.most_chunks = static_cast<int>(shape.chunks());
  problem.scale = 1.0F / std::sqrt(static_cast<float>(shape.width));
  problem.nystrom = shape.nystrom();
  return problem;
}

template <class Args>
AttentionDropout dropout_of(const Args& args) {
  AttentionDropout dropout;
  dropout.active = args.config.kind == AttentionKind::kSoftmax && args.dropout.active();
  if (!dropout.active) return dropout;
  dropout.threshold = args.dropout.threshold();
  dropout.site = args.dropout.site;
  dropout.scale = static_cast<float>(args.dropout.scale());
  dropout.seed = args.dropout.seed;
  dropout.samples = args.keys.samples.template data<std::int64_t>();
  return dropout;
}

/// Rows of the longest sequence that attends exactly.
std::int64_t longest_exact(const CudaAttentionShape& shape) {
  return shape.nystrom() ? std::min(shape.longest, shape.config.landmarks) : shape.longest;
}
/// Whether the longest sequence goes the Nystrom way; others may even so attend exactly.
bool any_nystrom(const CudaAttentionShape& shape) {
  return shape.nystrom() && shape.longest > shape.config.landmarks;
}

template <class Args>
CudaAttentionWorkspace workspace_of(const CudaAttentionShape& shape, const Args& args, bool backward) {
  const CudaAttentionWorkspace needed(nullptr, shape, backward);
  NYSTROM_CHECK(needed.elements() <= args.workspace.numel(),
                "attention of {} sequences of up to {} tokens needs a workspace of {} elements, not {}",
                shape.batch, shape.longest, needed.elements(), args.workspace.numel());
  return {args.workspace.template data<float>(), shape, backward};
}

template <class T>
const T* optional(const Tensor& x) {
  return x.empty() ? nullptr : x.data<T>();
}

template <class T>
void forward(CudaContext& context, const AttentionForward& args) {
  const CudaAttentionShape shape = shape_of(args);
  const CudaAttentionWorkspace workspace = workspace_of(shape, args, false);
  const AttentionProblem problem = problem_of(shape, args);
  const AttentionSaved& saved = args.saved;
  AttendRows<T> rows{};
  rows.problem = problem;
  rows.qkv = args.qkv.data<T>();
  rows.filter = optional<float>(args.conv_weight);
  rows.dropout = dropout_of(args);
  rows.row_stats = saved.row_stats.data<float>();
  rows.out = args.out.data<T>();
  if (shape.nystrom()) {
    float* const q_landmarks = saved.q_landmarks.data<float>();
    float* const k_landmarks = saved.k_landmarks.data<float>();
    NystromMiddle middle{};
    middle.problem = problem;
    middle.iterations = args.config.pinv_iterations;
    middle.one_scale = args.config.pinv_init == PinvInit::kBatchMax;
    middle.q_landmarks = q_landmarks;
    middle.k_landmarks = k_landmarks;
    middle.parts = workspace.parts;
    middle.part_stats = workspace.part_stats;
    middle.k3_v = saved.k3_v.data<float>();
    middle.k3_stats = saved.k3_stats.data<float>();
    middle.pinv = saved.pinv.data<float>();
    middle.residuals = saved.residuals.empty() ? nullptr : saved.residuals.data<float>();
    middle.norms = workspace.norms;
    middle.w = workspace.w;
    middle.squares = workspace.squares;
    if (any_nystrom(shape)) {
      make_landmarks(context, Landmarks<T>{problem, rows.qkv, q_landmarks, k_landmarks});
      attend_keys(context,
                  AttendKeys<T>{problem, rows.qkv, q_landmarks, workspace.parts, workspace.part_stats});
    }
    nystrom_middle(context, middle, shape.slots(shape.forward_squares()));  // exact heads' residuals too
    rows.k_landmarks = k_landmarks;
    rows.w = workspace.w;
    if (any_nystrom(shape)) attend_rows(context, rows, false, shape.longest);
  }
  attend_rows(context, rows, true, longest_exact(shape));
}

NystromMiddleGradient middle_gradient(const CudaAttentionShape& shape, const AttentionProblem& problem,
                                      const CudaAttentionWorkspace& workspace,
                                      const AttentionBackward& args) {
  NystromMiddleGradient middle{};
  middle.problem = problem;
  middle.iterations = shape.config.pinv_iterations;
  middle.one_scale = shape.config.pinv_init == PinvInit::kBatchMax;
  middle.q_landmarks = args.saved.q_landmarks.data<float>();
  middle.k_landmarks = args.saved.k_landmarks.data<float>();
  middle.pinv = args.saved.pinv.data<float>();
  middle.k3_v = args.saved.k3_v.data<float>();
  middle.w = workspace.w;
  middle.norms = workspace.norms;
  middle.norm_columns = workspace.norm_columns;
  middle.d_scales = workspace.d_scales;
  middle.d_w_parts = workspace.d_w_parts;
  middle.d_k_parts = workspace.d_k_parts;
  middle.d_q_parts = workspace.d_q_parts;
  middle.d_k3_v = workspace.d_k3_v;
  middle.landmark_deltas = workspace.landmark_deltas;
  middle.d_k_landmarks = workspace.d_k_landmarks;
  middle.d_q_landmarks = workspace.d_q_landmarks;
  middle.a = workspace.a;
  middle.d_a = workspace.d_a;
  middle.squares = workspace.squares;
  return middle;
}

template <class T>
GradientPass<T> gradient_pass(const CudaAttentionShape& shape, const AttentionProblem& problem,
                              const CudaAttentionWorkspace& workspace, const AttentionBackward& args) {
  return {.problem = problem,
          .qkv = args.qkv.data<T>(),
          .d_out = args.d_out.data<T>(),
          .filter = optional<float>(args.conv_weight),
          .row_stats = args.saved.row_stats.data<float>(),
          .dropout = dropout_of(args),
          .d_qkv = args.d_qkv.data<T>(),
          .deltas = workspace.deltas,
          .deltas_stride = static_cast<int>(longest_exact(shape))};
}

template <class T>
RowsGradient<T> rows_gradient_of(const GradientPass<T>& pass, const CudaAttentionWorkspace& workspace,
                                 const AttentionBackward& args) {
  RowsGradient<T> rows{};
  static_cast<GradientPass<T>&>(rows) = pass;
  rows.out = args.out.data<T>();
  rows.k_landmarks = optional<float>(args.saved.k_landmarks);
  rows.w = workspace.w;
  rows.d_w_parts = workspace.d_w_parts;
  rows.d_k_parts = workspace.d_k_parts;
  return rows;
}

template <class T>
KeysGradient<T> keys_gradient_of(const GradientPass<T>& pass, const CudaAttentionWorkspace& workspace,
                                 const AttentionBackward& args) {
  KeysGradient<T> keys{};
  static_cast<GradientPass<T>&>(keys) = pass;
  keys.q_landmarks = optional<float>(args.saved.q_landmarks);
  keys.d_k3_v = workspace.d_k3_v;
  keys.k3_stats = optional<float>(args.saved.k3_stats);
  keys.landmark_deltas = workspace.landmark_deltas;
  keys.d_k_landmarks = workspace.d_k_landmarks;
  keys.d_q_parts = workspace.d_q_parts;
  return keys;
}

template <class T>
void backward(CudaContext& context, const AttentionBackward& args) {
  const CudaAttentionShape shape = shape_of(args);
  const CudaAttentionWorkspace workspace = workspace_of(shape, args, true);
  const AttentionProblem problem = problem_of(shape, args);
  const auto pass = gradient_pass<T>(shape, problem, workspace, args);
  const auto rows = rows_gradient_of<T>(pass, workspace, args);
  const auto keys = keys_gradient_of<T>(pass, workspace, args);
  if (any_nystrom(shape)) {
    const NystromMiddleGradient middle = middle_gradient(shape, problem, workspace, args);
    nystrom_begin_gradient(context, middle);
    rows_gradient(context, rows, false, shape.longest);
    nystrom_middle_gradient(context, middle, shape.slots(shape.backward_squares()));
    keys_gradient(context, keys, false, shape.longest);
    add_query_landmark_gradients(context, middle, rows.d_qkv, shape.longest);
  }
  rows_gradient(context, rows, true, longest_exact(shape));
  keys_gradient(context, keys, true, longest_exact(shape));
  if (problem.taps > 0)
    filter_gradient(context, FilterGradient<T>{problem, rows.qkv, rows.d_out, workspace.d_filter,
                                               args.d_conv_weight.data<float>()});
}

}  // namespace

void attention_forward(CudaContext& context, const AttentionForward& args) {
  if (args.sequences.count == 0 || args.sequences.longest == 0) return;
  dispatch_device(args.qkv.dtype, [&]<class T>(T) { forward<T>(context, args); });
}

void attention_backward(CudaContext& context, const AttentionBackward& args) {
  if (args.sequences.count == 0 || args.sequences.longest == 0) return;
  dispatch_device(args.qkv.dtype, [&]<class T>(T) { backward<T>(context, args); });
}

}  // namespace nystrom::cuda
