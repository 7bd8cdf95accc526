#include "kernels/cpu/ops.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rows.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/lanes-inl.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kRowGrain = 16;    // rows worth a thread
constexpr std::int64_t kGrain = 16384;    // elements worth a thread
constexpr std::int64_t kNormParts = 256;  // parts of squared_norm, whatever the thread count

template <class T>
void scatter_add(const T* d_y, const std::int32_t* rows, T* d_x, std::int64_t columns, std::int64_t begin,
                 std::int64_t end) {
  for (std::int64_t p = begin; p < end; ++p) {
    const T* from = d_y + p * columns;
    T* to = d_x + rows[p] * columns;
#pragma omp simd
    for (std::int64_t c = 0; c < columns; ++c) store(to[c], load(to[c]) + load(from[c]));
  }
}

void scatter_add_rows_all(Context& context, const Tensor& d_y, const Tensor& rows, const Tensor& d_x) {
  dispatch_float(d_y.dtype, [&]<class T>(T) {
    parallel_for(context, d_y.dim(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      scatter_add(d_y.data<T>(), rows.data<std::int32_t>(), d_x.data<T>(), d_y.dim(1), begin, end);
    });
  });
}

template <class T>
void tanh_slopes(const T* y, const T* d_y, T* d_x, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    const Compute<T> value = load(y[i]);
    store(d_x[i], load(d_y[i]) * (Compute<T>{1} - value * value));
  }
}

void tanh_backward_all(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  dispatch_float(y.dtype, [&]<class T>(T) {
    parallel_for(context, y.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      tanh_slopes(y.data<T>(), d_y.data<T>(), d_x.data<T>(), begin, end);
    });
  });
}

void dropout_rows_all(Context& context, const Dropout& dropout, const RowKeys& keys, const Tensor& x,
                      const Tensor& y) {
  const std::int64_t columns = x.dim(1);
  dispatch_float(x.dtype, [&]<class T>(T) {
    parallel_for(context, x.dim(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const T* from = x.data<T>() + row * columns;
        T* to = y.data<T>() + row * columns;
        for_dropped_lanes<Compute<T>>(dropout, keys, row, columns,
                                      [=](auto d, std::int64_t c, const auto& drop) HWY_ATTR {
                                        store_lanes(d, drop(load_lanes(d, from + c)), to + c);
                                      });
      }
    });
  });
}

template <class From, class To>
void convert_run(const From* from, To* to, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) store(to[i], load(from[i]));
}

void convert_all(Context& context, const Tensor& from, const Tensor& to) {
  dispatch_float(from.dtype, [&]<class From>(From) {
    dispatch_float(to.dtype, [&]<class To>(To) {
      parallel_for(context, from.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        convert_run(from.data<From>(), to.data<To>(), begin, end);
      });
    });
  });
}

template <class T>
double squares(const T* x, std::int64_t begin, std::int64_t end) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = begin; i < end; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

double squared_norm_all(Context& context, const Tensor& x) {
  double partials[kNormParts];
  const std::int64_t count = x.numel();
  const std::int64_t grain = count < kGrain ? kNormParts : 1;
  const auto run = [&](const auto* values) {
    parallel_for(context, kNormParts, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t part = begin; part < end; ++part)
        partials[part] = squares(values, count * part / kNormParts, count * (part + 1) / kNormParts);
    });
  };
  if (x.dtype == DType::kF64)
    run(x.data<double>());
  else
    run(x.data<float>());
  double sum = 0;
  for (const double partial : partials) sum += partial;
  return sum;
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(scatter_add_rows_all);
HWY_EXPORT(tanh_backward_all);
HWY_EXPORT(dropout_rows_all);
HWY_EXPORT(convert_all);
HWY_EXPORT(squared_norm_all);

namespace {

/// What the host can read of them only where they are in its memory.
void check_numbers(const Tensor& rows, const Tensor& whole) {
  for (const std::int32_t row : rows.span<std::int32_t>())
    NYSTROM_CHECK(row >= 0 && row < whole.dim(0), "row {} of {}", row, whole.dim(0));
}

}  // namespace

namespace cpu {

void gather_rows(Context& context, const Tensor& x, const Tensor& rows, const Tensor& y) {
  check_numbers(rows, x);
  const std::size_t row_bytes = static_cast<std::size_t>(y.dim(1)) * size_of(y.dtype);
  const auto* from = static_cast<const std::byte*>(x.address);
  auto* to = static_cast<std::byte*>(y.address);
  const std::int32_t* picked = rows.data<std::int32_t>();
  parallel_for(context, y.dim(0), 16, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      std::memcpy(to + static_cast<std::size_t>(p) * row_bytes,
                  from + static_cast<std::size_t>(picked[p]) * row_bytes, row_bytes);
  });
}

void scatter_rows(Context& context, const Tensor& x, const Tensor& rows, const Tensor& y) {
  check_numbers(rows, y);
  const std::size_t row_bytes = static_cast<std::size_t>(x.dim(1)) * size_of(x.dtype);
  const auto* from = static_cast<const std::byte*>(x.address);
  auto* to = static_cast<std::byte*>(y.address);
  const std::int32_t* put = rows.data<std::int32_t>();
  parallel_for(context, x.dim(0), 16, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      std::memcpy(to + static_cast<std::size_t>(put[p]) * row_bytes,
                  from + static_cast<std::size_t>(p) * row_bytes, row_bytes);
  });
}

void scatter_add_rows(Context& context, const Tensor& d_y, const Tensor& rows, const Tensor& d_x) {
  check_numbers(rows, d_x);
  HWY_DYNAMIC_DISPATCH(scatter_add_rows_all)(context, d_y, rows, d_x);
}

void tanh_forward(Context& context, const Tensor& x, const Tensor& y) {
  dispatch_float(x.dtype, [&]<class T>(T) {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    parallel_for(context, x.numel(), 1024, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        to[i] = static_cast<T>(std::tanh(static_cast<Compute<T>>(from[i])));
    });
  });
}

void tanh_backward(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  HWY_DYNAMIC_DISPATCH(tanh_backward_all)(context, y, d_y, d_x);
}

void dropout_rows(Context& context, const Dropout& dropout, const RowKeys& keys, const Tensor& x,
                  const Tensor& y) {
  if (!dropout.active()) {
    if (x.bytes() > 0 && x.address != y.address) std::memcpy(y.address, x.address, x.bytes());
    return;
  }
  HWY_DYNAMIC_DISPATCH(dropout_rows_all)(context, dropout, keys, x, y);
}

void convert(Context& context, const Tensor& from, const Tensor& to) {
  HWY_DYNAMIC_DISPATCH(convert_all)(context, from, to);
}

double squared_norm(Context& context, const Tensor& x) {
  return HWY_DYNAMIC_DISPATCH(squared_norm_all)(context, x);
}

}  // namespace cpu
}  // namespace nystrom
#endif
