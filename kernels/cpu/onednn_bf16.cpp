#include "kernels/cpu/matmul_bf16.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "kernels/cpu/onednn.h"
#include "kernels/tensor/cpu_features.h"

namespace nystrom {
namespace {

constexpr std::int64_t kRowBlock = 256;

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

/// The operands of a product, in oneDNN's order.
struct Operands {
  onednn::MatrixDesc a, b;
  std::optional<onednn::MatrixDesc> bias;
  onednn::MatrixDesc c;

  Operands(const Matmul& args, const MatmulSizes& s)
      : a(args.a, args.transpose_a, s.m, s.k),
        b(args.b, args.transpose_b, s.k, s.n),
        c(args.c, false, s.m, s.n) {
    if (!args.bias.empty()) bias.emplace(args.bias, false, 1, s.n);
  }
};

/// All that a product's primitive depends on but the number of tokens.
struct ProductKey {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b, bias, accumulate;
  DType c;
  int threads;

  bool operator==(const ProductKey&) const = default;
};

/// oneDNN's primitives of one thread's products, each made when it is first needed: making one takes as long
/// as a small product.
class Products {
 public:
  static Products& here() {
    static thread_local Products instance;
    return instance;
  }

  const dnnl::matmul& of(const ProductKey& key, const Matmul& args) {
    const auto found = std::ranges::find(made_, key, &Made::key);
    return found != made_.end() ? found->product : made_.emplace_back(Made{key, make(key, args)}).product;
  }
  [[nodiscard]] dnnl_engine_t engine() const { return engine_.get(); }
  [[nodiscard]] dnnl_stream_t stream() const { return stream_.get(); }

 private:
  struct Made {
    ProductKey key;
    dnnl::matmul product;
  };

  dnnl::matmul make(const ProductKey& key, const Matmul& args) const {
    MatmulSizes sizes(args);
    sizes.m = key.m;
    sizes.k = key.k;
    const Operands operands(args, sizes);
    dnnl::primitive_attr attributes;
    if (key.accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0F);
      attributes.set_post_ops(sum);
    }
    return onednn::make_matmul(engine_, operands.a, operands.b, operands.bias ? &*operands.bias : nullptr,
                               operands.c, attributes);
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<Made> made_;
};

/// oneDNN's handle of a tensor's memory.
class Operand {
 public:
  Operand(const onednn::MatrixDesc& desc, const Tensor& tensor) {
    onednn::check(dnnl_memory_create(&memory_, desc.get(), Products::here().engine(), tensor.address),
                  "memory of a matrix");
  }
  ~Operand() { dnnl_memory_destroy(memory_); }
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;

  [[nodiscard]] dnnl_memory_t get() const { return memory_; }

 private:
  dnnl_memory_t memory_ = nullptr;
};

/// One product. `open`: the number of tokens is left open when its primitive is made.
void multiply_bf16(Context& context, const Matmul& args, bool open) {
  const MatmulSizes s(args);
  ProductKey key{.m = s.m,
                 .n = s.n,
                 .k = s.k,
                 .transpose_a = args.transpose_a,
                 .transpose_b = args.transpose_b,
                 .bias = !args.bias.empty(),
                 .accumulate = args.accumulate,
                 .c = args.c.dtype,
                 .threads = context.threads()};
  if (open) (args.transpose_a ? key.k : key.m) = DNNL_RUNTIME_DIM_VAL;
  const ThreadScope threads(context);
  const Operands operands(args, s);
  const Operand a(operands.a, args.a), b(operands.b, args.b), c(operands.c, args.c);
  std::array<dnnl_exec_arg_t, 4> given{{{DNNL_ARG_SRC, a.get()},
                                        {DNNL_ARG_WEIGHTS, b.get()},
                                        {DNNL_ARG_DST, c.get()},
                                        {DNNL_ARG_BIAS, nullptr}}};
  std::optional<Operand> bias;
  if (key.bias) given[3].memory = bias.emplace(*operands.bias, args.bias).get();
  Products& products = Products::here();
  onednn::check(
      dnnl_primitive_execute(products.of(key, args).get(), products.stream(), key.bias ? 4 : 3, given.data()),
      "matrix product");
  onednn::check(dnnl_stream_wait(products.stream()), "wait for a matrix product");
}

/// The number of tokens differs from batch to batch, so it is left open when a primitive is made. With AMX
/// oneDNN (2.6) is then two to five times as slow as with a known number: there whole blocks of rows
/// go by such primitives, and for what is left the last block of rows is computed again.
}  // namespace

void matmul_bf16_by_onednn(Context& context, const Matmul& args) {
  const MatmulSizes s(args);
  static const bool blocks = CpuFeatures::detect().amx_bf16;
  const auto part = [&](std::int64_t begin, std::int64_t count, bool open) {
    Matmul rows = args;
    rows.a = args.a.rows(begin, count);
    rows.c = args.c.rows(begin, count);
    multiply_bf16(context, rows, open);
  };
  if (!blocks || args.transpose_a || s.m < kRowBlock) return multiply_bf16(context, args, true);
  const std::int64_t whole = s.m - s.m % kRowBlock;
  part(0, whole, false);
  if (whole == s.m) return;
  if (args.accumulate)
    part(whole, s.m - whole, true);
  else
    part(s.m - kRowBlock, kRowBlock, false);
}

}  // namespace nystrom
