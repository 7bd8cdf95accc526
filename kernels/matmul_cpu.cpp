// fp32 goes to oneDNN's sgemm, which needs no preparation for a shape; bf16 to oneDNN's matmul primitive,
// where the processor has instructions for it, else through fp32; fp64, which only gradient checks use, is a
// plain loop. docs/performance.md has the measurements behind these choices.

#include <dnnl.hpp>

#include <algorithm>

#include "kernels/core/buffer.h"
#include "kernels/core/cpu_features.h"
#include "kernels/matmul.h"
#include "kernels/rows.h"

namespace nystrom {
namespace {

struct Sizes {
  std::int64_t m, n, k;

  explicit Sizes(const Matmul& args)
      : m(args.a.dim(args.transpose_a ? 1 : 0)),
        n(args.b.dim(args.transpose_b ? 0 : 1)),
        k(args.a.dim(args.transpose_a ? 0 : 1)) {}
};

/// oneDNN takes as many threads as OpenMP would give this one.
class ThreadScope {
 public:
  explicit ThreadScope(const Context& context) : before_(omp_get_max_threads()) {
    omp_set_num_threads(context.threads());
  }
  ~ThreadScope() { omp_set_num_threads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

/// c = bias in every row, or 0 without one.
template <class C>
void start_rows(Context& context, const Tensor& c, const Tensor& bias) {
  const std::int64_t columns = c.dim(1);
  C* to = c.data<C>();
  const C* from = bias.empty() ? nullptr : bias.data<C>();
  parallel_for(context, c.dim(0), 16, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (from == nullptr)
        std::fill_n(to + row * columns, columns, C{0});
      else
        std::copy_n(from, columns, to + row * columns);
    }
  });
}

void matmul_f32(Context& context, const Matmul& args, const Sizes& s) {
  float beta = args.accumulate ? 1.0F : 0.0F;
  if (!args.bias.empty()) {
    start_rows<float>(context, args.c, args.bias);
    beta = 1.0F;
  }
  const ThreadScope threads(context);
  const dnnl_status_t status = dnnl_sgemm(
      args.transpose_a ? 'T' : 'N', args.transpose_b ? 'T' : 'N', s.m, s.n, s.k, 1.0F, args.a.data<float>(),
      args.a.dim(1), args.b.data<float>(), args.b.dim(1), beta, args.c.data<float>(), s.n);
  if (status != dnnl_success)
    fail("oneDNN's sgemm of {} by {} returned status {}", args.a.shape.text(), args.b.shape.text(),
         static_cast<int>(status));
}

void matmul_f64(Context& context, const Matmul& args, const Sizes& s) {
  if (!args.accumulate) start_rows<double>(context, args.c, args.bias);
  const double* a = args.a.data<double>();
  const double* b = args.b.data<double>();
  double* c = args.c.data<double>();
  const std::int64_t a_row = args.transpose_a ? 1 : s.k, a_column = args.transpose_a ? s.m : 1;
  parallel_for(context, s.m, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double* row = c + i * s.n;
      if (args.transpose_b) {
        for (std::int64_t j = 0; j < s.n; ++j) {
          double sum = 0;
          for (std::int64_t p = 0; p < s.k; ++p) sum += a[i * a_row + p * a_column] * b[j * s.k + p];
          row[j] += sum;
        }
      } else {
        for (std::int64_t p = 0; p < s.k; ++p) {
          const double factor = a[i * a_row + p * a_column];
          for (std::int64_t j = 0; j < s.n; ++j) row[j] += factor * b[p * s.n + j];
        }
      }
    }
  });
}

dnnl::memory::data_type dnnl_type(DType type) {
  return type == DType::kBF16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

/// Engine and stream of the processor; oneDNN keeps the primitives it has made in a cache of its own.
struct Engine {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};

  static Engine& here() {
    static thread_local Engine instance;
    return instance;
  }
};

/// A matrix of op(a), op(b) or c as oneDNN describes it: its size, and the strides that make it transposed.
dnnl::memory::desc describe(const Tensor& stored, bool transposed, std::int64_t rows, std::int64_t columns) {
  const std::int64_t stride = stored.dim(1);
  const dnnl::memory::dims strides =
      transposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1};
  return {{rows, columns}, dnnl_type(stored.dtype), strides};
}

dnnl::matmul::desc describe_product(const Matmul& args, const Sizes& s) {
  const auto a = describe(args.a, args.transpose_a, s.m, s.k);
  const auto b = describe(args.b, args.transpose_b, s.k, s.n);
  const auto c = describe(args.c, false, s.m, s.n);
  if (args.bias.empty()) return {a, b, c};
  return {a, b, dnnl::memory::desc({1, s.n}, dnnl_type(args.bias.dtype), dnnl::memory::format_tag::ab), c};
}

/// The number of tokens is left open when the primitive is made: it differs from batch to batch, and making
/// one takes as long as a small product. oneDNN keeps what it has made, so that each layer's is made once.
void matmul_bf16(Context& context, const Matmul& args, const Sizes& s) {
  Sizes open = s;
  (args.transpose_a ? open.k : open.m) = DNNL_RUNTIME_DIM_VAL;
  dnnl::primitive_attr attributes;
  if (args.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0F);
    attributes.set_post_ops(sum);
  }
  const ThreadScope threads(context);
  Engine& here = Engine::here();
  const dnnl::matmul product(
      dnnl::matmul::primitive_desc(describe_product(args, open), attributes, here.engine));
  const auto memory = [&](const dnnl::memory::desc& desc, const Tensor& tensor) {
    return dnnl::memory(desc, here.engine, tensor.address);
  };
  std::unordered_map<int, dnnl::memory> operands{
      {DNNL_ARG_SRC, memory(describe(args.a, args.transpose_a, s.m, s.k), args.a)},
      {DNNL_ARG_WEIGHTS, memory(describe(args.b, args.transpose_b, s.k, s.n), args.b)},
      {DNNL_ARG_DST, memory(describe(args.c, false, s.m, s.n), args.c)}};
  if (!args.bias.empty())
    operands.emplace(DNNL_ARG_BIAS, memory(describe(args.bias.reshaped({1, s.n}), false, 1, s.n), args.bias));
  product.execute(here.stream, operands);
  here.stream.wait();
}

void check(const Matmul& args, const Sizes& s) {
  NYSTROM_CHECK(args.a.shape.rank() == 2 && args.b.shape.rank() == 2 && args.c.shape.rank() == 2 &&
                    args.b.dim(args.transpose_b ? 1 : 0) == s.k && args.c.dim(0) == s.m &&
                    args.c.dim(1) == s.n,
                "{}{} by {}{} to {}", args.a.shape.text(), args.transpose_a ? "^T" : "", args.b.shape.text(),
                args.transpose_b ? "^T" : "", args.c.shape.text());
  NYSTROM_CHECK(args.a.dtype == args.b.dtype && compute_dtype(args.a.dtype) == compute_dtype(args.c.dtype) &&
                    (args.c.dtype == args.a.dtype || args.c.dtype == compute_dtype(args.a.dtype)),
                "{} by {} to {}", name_of(args.a.dtype), name_of(args.b.dtype), name_of(args.c.dtype));
  NYSTROM_CHECK(args.bias.empty() || (args.bias.numel() == s.n && !args.accumulate),
                "a bias {} for {} columns", args.bias.shape.text(), s.n);
}

}  // namespace

void matmul_bf16_by_f32(Context& context, const Matmul& args) {
  const auto widened = [&](const Tensor& from, bool filled) {
    OwnedTensor wide(DType::kF32, from.shape);
    if (filled) convert(context, from, wide);
    return wide;
  };
  const OwnedTensor a = widened(args.a, true), b = widened(args.b, true);
  const bool narrow = args.c.dtype == DType::kBF16;
  const OwnedTensor c = narrow ? widened(args.c, args.accumulate) : OwnedTensor();
  Matmul wide = args;
  wide.a = a;
  wide.b = b;
  if (narrow) wide.c = c;
  matmul_f32(context, wide, Sizes(wide));
  if (narrow) convert(context, c, args.c);
}

void matmul(Context& context, const Matmul& args) {
  const Sizes s(args);
  check(args, s);
  if (s.m == 0 || s.n == 0 || (s.k == 0 && args.accumulate)) return;
  NYSTROM_CHECK(s.k > 0, "a product over nothing");
  switch (args.a.dtype) {
    case DType::kF32:
      return matmul_f32(context, args, s);
    case DType::kF64:
      return matmul_f64(context, args, s);
    case DType::kBF16:
      return bf16_is_native() ? matmul_bf16(context, args, s) : matmul_bf16_by_f32(context, args);
    default:
      throw InternalError(fmt::format("a matrix product of {}", name_of(args.a.dtype)));
  }
}

}  // namespace nystrom
