#pragma once
// Matrix products by NVIDIA's cuBLASLt, opened at run time: a program that was built with CUDA starts on
// machines without it. cublasLt.h is included by blaslt.cpp alone.

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/tensor/dtype.h"

namespace nystrom::cuda {

/// The library with its handle, and what it was asked to compute before: for each shape the descriptors and
/// the algorithm: the one of ProductChoices, else the one that the library's heuristic puts first. With
/// timing, a kind of product that has no choice yet has its candidates measured when it first comes, on a
/// separate result, and the fastest is kept. One of them serves one thread.
class BlasLt {
 public:
  /// Scratch that run() wants on the device, on a 256-byte boundary.
  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20U;

  /// Algorithms among which timing chooses.
  static constexpr int kCandidates = 8;

  /// Opens the library on the current device, of this name; an empty one: no choices are read or kept. Throws
  /// Error, naming what was tried, if there is none.
  explicit BlasLt(const std::string& gpu = {}, bool timing = false);
  ~BlasLt();
  BlasLt(BlasLt&&) noexcept;
  BlasLt& operator=(BlasLt&&) noexcept;

  /// What a product does on the way out of its sums, before they are rounded, where the library knows how.
  enum class Epilogue : std::uint8_t {
    kNone,
    kBias,       ///< d = sums + vector [m], the same in each column
    kGelu,       ///< aux = sums + vector [m], and d = gelu_new of it
    kGeluSlope,  ///< d = sums * gelu_new'(aux)
    kSumsOfB     ///< beside d: vector [n] = the sums over k of op(b)
  };
  /// Column-major: d [m, n] = op(a) op(b) (+ d), summed in fp32 (without TF32). op(a) is [m, k], op(b) [k,
  /// n]; a stride is the distance of two columns as stored.
  struct Product {
    std::int64_t m, n, k;
    const void *a, *b;
    void* d;
    std::int64_t a_stride, b_stride, d_stride;
    bool transpose_a, transpose_b;
    DType input, output;  ///< fp32 or bf16; the output is the input's or fp32
    bool accumulate;      ///< together with kNone or kSumsOfB alone
    Epilogue epilogue = Epilogue::kNone;
    void* vector = nullptr;  ///< of the output's dtype
    void* aux = nullptr;     ///< [m, n] like d: dtype and stride
  };
  /// Whether the library has a way to compute it: its word for this shape, or that of ProductChoices for this
  /// kind. Asked once a shape: the answer is kept for run().
  [[nodiscard]] bool knows(const Product& product);
  /// With timing, and outside of a capture: whether this kind of product is known and nobody has measured it
  /// yet, so that one with an epilogue is to be compared with separate steps.
  [[nodiscard]] bool is_undecided(cudaStream_t stream, const Product& product);
  /// What came of that. Where separate steps were faster the library does not know the product from now on,
  /// in later processes either.
  void decide(const Product& product, bool worth_it);
  /// Starts the product on `stream`; `workspace` has kWorkspaceBytes. The same bits each time on the same GPU
  /// and library with the same choices. With timing the host may wait, and memory of the size of d be taken.
  /// m, n and k are at least 1. Throws Error if the library fails or knows no way.
  void run(cudaStream_t stream, const Product& product, void* workspace);

  /// "13.0.2", say.
  [[nodiscard]] std::string version() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nystrom::cuda
