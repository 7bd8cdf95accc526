// Softmax cross-entropy with its gradient (cross_entropy.h), a row a block: one pass for the largest logit
// and the sum of exponentials (kept together by rescaling), one for the gradient, whose read the L2 cache
// serves while the rows of a chunk fit there. A second kernel adds up the rows' losses in fp64 in a fixed
// order. Bytes: 4 + s a logit (gradient of size s). Memory bounds it: 30,000 logits a row with a bf16
// gradient are 180 KB, 42 ns at 4.3 TB/s. A label beyond the classes gives a loss that is not a number.
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/dispatch.h"
#include "kernels/tensor/cuda/launch.h"
#include "kernels/tensor/cuda/vectors.h"

namespace nystrom::cuda {
namespace {

constexpr int kThreads = 512, kFewThreads = 32;  // a row; few: rows of up to kFewClasses
constexpr std::int64_t kFewClasses = 512;
constexpr int kSumThreads = 512;

template <class T>
struct Params {
  const float* logits;  // [rows, stride]
  const std::int32_t* labels;
  float* row_losses;
  std::int32_t* right;  // [rows]
  T* d_logits;          // null: no gradient
  double scale;
  std::int64_t classes, stride;
};

/// Of some of a row's logits: the largest, the first index where it stands, and the sum of e^(logit -
/// largest).
struct Softmax {
  float largest, sum;
  int index;
};

__device__ Softmax joined(const Softmax& a, const Softmax& b) {
  const bool a_leads = a.largest > b.largest || (a.largest == b.largest && a.index < b.index);
  const Softmax& lead = a_leads ? a : b;
  const Softmax& other = a_leads ? b : a;
  // Nothing seen (no logit, or all of them -infinity) counts as no exponential.
  const float scale = other.largest == lead.largest ? 1.0F : expf(other.largest - lead.largest);
  return {lead.largest, lead.sum + other.sum * scale, lead.index};
}

__device__ Softmax warp_joined(Softmax x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    const Softmax other{__shfl_xor_sync(kFullMask, x.largest, lanes),
                        __shfl_xor_sync(kFullMask, x.sum, lanes), __shfl_xor_sync(kFullMask, x.index, lanes)};
    // In the order of lanes, so that both sides do the same arithmetic.
    x = (lane_index() & lanes) == 0 ? joined(x, other) : joined(other, x);
  }
  return x;
}

/// Over the block, in all threads. `shared` has room for a Softmax a warp.
__device__ Softmax block_joined(Softmax x, Softmax* shared) {
  x = warp_joined(x);
  if (blockDim.x == kWarp) return x;
  if (lane_index() == 0) shared[warp_index()] = x;
  __syncthreads();
  const bool there = lane_index() < static_cast<int>(blockDim.x) / kWarp;
  return warp_joined(there ? shared[lane_index()] : Softmax{-INFINITY, 0.0F, 0x7fffffff});
}

__device__ void take8(Softmax& softmax, const Vec8& x, int count, int first) {
  float largest = softmax.largest;
#pragma unroll
  for (int i = 0; i < kEight; ++i)
    if (i < count && x.v[i] > largest) {
      largest = x.v[i];
      softmax.index = first + i;
    }
  if (largest != softmax.largest) softmax.sum *= expf(softmax.largest - largest);
  softmax.largest = largest;
#pragma unroll
  for (int i = 0; i < kEight; ++i)
    if (i < count) softmax.sum += x.v[i] == -INFINITY ? 0.0F : expf(x.v[i] - largest);
}

template <class T, bool kRagged>
__device__ void leave_gradient(const Params<T>& p, const float* logits, T* d, const Softmax& softmax,
                               int label) {
  const auto factor = static_cast<float>(p.scale / static_cast<double>(softmax.sum));
  const auto scale = static_cast<float>(p.scale);
  const auto classes = static_cast<int>(p.classes);
  for (int first = static_cast<int>(threadIdx.x) * kEight; first < classes;
       first += static_cast<int>(blockDim.x) * kEight) {
    const int count = classes - first < kEight ? classes - first : kEight;
    Vec8 x = load8<kRagged>(logits + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i)
      x.v[i] = expf(x.v[i] - softmax.largest) * factor - (first + i == label ? scale : 0.0F);
    store8<kRagged>(d + first, x, count);
  }
}

template <class T, bool kRagged>
__device__ void ignore_row(const Params<T>& p, T* d) {
  const auto classes = static_cast<int>(p.classes);
  for (int first = static_cast<int>(threadIdx.x) * kEight; first < classes;
       first += static_cast<int>(blockDim.x) * kEight)
    store8<kRagged>(d + first, Vec8{}, classes - first < kEight ? classes - first : kEight);
}

// Grid: rows.
template <class T, bool kRagged>
__global__ void cross_entropy_kernel(Params<T> p) {
  const std::int64_t row = blockIdx.x;
  const auto classes = static_cast<int>(p.classes);
  const float* logits = p.logits + row * p.stride;
  T* d = p.d_logits == nullptr ? nullptr : p.d_logits + row * p.stride;
  const int label = p.labels[row];
  if (label < 0) {
    if (d != nullptr) ignore_row<T, kRagged>(p, d);
    if (threadIdx.x == 0) p.row_losses[row] = 0, p.right[row] = 0;
    return;
  }
  const float at_label = label < classes ? logits[label] : NAN;  // before the gradient overwrites it
  Softmax softmax{-INFINITY, 0.0F, 0x7fffffff};
  for (int first = static_cast<int>(threadIdx.x) * kEight; first < classes;
       first += static_cast<int>(blockDim.x) * kEight) {
    const int count = classes - first < kEight ? classes - first : kEight;
    take8(softmax, load8<kRagged>(logits + first, count), count, first);
  }
  softmax = block_joined(softmax, shared_memory<Softmax>());
  if (threadIdx.x == 0) {
    p.row_losses[row] = static_cast<float>(log(static_cast<double>(softmax.sum)) -
                                           static_cast<double>(at_label - softmax.largest));
    p.right[row] = softmax.index == label ? 1 : 0;
  }
  if (d == nullptr) return;
  __syncthreads();  // all have read the label's logit
  leave_gradient<T, kRagged>(p, logits, d, softmax, label);
}

// One block: sums [3] += losses, right answers, rows counted.
__global__ void sum_losses_kernel(const float* row_losses, const std::int32_t* right,
                                  const std::int32_t* labels, std::int64_t rows, double* sums) {
  double loss = 0, hits = 0, counted = 0;
  for (std::int64_t row = threadIdx.x; row < rows; row += kSumThreads) {
    loss += static_cast<double>(row_losses[row]);
    hits += right[row];
    counted += labels[row] >= 0 ? 1 : 0;
  }
  double* shared = shared_memory<double>();
  loss = block_sum(loss, shared);
  hits = block_sum(hits, shared);
  counted = block_sum(counted, shared);
  if (threadIdx.x != 0) return;
  sums[0] += loss;
  sums[1] += hits;
  sums[2] += counted;
}

template <class T>
void run(CudaContext& context, const CrossEntropy& args) {
  const std::int64_t rows = args.logits.dim(0), stride = args.logits.dim(1);
  const std::int64_t classes = args.classes == 0 ? stride : args.classes;
  const Params<T> p{.logits = args.logits.data<float>(),
                    .labels = args.labels.data<std::int32_t>(),
                    .row_losses = args.row_losses.data<float>(),
                    .right = static_cast<std::int32_t*>(
                        context.workspace(static_cast<std::size_t>(rows) * sizeof(std::int32_t))),
                    .d_logits = args.d_logits.empty() ? nullptr : args.d_logits.data<T>(),
                    .scale = args.scale,
                    .classes = classes,
                    .stride = stride};
  const bool whole = whole_eights(p.logits, stride) && whole_eights(p.d_logits, stride);
  const auto kernel = whole ? cross_entropy_kernel<T, false> : cross_entropy_kernel<T, true>;
  launch(context.stream(), dim3(static_cast<unsigned>(rows)),
         dim3(classes <= kFewClasses ? kFewThreads : kThreads), sizeof(Softmax) * kWarp, "cross_entropy",
         kernel, p);
  launch(context.stream(), dim3(1), dim3(kSumThreads), sizeof(double) * kWarp, "cross_entropy_sums",
         sum_losses_kernel, p.row_losses, p.right, p.labels, rows, args.sums.data<double>());
}

}  // namespace

void cross_entropy(CudaContext& context, const CrossEntropy& args) {
  if (args.logits.dim(0) == 0) return;
  const DType type = args.d_logits.empty() ? args.logits.dtype : args.d_logits.dtype;
  dispatch_device(type, [&]<class T>(T) { run<T>(context, args); });
}

}  // namespace nystrom::cuda
