#include "kernels/tensor/cuda/blaslt.h"

#include <cublasLt.h>
#include <dlfcn.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstring>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/tensor/cuda/memory.h"
#include "kernels/tensor/cuda/product_choices.h"

namespace nystrom::cuda {
namespace {

#ifdef NYSTROM_EMULATION
// The stand-in is linked.
template <class F>
F* find(void* /*library*/, const char* /*name*/, F* linked) {
  return linked;
}
#define NYSTROM_BLASLT(library, name) find<decltype(name)>(library, #name, &(name))
#else
template <class F>
F* find(void* library, const char* name) {
  void* symbol = dlsym(library, name);
  if (symbol == nullptr)
    fail("cuBLASLt has no function {}; install the one that came with CUDA 12 or 13.", name);
  return reinterpret_cast<F*>(symbol);
}
#define NYSTROM_BLASLT(library, name) find<decltype(name)>(library, #name)
#endif

/// The names under which the library may be there, the newest first.
constexpr std::array kLibraries{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"};

/// Stays open until the process ends: CUDA's libraries have their own threads and handlers. Null where it
/// is not there.
void* open_library(const char* name) {
#ifdef NYSTROM_EMULATION
  return const_cast<char*>(name);  // of the stand-in, which is linked
#else
  return dlopen(name, RTLD_NOW | RTLD_LOCAL);
#endif
}

/// The functions in use, under their names without the prefix.
struct Functions {
  explicit Functions(void* opened) : library(opened) {}

  void* library;
#define NYSTROM_FUNCTION(name) decltype(cublasLt##name)* name = NYSTROM_BLASLT(library, cublasLt##name)
  NYSTROM_FUNCTION(Create);
  NYSTROM_FUNCTION(Destroy);
  NYSTROM_FUNCTION(GetVersion);
  NYSTROM_FUNCTION(GetStatusString);
  NYSTROM_FUNCTION(MatmulDescCreate);
  NYSTROM_FUNCTION(MatmulDescDestroy);
  NYSTROM_FUNCTION(MatmulDescSetAttribute);
  NYSTROM_FUNCTION(MatrixLayoutCreate);
  NYSTROM_FUNCTION(MatrixLayoutDestroy);
  NYSTROM_FUNCTION(MatmulPreferenceCreate);
  NYSTROM_FUNCTION(MatmulPreferenceDestroy);
  NYSTROM_FUNCTION(MatmulPreferenceSetAttribute);
  NYSTROM_FUNCTION(MatmulAlgoCheck);
  NYSTROM_FUNCTION(MatmulAlgoGetHeuristic);
  NYSTROM_FUNCTION(Matmul);
#undef NYSTROM_FUNCTION
};

cudaDataType_t type_of(DType type) {
  return type == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// Everything of a product that its plan depends on; of addresses, how far they are aligned.
struct Key {
  std::int64_t m, n, k, a_stride, b_stride, d_stride;
  std::array<std::uint32_t, 5> alignment;  // bytes: a, b, d, vector, aux
  bool transpose_a, transpose_b, accumulate;
  DType input, output;
  BlasLt::Epilogue epilogue;

  explicit Key(const BlasLt::Product& p)
      : m(p.m),
        n(p.n),
        k(p.k),
        a_stride(p.a_stride),
        b_stride(p.b_stride),
        d_stride(p.d_stride),
        alignment{aligned_to(p.a), aligned_to(p.b), aligned_to(p.d), aligned_to(p.vector), aligned_to(p.aux)},
        transpose_a(p.transpose_a),
        transpose_b(p.transpose_b),
        accumulate(p.accumulate),
        input(p.input),
        output(p.output),
        epilogue(p.epilogue) {}
  auto operator<=>(const Key&) const = default;

  /// The kind of product: sizes that follow the number of tokens are alike within an eighth, so that a few
  /// kinds stand for all that come.
  [[nodiscard]] std::string kind() const {
    constexpr std::array kEpilogues{"", "+bias", "+gelu", "+slope", "+sums"};
    return fmt::format("{}>{}{}{} {}{} {}x{}x{} by {},{},{} at {}", name_of(input), name_of(output),
                       kEpilogues[static_cast<std::size_t>(epilogue)], accumulate ? "+d" : "",
                       transpose_a ? 't' : 'n', transpose_b ? 't' : 'n', m, about(n), about(k), a_stride,
                       b_stride, d_stride, fmt::join(alignment, ","));
  }
  /// Its four highest bits.
  static std::int64_t about(std::int64_t size) {
    const int low = std::max(0, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(size))) - 4);
    return size >> low << low;
  }

  static std::uint32_t aligned_to(const void* address) {
    constexpr std::uintptr_t kMax = 256;
    const auto at = reinterpret_cast<std::uintptr_t>(address) | kMax;
    return std::uint32_t{1} << static_cast<unsigned>(std::countr_zero(at));
  }
};

/// The library with a handle.
struct Started {
  Functions functions;
  cublasLtHandle_t handle;
};

/// The first of kLibraries that starts: one that is newer than the driver does not.
Started start_library() {
  std::string tried;
  for (const char* name : kLibraries) {
    tried += std::string(tried.empty() ? "" : ", ") + name;
    void* const library = open_library(name);
    if (library == nullptr) continue;
    Started started{Functions(library), nullptr};
    const cublasStatus_t status = started.functions.Create(&started.handle);
    if (status == CUBLAS_STATUS_SUCCESS) return started;
    tried += fmt::format(", which does not start: {}", started.functions.GetStatusString(status));
  }
  fail(
      "cuBLASLt was not found (tried {}); install it or add its folder to LD_LIBRARY_PATH, or set "
      "`training.backend` to cpu.",
      tried);
}

}  // namespace

class BlasLt::Impl {
 public:
  Impl(const std::string& gpu, bool timing) : Impl(start_library(), gpu, timing) {}
  Impl(const Started& started, const std::string& gpu, bool timing)
      : f_(started.functions), handle_(started.handle), timing_(timing) {
    if (!gpu.empty()) choices_ = ProductChoices(ProductChoices::path_for(gpu, version()), gpu, version());
  }
  ~Impl() {
    plans_.clear();
    f_.Destroy(handle_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void run(cudaStream_t stream, const Product& product, void* workspace) {
    NYSTROM_CHECK(product.m > 0 && product.n > 0 && product.k > 0, "a product of {} by {} by {}", product.m,
                  product.k, product.n);
    Plan& plan = plan_for(product);
    if (timing_ && plan.candidates.size() > 1 && !is_recorded(stream))
      choose(plan, stream, product, workspace);
    if (!plan.known)
      fail("cuBLASLt {} knows no way to multiply {} [{}, {}] by [{}, {}] into {}.", version(),
           name_of(product.input), product.m, product.k, product.k, product.n, name_of(product.output));
    multiply(plan, plan.algorithm, stream, product, product.d, workspace);
  }

  bool knows(const Product& product) { return plan_for(product).known; }

  bool is_undecided(cudaStream_t stream, const Product& product) {
    const Plan& plan = plan_for(product);
    return timing_ && plan.known && !plan.candidates.empty() && !is_recorded(stream);
  }

  void decide(const Product& product, bool worth_it) {
    Plan& plan = plan_for(product);
    plan.known = worth_it;
    plan.candidates.clear();
    ProductChoices::Algorithm kept = ProductChoices::kNone;
    if (worth_it) std::memcpy(kept.data(), &plan.algorithm, sizeof kept);
    choices_.add(Key(product).kind(), kept);
  }

  [[nodiscard]] std::string version() const {
    const std::size_t v = f_.GetVersion();  // 13.0.2 is 130002, 12.8.4 is 120804
    return fmt::format("{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
  }

 private:
  template <class T>
  struct Release {
    cublasStatus_t (*destroy)(T);
    void operator()(T object) const noexcept { destroy(object); }
  };
  template <class T>
  using Owned = std::unique_ptr<std::remove_pointer_t<T>, Release<T>>;

  struct Plan {
    Owned<cublasLtMatmulDesc_t> operation;
    Owned<cublasLtMatrixLayout_t> a, b, d;
    cublasLtMatmulAlgo_t algorithm;
    bool known = false;
    std::vector<cublasLtMatmulAlgo_t> candidates;  // among which timing has yet to choose
  };
  static_assert(sizeof(cublasLtMatmulAlgo_t) == sizeof(ProductChoices::Algorithm));

  void multiply(const Plan& plan, const cublasLtMatmulAlgo_t& algorithm, cudaStream_t stream,
                const Product& product, void* d, void* workspace) {
    set_addresses(plan.operation.get(), product);
    const float one = 1, beta = product.accumulate ? 1 : 0;
    check(f_.Matmul(handle_, plan.operation.get(), &one, product.a, plan.a.get(), product.b, plan.b.get(),
                    &beta, d, plan.d.get(), d, plan.d.get(), &algorithm, workspace, kWorkspaceBytes, stream),
          "multiply");
  }

  /// Into a graph: nothing can be timed then.
  static bool is_recorded(cudaStream_t stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    cuda::check(cudaStreamIsCapturing(stream, &status), "asking whether a stream is recorded");
    return status != cudaStreamCaptureStatusNone;
  }

  /// Milliseconds of one product, the best of a few.
  double time_of(const Plan& plan, const cublasLtMatmulAlgo_t& algorithm, cudaStream_t stream,
                 const Product& product, void* d, void* workspace) {
    constexpr int kTimes = 3;
    const Event start(Event::Timing::kOn), end(Event::Timing::kOn);
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kTimes; ++i) {
      cuda::check(cudaEventRecord(start.get(), stream), "timing a product");
      multiply(plan, algorithm, stream, product, d, workspace);
      cuda::check(cudaEventRecord(end.get(), stream), "timing a product");
      end.synchronize();
      best = std::min(best, end.milliseconds_since(start));
    }
    return best;
  }

  /// Products go to a separate result: what is added to is added to once. (What an epilogue writes beside
  /// it is overwritten with the same.) Without memory for it the first candidate stays.
  void choose(Plan& plan, cudaStream_t stream, const Product& product, void* workspace) {
    const std::vector<cublasLtMatmulAlgo_t> candidates = std::exchange(plan.candidates, {});
    try {
      DeviceMemory memory;
      const Buffer result(static_cast<std::size_t>(product.d_stride * product.n) * size_of(product.output),
                          memory, Contents::kUndefined);
      double best = std::numeric_limits<double>::infinity();
      for (const cublasLtMatmulAlgo_t& candidate : candidates) {
        const double time = time_of(plan, candidate, stream, product, result.data(), workspace);
        if (time >= best) continue;
        best = time;
        plan.algorithm = candidate;
      }
    } catch (const OutOfMemory&) {
      return;
    }
    ProductChoices::Algorithm kept{};
    std::memcpy(kept.data(), &plan.algorithm, sizeof kept);
    choices_.add(Key(product).kind(), kept);
  }

  /// The choice for this kind of product, if it is good for this very one. Without its epilogue a product is
  /// asked for in any case.
  bool take_choice(Plan& plan, const Key& key) {
    const auto choice = choices_.find(key.kind());
    if (!choice) return false;
    if (*choice == ProductChoices::kNone) return key.epilogue != Epilogue::kNone;
    std::memcpy(&plan.algorithm, choice->data(), sizeof plan.algorithm);
    cublasLtMatmulHeuristicResult_t result{};
    const cublasStatus_t status =
        f_.MatmulAlgoCheck(handle_, plan.operation.get(), plan.a.get(), plan.b.get(), plan.d.get(),
                           plan.d.get(), &plan.algorithm, &result);
    plan.known = status == CUBLAS_STATUS_SUCCESS && result.workspaceSize <= kWorkspaceBytes;
    return plan.known;
  }

  void check(cublasStatus_t status, const char* what) const {
    if (status != CUBLAS_STATUS_SUCCESS)
      fail("cuBLASLt {} could not {}: {}.", version(), what, f_.GetStatusString(status));
  }

  template <class Value>
  void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(f_.MatmulDescSetAttribute(operation, attribute, &value, sizeof(value)), "describe a product");
  }
  template <class Value>
  void set(cublasLtMatmulPreference_t wish, cublasLtMatmulPreferenceAttributes_t attribute,
           const Value& value) {
    check(f_.MatmulPreferenceSetAttribute(wish, attribute, &value, sizeof(value)), "take a preference");
  }

  /// The token count differs from step to step, so that shapes come and go: the oldest are not worth keeping
  /// apart from the newest, and all go together when there are too many.
  Plan& plan_for(const Product& product) {
    constexpr std::size_t kMaxPlans = 4096;
    const Key key(product);
    const auto found = plans_.find(key);
    if (found != plans_.end()) return found->second;
    if (plans_.size() >= kMaxPlans) plans_.clear();
    return plans_.emplace(key, make_plan(product, key)).first->second;
  }

  Plan make_plan(const Product& product, const Key& key) {
    Plan plan{describe(product),
              layout(product.input, product.transpose_a, product.m, product.k, product.a_stride),
              layout(product.input, product.transpose_b, product.k, product.n, product.b_stride),
              layout(product.output, false, product.m, product.n, product.d_stride),
              {},
              false,
              {}};
    if (take_choice(plan, key)) return plan;
    cublasLtMatmulPreference_t made = nullptr;
    check(f_.MatmulPreferenceCreate(&made), "take a preference");
    const Owned<cublasLtMatmulPreference_t> wish(made, {f_.MatmulPreferenceDestroy});
    set(made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kWorkspaceBytes});
    // Parts of a product that is split along k are added in fp32; by default also in the output's bf16.
    set(made, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    set(made, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.alignment[0]);
    set(made, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.alignment[1]);
    set(made, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.alignment[2]);
    set(made, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.alignment[2]);
    std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results{};
    int found = 0;
    const cublasStatus_t status =
        f_.MatmulAlgoGetHeuristic(handle_, plan.operation.get(), plan.a.get(), plan.b.get(), plan.d.get(),
                                  plan.d.get(), made, timing_ ? kCandidates : 1, results.data(), &found);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status, "choose an algorithm");
    plan.known = status == CUBLAS_STATUS_SUCCESS && found > 0;
    plan.algorithm = results[0].algo;
    for (int i = 0; plan.known && i < found; ++i)
      if (const auto& result = results[static_cast<std::size_t>(i)]; result.state == CUBLAS_STATUS_SUCCESS)
        plan.candidates.push_back(result.algo);
    if (timing_ && !plan.known) choices_.add(key.kind(), ProductChoices::kNone);
    return plan;
  }

  Owned<cublasLtMatmulDesc_t> describe(const Product& product) {
    cublasLtMatmulDesc_t made = nullptr;
    check(f_.MatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describe a product");
    Owned<cublasLtMatmulDesc_t> operation(made, {f_.MatmulDescDestroy});
    const auto turned = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
    set(made, CUBLASLT_MATMUL_DESC_TRANSA, turned(product.transpose_a));
    set(made, CUBLASLT_MATMUL_DESC_TRANSB, turned(product.transpose_b));
    if (product.epilogue != Epilogue::kNone)
      set(made, CUBLASLT_MATMUL_DESC_EPILOGUE, name_of_library(product.epilogue));
    if (product.vector != nullptr) set(made, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(product.output));
    if (product.aux != nullptr) set(made, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, product.d_stride);
    set_addresses(made, product);
    return operation;
  }

  static cublasLtEpilogue_t name_of_library(Epilogue epilogue) {
    switch (epilogue) {
      case Epilogue::kNone:
        break;
      case Epilogue::kBias:
        return CUBLASLT_EPILOGUE_BIAS;
      case Epilogue::kGelu:
        return CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
      case Epilogue::kGeluSlope:
        return CUBLASLT_EPILOGUE_DGELU;
      case Epilogue::kSumsOfB:
        return CUBLASLT_EPILOGUE_BGRADB;
    }
    return CUBLASLT_EPILOGUE_DEFAULT;
  }

  void set_addresses(cublasLtMatmulDesc_t operation, const Product& product) {
    if (product.vector != nullptr) set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, product.vector);
    if (product.aux != nullptr) set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, product.aux);
  }

  /// Of op(x) [rows, columns], stored as that or transposed.
  Owned<cublasLtMatrixLayout_t> layout(DType type, bool transposed, std::int64_t rows, std::int64_t columns,
                                       std::int64_t stride) {
    if (transposed) std::swap(rows, columns);
    cublasLtMatrixLayout_t made = nullptr;
    check(f_.MatrixLayoutCreate(&made, type_of(type), static_cast<std::uint64_t>(rows),
                                static_cast<std::uint64_t>(columns), stride),
          "describe a matrix");
    return {made, {f_.MatrixLayoutDestroy}};
  }

  Functions f_;
  cublasLtHandle_t handle_;
  bool timing_;
  ProductChoices choices_;
  std::map<Key, Plan> plans_;
};

BlasLt::BlasLt(const std::string& gpu, bool timing) : impl_(std::make_unique<Impl>(gpu, timing)) {}
BlasLt::~BlasLt() = default;
BlasLt::BlasLt(BlasLt&&) noexcept = default;
BlasLt& BlasLt::operator=(BlasLt&&) noexcept = default;

void BlasLt::run(cudaStream_t stream, const Product& product, void* workspace) {
  impl_->run(stream, product, workspace);
}

bool BlasLt::is_undecided(cudaStream_t stream, const Product& product) {
  return impl_->is_undecided(stream, product);
}

void BlasLt::decide(const Product& product, bool worth_it) {
  impl_->decide(product, worth_it);
}

bool BlasLt::knows(const Product& product) {
  return impl_->knows(product);
}

std::string BlasLt::version() const {
  return impl_->version();
}

}  // namespace nystrom::cuda
