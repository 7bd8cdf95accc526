// Rows picked and put back, dropout, tanh, conversion (rows.h), and the sum of squares. Eight elements a
// thread; all are bound by memory: gather 2 s, scatter-add 3 s, dropout and tanh 2 s, tanh's backward 3 s
// bytes an element of size s, conversion the sum of both sizes, sum of squares 4. Checked against the CPU
// through the emulation; not yet run on a GPU.

#include "kernels/rows.h"

#include "kernels/core/cuda/check.h"
#include "kernels/core/cuda/dispatch.h"
#include "kernels/eights_cuda.h"
#include "kernels/squares_cuda.h"

namespace nystrom::cuda {
namespace {

/// Row and column of element `first` of a matrix whose rows are whole eights, or of any element.
struct Place {
  std::int64_t row, column;
  __device__ Place(std::int64_t index, std::int64_t columns)
      : row(index / columns), column(index % columns) {}
};

/// Runs f(from the element at, elements of one row beginning there) over the up to eight elements that begin
/// at `first`: once for whole eights, an element at a time where an eight may straddle rows.
template <bool kRagged, class F>
__device__ void within_rows(std::int64_t first, int count, const F& f) {
  if constexpr (kRagged) {
    for (int i = 0; i < count; ++i) f(first + i, 1);
  } else {
    f(first, kEight);
  }
}

template <class T>
struct Gather {
  const T* x;
  const std::int32_t* rows;
  T* y;
  std::int64_t columns;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    within_rows<kRagged>(first, count, [&](std::int64_t index, int n) {
      const Place place(index, columns);
      const T* from = x + rows[place.row] * columns + place.column;
      store8<kRagged>(y + index, load8<kRagged>(from, n), n);
    });
  }
};

template <class T>
struct ScatterAdd {
  const T* d_y;
  const std::int32_t* rows;
  T* d_x;
  std::int64_t columns;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    within_rows<kRagged>(first, count, [&](std::int64_t index, int n) {
      const Place place(index, columns);
      T* to = d_x + rows[place.row] * columns + place.column;
      Eight sum = load8<kRagged>(to, n);
      const Eight d = load8<kRagged>(d_y + index, n);
#pragma unroll
      for (int i = 0; i < kEight; ++i) sum.v[i] += d.v[i];
      store8<kRagged>(to, sum, n);
    });
  }
};

template <class T>
struct DropRows {
  Drop drop;
  const T* x;
  T* y;
  std::int64_t columns;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    within_rows<kRagged>(first, count, [&](std::int64_t index, int n) {
      const Place place(index, columns);
      Eight v = load8<kRagged>(x + index, n);
      drop8(drop, kept8(drop, place.row, place.column, columns), v);
      store8<kRagged>(y + index, v, n);
    });
  }
};

template <class T>
struct TanhForward {
  const T* x;
  T* y;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    Eight v = load8<kRagged>(x + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) v.v[i] = tanhf(v.v[i]);
    store8<kRagged>(y + first, v, count);
  }
};

template <class T>
struct TanhBackward {
  const T *y, *d_y;
  T* d_x;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    const Eight v = load8<kRagged>(y + first, count);
    Eight d = load8<kRagged>(d_y + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) d.v[i] *= 1.0F - v.v[i] * v.v[i];
    store8<kRagged>(d_x + first, d, count);
  }
};

template <class From, class To>
struct Convert {
  const From* from;
  To* to;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    store8<kRagged>(to + first, load8<kRagged>(from + first, count), count);
  }
};

}  // namespace

void gather_rows(CudaContext& context, const Tensor& x, const Tensor& rows, const Tensor& y) {
  dispatch_device(x.dtype, [&]<class T>(T) {
    const Gather<T> body{x.data<T>(), rows.data<std::int32_t>(), y.data<T>(), x.dim(1)};
    const bool whole = whole_eights(body.x, body.columns) && whole_eights(body.y, body.columns);
    for_eights(context, "gather_rows", y.numel(), whole, body);
  });
}

void scatter_add_rows(CudaContext& context, const Tensor& d_y, const Tensor& rows, const Tensor& d_x) {
  dispatch_device(d_y.dtype, [&]<class T>(T) {
    const ScatterAdd<T> body{d_y.data<T>(), rows.data<std::int32_t>(), d_x.data<T>(), d_y.dim(1)};
    const bool whole = whole_eights(body.d_y, body.columns) && whole_eights(body.d_x, body.columns);
    for_eights(context, "scatter_add_rows", d_y.numel(), whole, body);
  });
}

void tanh_forward(CudaContext& context, const Tensor& x, const Tensor& y) {
  dispatch_device(x.dtype, [&]<class T>(T) {
    const TanhForward<T> body{x.data<T>(), y.data<T>()};
    const bool whole = whole_eights(body.x, x.numel()) && whole_eights(body.y, x.numel());
    for_eights(context, "tanh_forward", x.numel(), whole, body);
  });
}

void tanh_backward(CudaContext& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  dispatch_device(y.dtype, [&]<class T>(T) {
    const TanhBackward<T> body{y.data<T>(), d_y.data<T>(), d_x.data<T>()};
    const bool whole = whole_eights(body.y, y.numel()) && whole_eights(body.d_y, y.numel()) &&
                       whole_eights(body.d_x, y.numel());
    for_eights(context, "tanh_backward", y.numel(), whole, body);
  });
}

void dropout_rows(CudaContext& context, const Dropout& dropout, const RowKeys& keys, const Tensor& x,
                  const Tensor& y) {
  if (!dropout.active()) {
    if (x.address != y.address) convert(context, x, y);
    return;
  }
  dispatch_device(x.dtype, [&]<class T>(T) {
    const DropRows<T> body{{dropout, keys}, x.data<T>(), y.data<T>(), x.dim(1)};
    const bool whole = whole_eights(body.x, body.columns) && whole_eights(body.y, body.columns);
    for_eights(context, "dropout_rows", x.numel(), whole, body);
  });
}

void convert(CudaContext& context, const Tensor& from, const Tensor& to) {
  dispatch_device(from.dtype, [&]<class From>(From) {
    dispatch_device(to.dtype, [&]<class To>(To) {
      const Convert<From, To> body{from.data<From>(), to.data<To>()};
      const bool whole = whole_eights(body.from, from.numel()) && whole_eights(body.to, from.numel());
      for_eights(context, "convert", from.numel(), whole, body);
    });
  });
}

double squared_norm(CudaContext& context, const Tensor& x) {
  auto* sum = static_cast<double*>(context.workspace(sizeof(double)));
  if (x.numel() == 0) return 0;
  sum_of_squares(context, x, sum);
  double result = 0;
  check(cudaMemcpyAsync(&result, sum, sizeof(result), cudaMemcpyDeviceToHost, context.stream()),
        "squared_norm");
  check(cudaStreamSynchronize(context.stream()), "squared_norm");
  return result;
}

}  // namespace nystrom::cuda
