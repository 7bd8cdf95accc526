// Cross-entropy of an answer's start and end (span_cross_entropy.h), in fp64: a block a sequence, then one
// block that adds up the sequences' losses in a fixed order. Two logits a token are nothing beside the
// encoder: the launches bound it. A label beyond its sequence gives a loss that is not a number. Checked
// against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/dispatch.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kThreads = 256;

struct Result {
  double loss;
  std::int32_t right, counted;
};

template <class T>
struct Params {
  const float* logits;  // [tokens, 2]
  const std::int32_t *offsets, *lengths, *starts, *ends;
  T* d;             // [tokens, 2]; null: no gradient
  Result* results;  // [sequences]
  double scale;
};

/// The largest of a side's logits and where it stands first.
struct Best {
  float logit;
  int token;
};

__device__ Best better(const Best& a, const Best& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token) ? a : b;
}

/// Over the block, in all threads. `shared` has room for a Best a warp; begins and ends with a barrier.
__device__ Best block_best(Best x, Best* shared) {
  for (int step = 0; step < 2; ++step) {
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2)
      x = better(x, {__shfl_xor_sync(kFullMask, x.logit, lanes), __shfl_xor_sync(kFullMask, x.token, lanes)});
    if (step == 1) break;
    __syncthreads();
    if (lane_index() == 0) shared[warp_index()] = x;
    __syncthreads();
    x = lane_index() < kThreads / kWarp ? shared[lane_index()] : Best{-INFINITY, 0x7fffffff};
  }
  __syncthreads();
  return x;
}

/// Loss of one side (0 start, 1 end) of a sequence of `length` tokens; `right` is set to false where another
/// token leads. The side's gradient is written.
template <class T>
__device__ double side_loss(const Params<T>& p, std::int64_t begin, int length, int side, int label,
                            bool& right) {
  const float* first = p.logits + 2 * begin + side;
  Best best{-INFINITY, 0x7fffffff};
  for (int t = static_cast<int>(threadIdx.x); t < length; t += kThreads)
    best = better({first[2 * t], t}, best);
  best = block_best(best, shared_memory<Best>());
  const auto largest = static_cast<double>(best.logit);
  double sum = 0;
  for (int t = static_cast<int>(threadIdx.x); t < length; t += kThreads)
    sum += exp(static_cast<double>(first[2 * t]) - largest);
  const double at_label = label < length ? static_cast<double>(first[2 * label]) : static_cast<double>(NAN);
  sum = block_sum(
      sum, shared_memory<double>());  // its barriers lie between reading the label's logit and the gradient
  const double log_total = largest + log(sum);
  right = right && best.token == label;
  if (p.d != nullptr)
    for (int t = static_cast<int>(threadIdx.x); t < length; t += kThreads) {
      const double probability = exp(static_cast<double>(first[2 * t]) - log_total);
      p.d[2 * (begin + t) + side] =
          T(static_cast<float>(0.5 * p.scale * (probability - (t == label ? 1 : 0))));
    }
  return log_total - at_label;
}

// Grid: sequences.
template <class T>
__global__ void span_cross_entropy_kernel(Params<T> p) {
  const std::int64_t sequence = blockIdx.x, begin = p.offsets[sequence];
  const auto rows = static_cast<int>(p.offsets[sequence + 1] - begin);
  const int length = p.lengths[sequence], start = p.starts[sequence], end = p.ends[sequence];
  const bool counted = start >= 0 && end >= 0;
  if (p.d != nullptr)
    for (int t = (counted ? length : 0) + static_cast<int>(threadIdx.x); t < rows; t += kThreads)
      p.d[2 * (begin + t)] = p.d[2 * (begin + t) + 1] = T(0.0F);
  Result result{0, 0, counted ? 1 : 0};
  if (counted) {
    bool right = true;
    const double start_loss = side_loss(p, begin, length, 0, start, right);
    const double end_loss = side_loss(p, begin, length, 1, end, right);
    result.loss = 0.5 * (start_loss + end_loss);
    result.right = right ? 1 : 0;
  }
  if (threadIdx.x == 0) p.results[sequence] = result;
}

__global__ void sum_spans_kernel(const Result* results, std::int64_t sequences, double* sums) {
  double loss = 0, right = 0, counted = 0;
  for (std::int64_t i = threadIdx.x; i < sequences; i += kThreads) {
    loss += results[i].loss;
    right += results[i].right;
    counted += results[i].counted;
  }
  double* shared = shared_memory<double>();
  loss = block_sum(loss, shared);
  right = block_sum(right, shared);
  counted = block_sum(counted, shared);
  if (threadIdx.x != 0) return;
  sums[0] += loss;
  sums[1] += right;
  sums[2] += counted;
}

template <class T>
void run(CudaContext& context, const SpanCrossEntropy& args) {
  const std::int64_t count = args.sequences.count;
  const Params<T> p{
      .logits = args.logits.data<float>(),
      .offsets = args.sequences.offsets.data<std::int32_t>(),
      .lengths = args.sequences.lengths.data<std::int32_t>(),
      .starts = args.starts.data<std::int32_t>(),
      .ends = args.ends.data<std::int32_t>(),
      .d = args.d_logits.empty() ? nullptr : args.d_logits.data<T>(),
      .results = static_cast<Result*>(context.workspace(static_cast<std::size_t>(count) * sizeof(Result))),
      .scale = args.scale};
  launch(context.stream(), dim3(static_cast<unsigned>(count)), dim3(kThreads), sizeof(double) * kWarp,
         "span_cross_entropy", span_cross_entropy_kernel<T>, p);
  launch(context.stream(), dim3(1), dim3(kThreads), sizeof(double) * kWarp, "span_cross_entropy_sums",
         sum_spans_kernel, p.results, count, args.sums.data<double>());
}

}  // namespace

void span_cross_entropy(CudaContext& context, const SpanCrossEntropy& args) {
  if (args.sequences.count == 0) return;
  const DType type = args.d_logits.empty() ? args.logits.dtype : args.d_logits.dtype;
  dispatch_device(type, [&]<class T>(T) { run<T>(context, args); });
}

}  // namespace nystrom::cuda
