// Rows picked and put back, dropout, tanh, conversion (rows.h), and the sum of squares. Eight elements a
// thread; all are bound by memory: gather and scatter 2 s, scatter-add 3 s, dropout and tanh 2 s, tanh's
// backward 3 s bytes an element of size s, conversion the sum of both sizes, sum of squares 4. Checked
// against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/sum_of_squares.h"
#include "kernels/tensor/cuda/check.h"

namespace nystrom::cuda {
namespace {

/// Elements of one row: `count` of them, the first at `index` of the whole, in that row and column.
struct Piece {
  std::int64_t index, row, column;
  int count;
};

/// Work on the elements of a [rows, columns] tensor that must know their row: in whole eights, or where an
/// eight might straddle rows, an element at a time.
template <class Work>
struct ByRow {
  Work work;
  std::int64_t columns;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    constexpr int kStep = kRagged ? 1 : kEight;
    for (std::int64_t i = first; i < first + count; i += kStep)
      work.template on<kRagged>(Piece{i, i / columns, i % columns, kStep}, columns);
  }
};

template <class T>
struct Gather {
  const T* x;
  const std::int32_t* rows;
  T* y;

  template <bool kRagged>
  __device__ void on(const Piece& at, std::int64_t columns) const {
    const T* from = x + rows[at.row] * columns + at.column;
    store8<kRagged>(y + at.index, load8<kRagged>(from, at.count), at.count);
  }
};

template <class T>
struct Scatter {
  const T* x;
  const std::int32_t* rows;
  T* y;

  template <bool kRagged>
  __device__ void on(const Piece& at, std::int64_t columns) const {
    T* to = y + rows[at.row] * columns + at.column;
    store8<kRagged>(to, load8<kRagged>(x + at.index, at.count), at.count);
  }
};

template <class T>
struct ScatterAdd {
  const T* d_y;
  const std::int32_t* rows;
  T* d_x;

  template <bool kRagged>
  __device__ void on(const Piece& at, std::int64_t columns) const {
    T* to = d_x + rows[at.row] * columns + at.column;
    Vec8 sum = load8<kRagged>(to, at.count);
    const Vec8 d = load8<kRagged>(d_y + at.index, at.count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) sum.v[i] += d.v[i];
    store8<kRagged>(to, sum, at.count);
  }
};

template <class T>
struct DropRows {
  Drop drop;
  const T* x;
  T* y;

  template <bool kRagged>
  __device__ void on(const Piece& at, std::int64_t columns) const {
    Vec8 v = load8<kRagged>(x + at.index, at.count);
    drop8<kRagged>(drop, at.row, at.column, columns, v);
    store8<kRagged>(y + at.index, v, at.count);
  }
};

/// Over all elements of `all` [rows, columns], to which and to `other` the work goes eight at a time if it
/// can.
template <class T, class Work>
void by_row(CudaContext& context, const char* name, const Tensor& all, const Tensor& other,
            const Work& work) {
  const std::int64_t columns = all.dim(1);
  const bool whole = whole_eights(all.data<T>(), columns) && whole_eights(other.data<T>(), columns);
  vectorized_for_each(context, name, all.numel(), whole, ByRow<Work>{work, columns});
}

struct Tanh {
  static __device__ float value(float x) { return tanhf(x); }
  static __device__ float gradient(float y, float d) { return d * (1.0F - y * y); }
};

struct Same {
  static __device__ float value(float x) { return x; }
};

}  // namespace

void gather_rows(CudaContext& context, const Tensor& x, const Tensor& rows, const Tensor& y) {
  dispatch_device(x.dtype, [&]<class T>(T) {
    by_row<T>(context, "gather_rows", y, x, Gather<T>{x.data<T>(), rows.data<std::int32_t>(), y.data<T>()});
  });
}

void scatter_rows(CudaContext& context, const Tensor& x, const Tensor& rows, const Tensor& y) {
  dispatch_device(x.dtype, [&]<class T>(T) {
    by_row<T>(context, "scatter_rows", x, y, Scatter<T>{x.data<T>(), rows.data<std::int32_t>(), y.data<T>()});
  });
}

void scatter_add_rows(CudaContext& context, const Tensor& d_y, const Tensor& rows, const Tensor& d_x) {
  dispatch_device(d_y.dtype, [&]<class T>(T) {
    by_row<T>(context, "scatter_add_rows", d_y, d_x,
              ScatterAdd<T>{d_y.data<T>(), rows.data<std::int32_t>(), d_x.data<T>()});
  });
}

void tanh_forward(CudaContext& context, const Tensor& x, const Tensor& y) {
  elementwise_forward<Tanh>(context, "tanh_forward", x, y);
}

void tanh_backward(CudaContext& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  elementwise_backward<Tanh>(context, "tanh_backward", y, d_y, d_x);
}

void dropout_rows(CudaContext& context, const Dropout& dropout, const RowKeys& keys, const Tensor& x,
                  const Tensor& y) {
  if (!dropout.active()) {
    if (x.address != y.address) convert(context, x, y);
    return;
  }
  dispatch_device(x.dtype, [&]<class T>(T) {
    by_row<T>(context, "dropout_rows", x, y, DropRows<T>{{dropout, keys}, x.data<T>(), y.data<T>()});
  });
}

void convert(CudaContext& context, const Tensor& from, const Tensor& to) {
  dispatch_device(from.dtype, [&]<class From>(From) {
    dispatch_device(to.dtype, [&]<class To>(To) {
      const Elementwise<Same, From, To> body{from.data<From>(), to.data<To>()};
      vectorized_for_each(context, "convert", from.numel(), body.whole(from.numel()), body);
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
