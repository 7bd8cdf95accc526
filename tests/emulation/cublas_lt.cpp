// cuBLASLt's part in the emulation: checks what the real library checks of what we ask for, and multiplies
// when the stream gets there. It is stricter where the real one is free to be: addresses must be as aligned
// as the preference said, the workspace is overwritten, a bias of an odd length is more than it can do, and
// GELU and sums of an operand are for bf16, whose products must be added up in fp32.
// NYSTROM_EMULATION_EPILOGUES makes it one that can do less.

#include <cublasLt.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "emulation.h"

struct cublasLtContext {};

namespace nystrom::emulation {
std::array<double, 3>& product_delays() {
  static std::array<double, 3> delays{};
  return delays;
}
std::array<std::int64_t, 3>& products_by_algorithm() {
  static std::array<std::int64_t, 3> counts{};
  return counts;
}
}  // namespace nystrom::emulation

namespace {

constexpr std::size_t kVersion = 130000;
constexpr std::uint64_t kAlgorithms = 3, kMark = 0x6e797374726f6d;

std::size_t element_bytes(cudaDataType_t type) {
  return type == CUDA_R_16BF ? 2 : 4;
}

float read(const void* at, cudaDataType_t type, std::size_t index) {
  if (type == CUDA_R_16BF)
    return std::bit_cast<float>(std::uint32_t{static_cast<const std::uint16_t*>(at)[index]} << 16U);
  return static_cast<const float*>(at)[index];
}

/// The upper half of a float: nearest, ties to even.
std::uint16_t rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return static_cast<std::uint16_t>(bits >> 16U | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16U & 1U)) >> 16U);
}

void write(void* at, cudaDataType_t type, std::size_t index, float value) {
  if (type == CUDA_R_16BF)
    static_cast<std::uint16_t*>(at)[index] = rounded(value);
  else
    static_cast<float*>(at)[index] = value;
}

/// A column-major matrix as stored.
struct Matrix {
  void* at;
  cublasLtMatrixLayoutOpaque_t layout;
  bool transposed;

  [[nodiscard]] std::size_t rows() const { return transposed ? layout.columns : layout.rows; }
  [[nodiscard]] std::size_t columns() const { return transposed ? layout.rows : layout.columns; }
  [[nodiscard]] std::size_t index(std::size_t row, std::size_t column) const {
    const auto ld = static_cast<std::size_t>(layout.ld);
    return transposed ? row * ld + column : column * ld + row;
  }
  [[nodiscard]] std::size_t bytes() const {
    return ((layout.columns - 1) * static_cast<std::size_t>(layout.ld) + layout.rows) *
           element_bytes(layout.type);
  }
  /// op(matrix), `by_rows` or by columns, as floats without gaps.
  [[nodiscard]] std::vector<float> packed(bool by_rows) const {
    std::vector<float> out(rows() * columns());
    std::size_t to = 0;
    const std::size_t outer = by_rows ? rows() : columns(), inner = by_rows ? columns() : rows();
    for (std::size_t o = 0; o < outer; ++o)
      for (std::size_t i = 0; i < inner; ++i)
        out[to++] = read(at, layout.type, by_rows ? index(o, i) : index(i, o));
    return out;
  }
};

constexpr float kRootTwoOverPi = 0.79788456080286535588F, kCubic = 0.044715F;

float gelu(float x) {
  return 0.5F * x * (1 + std::tanh(kRootTwoOverPi * (x + kCubic * x * x * x)));
}
float gelu_slope(float x) {
  const float t = std::tanh(kRootTwoOverPi * (x + kCubic * x * x * x));
  return 0.5F * (1 + t) + 0.5F * x * (1 - t * t) * kRootTwoOverPi * (1 + 3 * kCubic * x * x);
}

struct Call {
  Matrix a, b, c, d;
  float alpha, beta;
  std::uint32_t epilogue;
  void* vector;  // bias, or sums of b
  void* aux;
  std::int64_t aux_ld;
  void* workspace;
  std::size_t workspace_bytes;

  void run() const {
    for (std::byte* edge :
         {static_cast<std::byte*>(workspace),
          static_cast<std::byte*>(workspace) + workspace_bytes - std::min<std::size_t>(workspace_bytes, 256)})
      if (workspace_bytes > 0) std::memset(edge, 0xff, std::min<std::size_t>(workspace_bytes, 256));
    const std::size_t m = d.rows(), n = d.columns(), k = a.columns();
    const std::vector<float> left = a.packed(/*by_rows=*/false), right = b.packed(/*by_rows=*/false);
    constexpr std::size_t kTile = 1024, kTogether = 4;
    std::vector<float> sums(kTile * kTogether);
    for (std::size_t row = 0; row < m; row += kTile)
      for (std::size_t column = 0; column < n; column += kTogether) {
        const std::size_t height = std::min(kTile, m - row), width = std::min(kTogether, n - column);
        std::fill(sums.begin(), sums.end(), 0.0F);
        for (std::size_t p = 0; p < k; ++p)
          for (std::size_t j = 0; j < width; ++j) {
            const float factor = right[(column + j) * k + p];
            const float* from = left.data() + p * m + row;
            float* sum = sums.data() + j * kTile;
#pragma omp simd
            for (std::size_t i = 0; i < height; ++i) sum[i] += from[i] * factor;
          }
        for (std::size_t j = 0; j < width; ++j)
          for (std::size_t i = 0; i < height; ++i) finish(row + i, column + j, sums[j * kTile + i]);
      }
    if (epilogue != CUBLASLT_EPILOGUE_BGRADB) return;
    for (std::size_t column = 0; column < n; ++column) {
      float sum = 0;
      for (std::size_t p = 0; p < k; ++p) sum += right[column * k + p];
      write(vector, d.layout.type, column, sum);
    }
  }

 private:
  void finish(std::size_t row, std::size_t column, float sum) const {
    float value = alpha * sum;
    if (beta != 0) value += beta * read(c.at, c.layout.type, c.index(row, column));
    const std::size_t beside = column * static_cast<std::size_t>(aux_ld) + row;
    if ((epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) value += read(vector, d.layout.type, row);
    if (epilogue == CUBLASLT_EPILOGUE_DGELU) value *= gelu_slope(read(aux, d.layout.type, beside));
    if (epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS) {
      write(aux, d.layout.type, beside, value);
      value = gelu(value);
    }
    write(d.at, d.layout.type, d.index(row, column), value);
  }
};

bool known_type(cudaDataType_t type) {
  return type == CUDA_R_32F || type == CUDA_R_16BF;
}

const char* name_of(std::uint32_t epilogue) {
  switch (epilogue) {
    case CUBLASLT_EPILOGUE_BIAS:
      return "bias";
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
      return "gelu";
    case CUBLASLT_EPILOGUE_DGELU:
      return "slope";
    case CUBLASLT_EPILOGUE_BGRADB:
      return "sums";
    default:
      return "";
  }
}

/// The library that the test wants: one that has all, or those of the list.
bool has(std::uint32_t epilogue) {
  const char* list = std::getenv("NYSTROM_EMULATION_EPILOGUES");
  if (list == nullptr) return true;
  return fmt::format(",{},", list).find(fmt::format(",{},", name_of(epilogue))) != std::string::npos;
}

bool takes_vector(std::uint32_t epilogue) {
  return epilogue != CUBLASLT_EPILOGUE_DEFAULT && epilogue != CUBLASLT_EPILOGUE_DGELU;
}
bool takes_aux(std::uint32_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS || epilogue == CUBLASLT_EPILOGUE_DGELU;
}

/// Whether the epilogue goes with what else is asked for.
cublasStatus_t judge_epilogue(const cublasLtMatmulDescOpaque_t& desc, const Matrix& a, const Matrix& d) {
  if (desc.epilogue == CUBLASLT_EPILOGUE_DEFAULT) return CUBLAS_STATUS_SUCCESS;
  if (*name_of(desc.epilogue) == 0 || !has(desc.epilogue)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const cudaDataType_t out = d.layout.type;
  if (takes_vector(desc.epilogue)) {
    if (desc.vector == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    if (desc.bias_type != -1 && desc.bias_type != out) return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if ((desc.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0 && d.rows() % 2 != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (desc.epilogue != CUBLASLT_EPILOGUE_BIAS && a.layout.type != CUDA_R_16BF)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (takes_aux(desc.epilogue)) {
    if (desc.aux == nullptr || desc.aux_ld % 8 != 0 || desc.aux_ld < static_cast<std::int64_t>(d.rows()))
      return CUBLAS_STATUS_INVALID_VALUE;
    if (out != CUDA_R_16BF) return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return CUBLAS_STATUS_SUCCESS;
}

/// What the library can do of what we may ask: shapes that fit, fp32 or bf16 in, the same or fp32 out, a bias
/// of the type of what comes out.
cublasStatus_t judge(const cublasLtMatmulDescOpaque_t& desc, const Matrix& a, const Matrix& b,
                     const Matrix& c, const Matrix& d) {
  for (const Matrix* x : {&a, &b, &c, &d})
    if (x->layout.rows == 0 || x->layout.columns == 0 || x->layout.order != CUBLASLT_ORDER_COL ||
        x->layout.ld < static_cast<std::int64_t>(x->layout.rows))
      return CUBLAS_STATUS_INVALID_VALUE;
  if (a.rows() != d.rows() || b.columns() != d.columns() || a.columns() != b.rows() || c.rows() != d.rows() ||
      c.columns() != d.columns())
    return CUBLAS_STATUS_INVALID_VALUE;
  const cudaDataType_t in = a.layout.type, out = d.layout.type;
  if (!known_type(in) || b.layout.type != in || c.layout.type != out || (out != in && out != CUDA_R_32F))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (desc.compute != CUBLAS_COMPUTE_32F || desc.scale != CUDA_R_32F ||
      desc.pointer_mode != CUBLASLT_POINTER_MODE_HOST)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  return judge_epilogue(desc, a, d);
}

Matrix matrix(const void* at, const cublasLtMatrixLayout_t layout, std::int32_t transposed) {
  return {const_cast<void*>(at), *layout, transposed == CUBLAS_OP_T};
}

/// What products take at least: all of them (NYSTROM_EMULATION_PRODUCT_MS), those with no epilogue but a bias
/// (_PLAIN_MS), those with another (_EPILOGUE_MS).
double delay(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : 1e-3 * std::strtod(text, nullptr);
}

template <class T>
cublasStatus_t destroyed(T* object) {
  delete object;
  return CUBLAS_STATUS_SUCCESS;
}

/// Copies an attribute's value to where it belongs, if its size is right.
template <class T>
cublasStatus_t take(T& to, const void* value, std::size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, value, sizeof(T));
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

std::size_t cublasLtGetVersion() {
  return kVersion;
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "success";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "the requested functionality is not supported";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the function failed to launch on the GPU";
    default:
      return "another cuBLAS status";
  }
}

const char* cublasLtGetStatusName(cublasStatus_t status) {
  return cublasLtGetStatusString(status);
}

// NYSTROM_EMULATION_CUBLASLT=N: the first N libraries that this process tries are too new for the driver.
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  static std::uint64_t refused = 0;
  const char* text = std::getenv("NYSTROM_EMULATION_CUBLASLT");
  if (text != nullptr && refused < std::strtoull(text, nullptr, 10))
    return ++refused, CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = std::make_unique<cublasLtContext>().release();
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return destroyed(handle);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  *desc = std::make_unique<cublasLtMatmulDescOpaque_t>().release();
  **desc = {compute,     scale,       CUBLASLT_POINTER_MODE_HOST,
            CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT,
            nullptr,     -1,          nullptr,
            0,           -1};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  return destroyed(desc);
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(desc->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(desc->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(desc->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(desc->vector, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return take(desc->bias_type, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return take(desc->aux, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return take(desc->aux_ld, value, bytes);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
      return take(desc->pointer_mode, value, bytes);
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns, std::int64_t ld) {
  *layout = std::make_unique<cublasLtMatrixLayoutOpaque_t>().release();
  **layout = {type, CUBLASLT_ORDER_COL, rows, columns, ld, 1, 0};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return destroyed(layout);
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t /*layout*/,
                                                cublasLtMatrixLayoutAttribute_t /*attribute*/,
                                                const void* /*value*/, std::size_t /*bytes*/) {
  return CUBLAS_STATUS_NOT_SUPPORTED;  // nothing here needs it
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = std::make_unique<cublasLtMatmulPreferenceOpaque_t>().release();
  **preference = {0, {256, 256, 256, 256}, CUBLASLT_REDUCTION_SCHEME_MASK};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return destroyed(preference);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return take(preference->workspace_bytes, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return take(preference->reductions, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return take(preference->alignment[0], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return take(preference->alignment[1], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return take(preference->alignment[2], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return take(preference->alignment[3], value, bytes);
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

// The "algorithm" remembers what it was chosen for, and its number: all compute the same.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* results, int* returned) {
  *returned = 0;
  if (requested < 1) return CUBLAS_STATUS_INVALID_VALUE;
  const cublasStatus_t status =
      judge(*desc, matrix(nullptr, a, desc->transpose_a), matrix(nullptr, b, desc->transpose_b),
            matrix(nullptr, c, CUBLAS_OP_N), matrix(nullptr, d, CUBLAS_OP_N));
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  // The real one might then add the parts of a product in bf16.
  if (d->type == CUDA_R_16BF && (preference->reductions & ~CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) != 0)
    return CUBLAS_STATUS_INVALID_VALUE;
  *returned = std::min(requested, static_cast<int>(kAlgorithms));
  for (int number = 0; number < *returned; ++number) {
    cublasLtMatmulHeuristicResult_t& result = results[number];
    result = {};
    for (std::size_t i = 0; i < 4; ++i) result.algo.data[i] = preference->alignment[i];
    result.algo.data[4] = preference->workspace_bytes;
    result.algo.data[5] = static_cast<std::uint64_t>(number);
    result.algo.data[6] = kMark;
    result.workspaceSize = static_cast<std::size_t>(preference->workspace_bytes);
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t desc,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* algo,
                                       cublasLtMatmulHeuristicResult_t* result) {
  const cublasStatus_t status =
      judge(*desc, matrix(nullptr, a, desc->transpose_a), matrix(nullptr, b, desc->transpose_b),
            matrix(nullptr, c, CUBLAS_OP_N), matrix(nullptr, d, CUBLAS_OP_N));
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (algo->data[6] != kMark || algo->data[5] >= kAlgorithms) return CUBLAS_STATUS_INVALID_VALUE;
  *result = {};
  result->workspaceSize = static_cast<std::size_t>(algo->data[4]);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t desc, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algo, void* workspace, std::size_t workspace_bytes,
                              cudaStream_t stream) {
  const Call call{matrix(a, a_layout, desc->transpose_a),
                  matrix(b, b_layout, desc->transpose_b),
                  matrix(c, c_layout, CUBLAS_OP_N),
                  matrix(d, d_layout, CUBLAS_OP_N),
                  *static_cast<const float*>(alpha),
                  *static_cast<const float*>(beta),
                  desc->epilogue,
                  desc->vector,
                  desc->aux,
                  desc->aux_ld,
                  workspace,
                  workspace_bytes};
  const cublasStatus_t status = judge(*desc, call.a, call.b, call.c, call.d);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  const Matrix* operands[] = {&call.a, &call.b, &call.c, &call.d};
  for (std::size_t i = 0; i < 4; ++i) {
    if (algo != nullptr && reinterpret_cast<std::uintptr_t>(operands[i]->at) % algo->data[i] != 0)
      return CUBLAS_STATUS_INVALID_VALUE;
    if (!emulation::is_device_memory(operands[i]->at, operands[i]->bytes()))
      emulation::set_fault("cublasLtMatmul is given memory that is not, or not all, the device's (operand " +
                           std::string(1, "abcd"[i]) + ").");
  }
  if (algo != nullptr && workspace_bytes < algo->data[4]) return CUBLAS_STATUS_INVALID_VALUE;
  const std::size_t size = element_bytes(call.d.layout.type);
  const std::size_t length = call.epilogue == CUBLASLT_EPILOGUE_BGRADB ? call.d.columns() : call.d.rows();
  if (takes_vector(call.epilogue) && !emulation::is_device_memory(call.vector, length * size))
    emulation::set_fault("cublasLtMatmul is given a bias that is not, or not all, in the device's memory.");
  if (takes_aux(call.epilogue) &&
      !emulation::is_device_memory(
          call.aux, ((call.d.columns() - 1) * static_cast<std::size_t>(call.aux_ld) + call.d.rows()) * size))
    emulation::set_fault(
        "cublasLtMatmul is given an auxiliary matrix that is not, or not all, the device's.");
  const auto number = algo != nullptr ? algo->data[5] : 0;
  ++emulation::products_by_algorithm()[number];
  const cudaError_t error = emulation::enqueue(stream, "cublasLtMatmul", [call, number] {
    const bool plain = call.epilogue == CUBLASLT_EPILOGUE_DEFAULT || call.epilogue == CUBLASLT_EPILOGUE_BIAS;
    const double seconds = emulation::product_delays()[number] + delay("NYSTROM_EMULATION_PRODUCT_MS") +
                           delay(plain ? "NYSTROM_EMULATION_PLAIN_MS" : "NYSTROM_EMULATION_EPILOGUE_MS");
    if (seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    call.run();
    return true;
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // extern "C"
