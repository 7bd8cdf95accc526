#pragma once
// Nyström attention of one head written plainly, in double, against exact softmax attention of the same input
// (kernels/attention/nystrom.h has the formulas). With S the softmax matrix of n tokens and m landmarks:
//   F = softmax(q k~^T / sqrt(D)) [n, m],  A = softmax(q~ k~^T / sqrt(D)) [m, m],  B = softmax(q~ k^T /
//   sqrt(D)) [m, n] Z = pinv(A),  nystrom = F Z B [n, n]
// For n <= m Nyström attention is softmax attention: the landmarks are the tokens, and F, A, B and Z are
// empty.

#include <cstdint>
#include <vector>

namespace nystrom {

struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values = {};  ///< [rows, columns]

  Matrix() = default;
  Matrix(std::int64_t r, std::int64_t c) : rows(r), columns(c), values(static_cast<std::size_t>(r * c)) {}
  [[nodiscard]] double& at(std::int64_t r, std::int64_t c) {
    return values[static_cast<std::size_t>(r * columns + c)];
  }
  [[nodiscard]] double at(std::int64_t r, std::int64_t c) const {
    return values[static_cast<std::size_t>(r * columns + c)];
  }
  [[nodiscard]] bool empty() const { return values.empty(); }
};

/// Queries, keys and values of a head, [n, D].
struct HeadInput {
  Matrix q, k, v;
};

struct AttentionMatrices {
  std::vector<std::int64_t> cuts;  ///< [m + 1] the tokens at which the segments of the landmarks begin, and n
  Matrix softmax, nystrom;         ///< [n, n]
  Matrix kernel_1, kernel_2, kernel_3, inverse;  ///< F, A, B, Z
  double residual = 0;                           ///< |A Z - I|_F / sqrt(m)
  double error = 0;                              ///< |nystrom - softmax|_F / |softmax|_F
  double context_error = 0;                      ///< |(nystrom - softmax) v|_F / |softmax v|_F

  [[nodiscard]] bool is_exact() const { return kernel_2.empty(); }
};

/// `scale`: what Z_0 is divided by; 0: |A|_1 |A|_inf of this head.
[[nodiscard]] AttentionMatrices attention_matrices(const HeadInput& input, std::int64_t landmarks,
                                                   int iterations, double scale = 0);

/// |A|_1 |A|_inf of a head's A; 1 where Nyström attention is exact.
[[nodiscard]] double pinv_scale(const HeadInput& input, std::int64_t landmarks);

}  // namespace nystrom
