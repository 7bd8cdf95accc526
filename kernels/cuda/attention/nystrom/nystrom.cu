// Nystrom attention of the CUDA backend: which kernels run, in which order. Launches are sized by the longest
// sequence; a block that finds no rows of its kind returns. Where all sequences are approximated, or none is,
// the kernels of the other way are not launched. Checked against the CPU through the emulation; not yet run
// on a GPU.

#include "kernels/cuda/attention/launch_arguments.h"
#include "kernels/cuda/attention/nystrom/chunk_sums.h"
#include "kernels/cuda/attention/nystrom/landmarks.h"
#include "kernels/cuda/attention/nystrom/splits.h"
#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

AttentionProblem problem_with_landmarks(const CudaNystromShape& shape, const NystromAttention& args,
                                        const SplitSequences& splits) {
  AttentionProblem problem = problem_of(shape, args.inputs);
  problem.landmarks = problem.exact_rows = static_cast<int>(shape.options.landmarks);
  describe(splits, problem);
  for (std::size_t s = 0; s < splits.size(); ++s)
    NYSTROM_CHECK(
        splits[s].length > shape.options.landmarks && args.options.pinv_init == PinvInit::kPerMatrix,
        "a sequence of {} rows lies on several ranks, with {} landmarks and {}", splits[s].length,
        shape.options.landmarks, static_cast<int>(args.options.pinv_init));
  return problem;
}

NystromMiddle middle_of(const AttentionProblem& problem, const CudaNystromWorkspace& workspace,
                        const NystromAttention& args, bool merged) {
  NystromMiddle middle{};
  middle.problem = problem;
  middle.iterations = args.options.pinv_iterations;
  middle.one_scale = args.options.pinv_init == PinvInit::kBatchMax;
  middle.q_landmarks = args.saved.q_landmarks.data<float>();
  middle.k_landmarks = args.saved.k_landmarks.data<float>();
  middle.parts = workspace.parts;
  middle.part_stats = workspace.part_stats;
  middle.softmaxes = workspace.softmaxes;
  middle.merged = merged;
  middle.k3_v = args.saved.k3_v.data<float>();
  middle.k3_stats = args.saved.k3_stats.data<float>();
  middle.pinv = args.saved.pinv.data<float>();
  middle.residuals = args.saved.residuals.empty() ? nullptr : args.saved.residuals.data<float>();
  middle.a = args.saved.a.data<float>();
  middle.iterates = args.saved.iterates.empty() ? nullptr : args.saved.iterates.data<float>();
  middle.norms = args.saved.norms.data<float>();
  middle.w = args.saved.w.data<float>();
  middle.squares = workspace.squares;
  return middle;
}

template <class T>
void forward(CudaContext& context, const NystromAttention& args) {
  const CudaNystromShape shape(CudaAttentionShape(args.inputs), args.options);
  const auto workspace = workspace_in<CudaNystromWorkspace>(args.inputs.workspace, shape, false);
  const SplitSequences splits(args.inputs.spans);
  const AttentionProblem problem = problem_with_landmarks(shape, args, splits);
  auto rows = attend_rows_of<T>(problem, args.inputs, args.saved.row_stats);
  float* const q_landmarks = args.saved.q_landmarks.data<float>();
  float* const k_landmarks = args.saved.k_landmarks.data<float>();
  const bool merged = shape.approximates_any() && chunks_are_shared(context, problem);
  if (shape.approximates_any()) {
    make_landmarks(context, Landmarks<T>{problem, rows.qkv, q_landmarks, k_landmarks, workspace.segment_sums},
                   shape.longest);
    if (!splits.empty()) {
      const std::int64_t channels = shape.heads * shape.width;
      rows.halos =
          exchange_halos(context, splits, problem, rows.qkv, 3 * channels, 2 * channels, workspace.edges);
      exchange_segments(context, splits, problem, workspace.segment_sums, 2 * channels);
      finish_landmarks(context, problem, workspace.segment_sums, q_landmarks, k_landmarks);
    }
    attend_keys(context,
                AttendKeys<T>{problem, rows.qkv, q_landmarks, workspace.parts, workspace.part_stats});
    if (merged) merge_chunks(context, problem, workspace.parts, workspace.part_stats);
    if (!splits.empty()) {
      pack_softmaxes(context, problem, workspace.parts, workspace.part_stats, workspace.softmaxes);
      exchange_pieces(splits, problem, workspace.softmaxes,
                      shape.heads * shape.options.landmarks * (shape.width + 2));
    }
  }
  nystrom_middle(context, middle_of(problem, workspace, args, merged),
                 shape.slots(shape.forward_squares()));  // exact heads' residuals too
  rows.k_landmarks = k_landmarks;
  rows.w = args.saved.w.data<float>();
  if (shape.approximates_any()) attend_rows(context, rows, false, shape.longest);
  if (shape.attends_exactly()) attend_rows(context, rows, true, shape.longest_exact);
}

NystromMiddleGradient middle_gradient(const CudaNystromShape& shape, const AttentionProblem& problem,
                                      const CudaNystromWorkspace& workspace, const NystromAttention& args) {
  NystromMiddleGradient middle{};
  middle.problem = problem;
  middle.iterations = shape.options.pinv_iterations;
  middle.kept = static_cast<int>(shape.kept_iterates());
  middle.one_scale = shape.options.pinv_init == PinvInit::kBatchMax;
  middle.q_landmarks = args.saved.q_landmarks.data<float>();
  middle.k_landmarks = args.saved.k_landmarks.data<float>();
  middle.pinv = args.saved.pinv.data<float>();
  middle.k3_v = args.saved.k3_v.data<float>();
  middle.a = args.saved.a.data<float>();
  middle.norms = args.saved.norms.data<float>();
  middle.iterates = optional<float>(args.saved.iterates);
  middle.d_scales = workspace.d_scales;
  middle.d_w_parts = workspace.d_w_parts;
  middle.d_k_parts = workspace.d_k_parts;
  middle.d_q_parts = workspace.d_q_parts;
  middle.d_k3_v = workspace.d_k3_v;
  middle.landmark_deltas = workspace.landmark_deltas;
  middle.d_k_landmarks = workspace.d_k_landmarks;
  middle.d_q_landmarks = workspace.d_q_landmarks;
  middle.d_a = workspace.d_a;
  middle.squares = workspace.squares;
  middle.sums = workspace.sums;
  return middle;
}

/// Sums of each chunk of the split sequences, added up over chunks and ranks into workspace.sums.
void sum_over_ranks(CudaContext& context, const CudaNystromShape& shape, const SplitSequences& splits,
                    const AttentionProblem& problem, const ChunkedSums& sums, float* pieces) {
  if (splits.empty()) return;
  pack_sums(context, problem, sums, pieces);
  exchange_pieces(splits, problem, pieces, shape.heads * sums.count * shape.options.landmarks * shape.width);
}

template <class T>
void backward(CudaContext& context, const NystromAttention& args, const AttentionGradients& gradients) {
  const CudaNystromShape shape(CudaAttentionShape(args.inputs), args.options);
  const auto workspace = workspace_in<CudaNystromWorkspace>(args.inputs.workspace, shape, true);
  const SplitSequences splits(args.inputs.spans);
  const AttentionProblem problem = problem_with_landmarks(shape, args, splits);
  auto pass = gradient_pass<T>(shape, problem, workspace, args.inputs, args.saved.row_stats, gradients);
  if (!splits.empty())
    pass.halos =
        exchange_halos(context, splits, problem, pass.d_out, shape.heads * shape.width, 0, workspace.edges);
  auto rows = rows_gradient_of<T>(pass, args.inputs);
  rows.k_landmarks = args.saved.k_landmarks.data<float>();
  rows.w = args.saved.w.data<float>();
  rows.d_w_parts = workspace.d_w_parts;
  rows.d_k_parts = workspace.d_k_parts;
  auto keys = keys_gradient_of<T>(pass);
  keys.q_landmarks = args.saved.q_landmarks.data<float>();
  keys.d_k3_v = workspace.d_k3_v;
  keys.k3_stats = args.saved.k3_stats.data<float>();
  keys.landmark_deltas = workspace.landmark_deltas;
  keys.d_k_landmarks = workspace.d_k_landmarks;
  keys.d_q_landmarks = workspace.d_q_landmarks;
  keys.d_q_parts = workspace.d_q_parts;
  if (shape.approximates_any()) {
    NystromMiddleGradient middle = middle_gradient(shape, problem, workspace, args);
    rows_gradient(context, rows, false, shape.longest);
    const ChunkedSums through_rows{{workspace.d_w_parts, workspace.d_k_parts}, 2};
    middle.added = chunks_are_shared(context, problem);
    if (middle.added) add_chunks(context, problem, through_rows);
    sum_over_ranks(context, shape, splits, problem, through_rows, workspace.sums);
    nystrom_middle_gradient(context, middle, shape.slots(shape.backward_squares()));
    keys_gradient(context, keys, false, shape.longest);
    sum_over_ranks(context, shape, splits, problem, {{workspace.d_q_parts}, 1}, workspace.sums);
    add_query_landmark_gradients(context, middle, rows.d_qkv, shape.longest);
  }
  if (shape.attends_exactly()) {
    rows_gradient(context, rows, true, shape.longest_exact);
    keys_gradient(context, keys, true, shape.longest_exact);
  }
  add_filter_gradient(context, pass, workspace, gradients);
}

}  // namespace

void nystrom_attention_forward(CudaContext& context, const NystromAttention& args) {
  if (args.inputs.sequences.count == 0 || args.inputs.sequences.longest == 0) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { forward<T>(context, args); });
}

void nystrom_attention_backward(CudaContext& context, const NystromAttention& args,
                                const AttentionGradients& gradients) {
  if (args.inputs.sequences.count == 0 || args.inputs.sequences.longest == 0) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { backward<T>(context, args, gradients); });
}

}  // namespace nystrom::cuda
