#include "kernels/cpu/ops.h"

#include <atomic>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/losses/cross_entropy.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kGrain = 16384;    // logits worth a thread
constexpr std::int64_t kSumBlock = 2048;  // exponentials summed in compute dtype before double takes over

template <class C>
C largest(const C* logits, std::int64_t count) {
  C most = logits[0];
#pragma omp simd reduction(max : most)
  for (std::int64_t v = 0; v < count; ++v) most = logits[v] > most ? logits[v] : most;
  return most;
}

template <class C>
double sum_of_exponentials(const C* logits, std::int64_t count, C most) {
  double total = 0;
  for (std::int64_t begin = 0; begin < count; begin += kSumBlock) {
    const std::int64_t end = std::min(begin + kSumBlock, count);
    C sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t v = begin; v < end; ++v) sum += fast_exp(logits[v] - most);
    total += static_cast<double>(sum);
  }
  return total;
}

/// Whether the first of the largest logits is the label's.
template <class C>
bool is_right(const C* logits, std::int32_t label, C most) {
  if (!(logits[label] == most)) return false;
  for (std::int32_t v = 0; v < label; ++v)
    if (logits[v] == most) return false;
  return true;
}

template <class T>
void gradient_row(const Compute<T>* logits, Compute<T> most, Compute<T> factor, std::int32_t label,
                  Compute<T> scale, T* d_logits, std::int64_t count) {
  const Compute<T> at_label =
      fast_exp(logits[label] - most) * factor - scale;  // before d_logits overwrites it
#pragma omp simd
  for (std::int64_t v = 0; v < count; ++v) store(d_logits[v], fast_exp(logits[v] - most) * factor);
  store(d_logits[label], at_label);
}

/// Loss and gradient of one row; whether its answer is right.
template <class T>
bool one_row(const CrossEntropy& args, std::int64_t row) {
  using C = Compute<T>;
  const std::int64_t count = args.logits.dim(1);
  const C* logits = args.logits.data<C>() + row * count;
  const std::int32_t label = args.labels.data<std::int32_t>()[row];
  C* loss = args.row_losses.data<C>() + row;
  T* d_logits = args.d_logits.empty() ? nullptr : args.d_logits.data<T>() + row * count;
  if (label < 0) {
    *loss = 0;
    if (d_logits != nullptr) std::fill(d_logits, d_logits + count, T{});
    return false;
  }
  const C most = largest(logits, count);
  const double sum = sum_of_exponentials(logits, count, most);
  *loss = static_cast<C>(std::log(sum) - static_cast<double>(logits[label] - most));
  const bool right = is_right(logits, label, most);
  if (d_logits != nullptr)
    gradient_row(logits, most, static_cast<C>(args.scale / sum), label, static_cast<C>(args.scale), d_logits,
                 count);
  return right;
}

void cross_entropy_all(Context& context, const CrossEntropy& args) {
  const std::int64_t rows = args.logits.dim(0), count = args.logits.dim(1);
  std::atomic<std::int64_t> right = 0;
  const DType type = args.d_logits.empty() ? args.logits.dtype : args.d_logits.dtype;
  dispatch_float(type, [&]<class T>(T) {
    parallel_for(context, rows, kGrain / count + 1, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t mine = 0;
      for (std::int64_t row = begin; row < end; ++row) mine += one_row<T>(args, row) ? 1 : 0;
      right += mine;
    });
    double* sums = args.sums.data<double>();
    for (std::int64_t row = 0; row < rows; ++row) {
      sums[0] += static_cast<double>(args.row_losses.data<Compute<T>>()[row]);
      sums[2] += args.labels.data<std::int32_t>()[row] >= 0 ? 1 : 0;
    }
    sums[1] += static_cast<double>(right.load());
  });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(cross_entropy_all);

namespace cpu {

void cross_entropy(Context& context, const CrossEntropy& args) {
  for (const std::int32_t label : args.labels.span<std::int32_t>())
    NYSTROM_CHECK(label < args.logits.dim(1), "label {} of {} classes", label, args.logits.dim(1));
  HWY_DYNAMIC_DISPATCH(cross_entropy_all)(context, args);
}

}  // namespace cpu
}  // namespace nystrom
#endif
