#include "launch/picture/attention_matrices.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

Matrix product(const Matrix& a, const Matrix& b) {
  NYSTROM_CHECK(a.columns == b.rows, "{} columns by {} rows", a.columns, b.rows);
  Matrix c(a.rows, b.columns);
  for (std::int64_t i = 0; i < a.rows; ++i)
    for (std::int64_t k = 0; k < a.columns; ++k)
      for (std::int64_t j = 0; j < b.columns; ++j) c.at(i, j) += a.at(i, k) * b.at(k, j);
  return c;
}

/// softmax(q k^T / sqrt(D)) by rows.
Matrix kernel(const Matrix& q, const Matrix& k) {
  const double scale = 1 / std::sqrt(static_cast<double>(q.columns));
  Matrix s(q.rows, k.rows);
  for (std::int64_t i = 0; i < q.rows; ++i) {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t j = 0; j < k.rows; ++j) {
      for (std::int64_t d = 0; d < q.columns; ++d) s.at(i, j) += q.at(i, d) * k.at(j, d) * scale;
      largest = std::max(largest, s.at(i, j));
    }
    for (std::int64_t j = 0; j < k.rows; ++j) sum += s.at(i, j) = std::exp(s.at(i, j) - largest);
    for (std::int64_t j = 0; j < k.rows; ++j) s.at(i, j) /= sum;
  }
  return s;
}

std::vector<std::int64_t> cuts_of(std::int64_t tokens, std::int64_t landmarks) {
  const std::int64_t m = std::min(tokens, landmarks);
  std::vector<std::int64_t> cuts;
  for (std::int64_t j = 0; j <= m; ++j) cuts.push_back(j * tokens / m);
  return cuts;
}

Matrix means(const Matrix& x, const std::vector<std::int64_t>& cuts) {
  Matrix mean(std::ssize(cuts) - 1, x.columns);
  for (std::int64_t j = 0; j < mean.rows; ++j) {
    const std::int64_t begin = cuts[static_cast<std::size_t>(j)], end = cuts[static_cast<std::size_t>(j) + 1];
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t d = 0; d < x.columns; ++d)
        mean.at(j, d) += x.at(i, d) / static_cast<double>(end - begin);
  }
  return mean;
}

double norms_of(const Matrix& a) {
  double one = 0, infinity = 0;
  for (std::int64_t i = 0; i < a.rows; ++i) {
    double column = 0, row = 0;
    for (std::int64_t j = 0; j < a.columns; ++j) {
      column += std::abs(a.at(j, i));
      row += std::abs(a.at(i, j));
    }
    one = std::max(one, column);
    infinity = std::max(infinity, row);
  }
  return one * infinity;
}

/// c I - a
Matrix from_identity(double c, const Matrix& a) {
  Matrix b(a.rows, a.columns);
  for (std::int64_t i = 0; i < a.rows; ++i)
    for (std::int64_t j = 0; j < a.columns; ++j) b.at(i, j) = (i == j ? c : 0) - a.at(i, j);
  return b;
}

/// Z <- Z/4 (13 I - AZ (15 I - AZ (7 I - AZ)))
Matrix pseudo_inverse(const Matrix& a, int iterations, double scale) {
  Matrix z(a.rows, a.rows);
  for (std::int64_t i = 0; i < a.rows; ++i)
    for (std::int64_t j = 0; j < a.rows; ++j) z.at(i, j) = a.at(j, i) / scale;
  for (int step = 0; step < iterations; ++step) {
    const Matrix az = product(a, z);
    z = product(z, from_identity(13, product(az, from_identity(15, product(az, from_identity(7, az))))));
    for (double& value : z.values) value /= 4;
  }
  return z;
}

double frobenius(const Matrix& a) {
  double sum = 0;
  for (const double value : a.values) sum += value * value;
  return std::sqrt(sum);
}

Matrix difference(const Matrix& a, const Matrix& b) {
  Matrix c = a;
  for (std::size_t i = 0; i < c.values.size(); ++i) c.values[i] -= b.values[i];
  return c;
}

double relative(const Matrix& a, const Matrix& exact) {
  const double scale = frobenius(exact);
  return scale > 0 ? frobenius(difference(a, exact)) / scale : 0;
}

}  // namespace

AttentionMatrices attention_matrices(const HeadInput& input, std::int64_t landmarks, int iterations,
                                     double scale) {
  NYSTROM_CHECK(landmarks > 0 && input.q.rows > 0, "{} landmarks of {} tokens", landmarks, input.q.rows);
  AttentionMatrices result;
  result.cuts = cuts_of(input.q.rows, landmarks);
  result.softmax = kernel(input.q, input.k);
  result.nystrom = result.softmax;
  if (input.q.rows <= landmarks) return result;
  const Matrix q = means(input.q, result.cuts), k = means(input.k, result.cuts);
  result.kernel_1 = kernel(input.q, k);
  result.kernel_2 = kernel(q, k);
  result.kernel_3 = kernel(q, input.k);
  result.inverse = pseudo_inverse(result.kernel_2, iterations, scale > 0 ? scale : norms_of(result.kernel_2));
  result.nystrom = product(result.kernel_1, product(result.inverse, result.kernel_3));
  result.residual = frobenius(from_identity(1, product(result.kernel_2, result.inverse))) /
                    std::sqrt(static_cast<double>(landmarks));
  result.error = relative(result.nystrom, result.softmax);
  result.context_error = relative(product(result.nystrom, input.v), product(result.softmax, input.v));
  return result;
}

double pinv_scale(const HeadInput& input, std::int64_t landmarks) {
  if (input.q.rows <= landmarks) return 1;
  const std::vector<std::int64_t> cuts = cuts_of(input.q.rows, landmarks);
  return norms_of(kernel(means(input.q, cuts), means(input.k, cuts)));
}

}  // namespace nystrom
