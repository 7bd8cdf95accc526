#include "kernels/rows.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

double bytes_of(const Tensor& x) {
  return static_cast<double>(x.bytes());
}

void check_same(const Tensor& a, const Tensor& b) {
  NYSTROM_CHECK(a.shape == b.shape && a.dtype == b.dtype, "{} {} beside {} {}", name_of(a.dtype),
                a.shape.text(), name_of(b.dtype), b.shape.text());
}

void check_rows(const Tensor& picked, const Tensor& rows, const Tensor& whole) {
  NYSTROM_CHECK(picked.shape.rank() == 2 && whole.shape.rank() == 2 && picked.dim(1) == whole.dim(1) &&
                    picked.dtype == whole.dtype && rows.numel() == picked.dim(0),
                "{} rows of {} go with {}", rows.numel(), whole.shape.text(), picked.shape.text());
}

}  // namespace

void gather_rows(Context& context, const Tensor& x, const Tensor& rows, const Tensor& y) {
  check_rows(y, rows, x);
  const OpScope scope(context, "gather_rows", 0, 2 * bytes_of(y));
  NYSTROM_ON_CUDA(gather_rows, context, x, rows, y);
  cpu::gather_rows(context, x, rows, y);
}

void scatter_rows(Context& context, const Tensor& x, const Tensor& rows, const Tensor& y) {
  check_rows(x, rows, y);
  const OpScope scope(context, "scatter_rows", 0, 2 * bytes_of(x));
  NYSTROM_ON_CUDA(scatter_rows, context, x, rows, y);
  cpu::scatter_rows(context, x, rows, y);
}

void scatter_add_rows(Context& context, const Tensor& d_y, const Tensor& rows, const Tensor& d_x) {
  check_rows(d_y, rows, d_x);
  const OpScope scope(context, "scatter_add_rows", static_cast<double>(d_y.numel()), 3 * bytes_of(d_y));
  NYSTROM_ON_CUDA(scatter_add_rows, context, d_y, rows, d_x);
  cpu::scatter_add_rows(context, d_y, rows, d_x);
}

void tanh_forward(Context& context, const Tensor& x, const Tensor& y) {
  check_same(x, y);
  const OpScope scope(context, "tanh_forward", 20 * static_cast<double>(x.numel()), 2 * bytes_of(x));
  NYSTROM_ON_CUDA(tanh_forward, context, x, y);
  cpu::tanh_forward(context, x, y);
}

void tanh_backward(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x) {
  check_same(y, d_y);
  check_same(y, d_x);
  const OpScope scope(context, "tanh_backward", 3 * static_cast<double>(y.numel()), 3 * bytes_of(y));
  NYSTROM_ON_CUDA(tanh_backward, context, y, d_y, d_x);
  cpu::tanh_backward(context, y, d_y, d_x);
}

void dropout_rows(Context& context, const Dropout& dropout, const RowKeys& keys, const Tensor& x,
                  const Tensor& y) {
  check_same(x, y);
  const OpScope scope(context, "dropout_rows", static_cast<double>(x.numel()), 2 * bytes_of(x));
  NYSTROM_CHECK(!dropout.active() || (x.shape.rank() == 2 && keys.samples.numel() >= x.dim(0) &&
                                      keys.positions.numel() >= x.dim(0)),
                "dropout of {} has the keys of {} and {} rows", x.shape.text(), keys.samples.numel(),
                keys.positions.numel());
  NYSTROM_ON_CUDA(dropout_rows, context, dropout, keys, x, y);
  cpu::dropout_rows(context, dropout, keys, x, y);
}

void convert(Context& context, const Tensor& from, const Tensor& to) {
  NYSTROM_CHECK(from.numel() == to.numel(), "{} to {}", from.shape.text(), to.shape.text());
  const OpScope scope(context, "convert", 0, bytes_of(from) + bytes_of(to));
  NYSTROM_ON_CUDA(convert, context, from, to);
  cpu::convert(context, from, to);
}

double squared_norm(Context& context, const Tensor& x) {
  const OpScope scope(context, "squared_norm", 2 * static_cast<double>(x.numel()), bytes_of(x));
  NYSTROM_ON_CUDA(squared_norm, context, x);
  return cpu::squared_norm(context, x);
}

}  // namespace nystrom
