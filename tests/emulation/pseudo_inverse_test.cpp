// The pseudo-inverse of CUDA's kernels against double precision: its products on tensor cores have the
// accuracy of fp32. Run a second time with sums that are cut off as tensor cores do.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "kernels/cuda/attention/nystrom/pseudo_inverse_gradient.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kIterations = 6;

struct PinvProblem {
  int m;
  const float *a, *scales, *d_z;     // [count, M, M], [count], [count, M, M]
  float *z, *d_a, *dots, *iterates;  // [count, M, M], [count, M, M], [count], [count, kIterations - 1, M, M]
};

SquareSize size_of(int m) {
  return is_full(m) ? square_size<true>(m) : square_size<false>(m);
}

template <class Unit>
__global__ void forward_kernel(PinvProblem p) {
  const SquareMemory<3> memory;
  const int m = p.m, at = static_cast<int>(blockIdx.x) * m * m;
  const SquareSize size = size_of(m);
  const SplitTile a =
      publish<Unit>(read_square(p.a + at, m), memory.tile(0), memory.maxima, size.extent).tile;
  SplitTile factor = first_iterate<Unit>(a, p.scales[blockIdx.x], memory.tile(1), size.extent);
  TileRows z;
  float* const iterates = p.iterates + at * (kIterations - 1);
  for (int i = 0; i < kIterations; ++i) {
    z = next_iterate<Unit>(a, factor, memory.tile(2), memory.maxima, size);
    factor = publish<Unit>(z, memory.tile(1), memory.maxima, size.extent).tile;
    if (i + 1 < kIterations) write_square(iterates + i * m * m, z, m);
  }
  write_square(p.z + at, z, m);
}

template <class Unit>
__global__ void backward_kernel(PinvProblem p) {
  const SquareMemory<kSmallPinvTiles> memory;
  const int m = p.m, at = static_cast<int>(blockIdx.x) * m * m;
  const float scale = p.scales[blockIdx.x];
  SmallPinvGradient<Unit> pinv(memory, p.iterates + at * (kIterations - 1), size_of(m));
  pinv.begin(p.a + at, read_square(p.d_z + at, m));
  for (int i = kIterations - 1; i >= 0; --i) {
    pinv.take_iterate(i, scale);
    pinv.step_back();
  }
  const float dot = block_sum(pinv.finish(read_square(p.a + at, m), scale), memory.vectors);
  write_square(p.d_a + at, pinv.d_a, m);
  if (threadIdx.x == 0) p.dots[blockIdx.x] = dot;
}

/// The same for matrices of any size.
__global__ void large_backward_kernel(PinvProblem p, float* slots) {
  const SquareMemory<1> memory;
  const int m = p.m, at = static_cast<int>(blockIdx.x) * m * m;
  const PinvGradient pinv({m, memory.stage()}, slots + at * (kIterations + PinvGradient::kMatrices),
                          kIterations);
  pinv.squares.for_each([&](int i, int j) { pinv.d_z[i * m + j] = p.d_z[at + j * m + i]; });
  pinv.begin(p.a + at, p.scales[blockIdx.x], kIterations);
  for (int i = kIterations - 1; i >= 0; --i) {
    if (i + 1 < kIterations) pinv.load_iterate(i);
    pinv.step_back();
  }
  const float dot = block_sum(pinv.finish(p.scales[blockIdx.x], p.d_a + at), memory.vectors);
  if (threadIdx.x == 0) p.dots[blockIdx.x] = dot;
}

// ---- the same in double precision -------------------------------------------------------------------------

struct Matrix {
  int m;
  std::vector<double> x;

  explicit Matrix(int size, double diagonal = 0) : m(size), x(static_cast<std::size_t>(size * size)) {
    for (int i = 0; i < m; ++i) at(i, i) = diagonal;
  }
  Matrix(int size, const float* from) : m(size), x(from, from + size * size) {}
  double& at(int i, int j) { return x[static_cast<std::size_t>(i * m + j)]; }
  [[nodiscard]] double at(int i, int j) const { return x[static_cast<std::size_t>(i * m + j)]; }
  [[nodiscard]] Matrix transposed() const {
    Matrix t(m);
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < m; ++j) t.at(i, j) = at(j, i);
    return t;
  }
};
Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix c(a.m);
  for (int i = 0; i < a.m; ++i)
    for (int k = 0; k < a.m; ++k)
      for (int j = 0; j < a.m; ++j) c.at(i, j) += a.at(i, k) * b.at(k, j);
  return c;
}
Matrix operator+(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.x.size(); ++i) a.x[i] += b.x[i];
  return a;
}
Matrix operator*(double factor, Matrix a) {
  for (double& x : a.x) x *= factor;
  return a;
}
Matrix operator-(const Matrix& a, const Matrix& b) {
  return a + -1.0 * b;
}
double norm(const Matrix& a) {
  double sum = 0;
  for (const double x : a.x) sum += x * x;
  return std::sqrt(sum);
}

struct Reference {
  Matrix z, d_a;
  double dot;
};
Reference reference_of(const Matrix& a, double scale, const Matrix& d_pinv) {
  const Matrix identity(a.m, 1.0);
  std::vector<Matrix> iterates{1 / scale * a.transposed()};
  const auto t1 = [&](const Matrix& x) { return 7.0 * identity - x; };
  const auto t2 = [&](const Matrix& x) { return 15.0 * identity - x * t1(x); };
  const auto t3 = [&](const Matrix& x) { return 13.0 * identity - x * t2(x); };
  for (int i = 0; i < kIterations; ++i)
    iterates.push_back(0.25 * (iterates.back() * t3(a * iterates.back())));
  Matrix d_z = d_pinv, d_a(a.m);
  for (int i = kIterations - 1; i >= 0; --i) {
    const Matrix& z = iterates[static_cast<std::size_t>(i)];
    const Matrix x = a * z, x_t = x.transposed();
    const Matrix d_t3 = 0.25 * (z.transposed() * d_z), d_t2 = -1.0 * (x_t * d_t3), d_t1 = -1.0 * (x_t * d_t2);
    const Matrix d_x = -1.0 * (d_t3 * t2(x).transposed()) - d_t2 * t1(x).transposed() - d_t1;
    d_a = d_a + d_x * z.transposed();
    d_z = 0.25 * (d_z * t3(x).transposed()) + a.transposed() * d_x;
  }
  double dot = 0;
  for (std::size_t i = 0; i < a.x.size(); ++i) dot += a.x[i] * d_z.transposed().x[i];
  return {iterates.back(), d_a + 1 / scale * d_z.transposed(), dot};
}

// ---- matrices ---------------------------------------------------------------------------------------------

/// Softmaxes of landmarks' products, from nearly uniform ones to nearly permutations.
class Cases {
 public:
  Cases(int size, int count, float d_z_size)
      : m(size), number(count), a(elements()), d_z(elements()), scales(static_cast<std::size_t>(count)) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (int c = 0; c < number; ++c) {
      const float strength = 0.5F + 3.5F * static_cast<float>(c) / static_cast<float>(number);
      std::vector<float> q(static_cast<std::size_t>(m * 64)), k(q.size());
      for (std::size_t i = 0; i < q.size(); ++i) {
        q[i] = normal(random);
        k[i] = q[i] + 0.5F * normal(random);
      }
      for (int i = 0; i < m; ++i) softmax_row(c, i, strength, q, k);
      std::vector<float> sums(static_cast<std::size_t>(m));
      for (int i = 0; i < m * m; ++i) sums[static_cast<std::size_t>(i % m)] += a[at(c) + i];
      scales[static_cast<std::size_t>(c)] = *std::ranges::max_element(sums);
    }
    for (float& x : d_z) x = d_z_size * normal(random);
  }
  [[nodiscard]] std::size_t elements() const { return static_cast<std::size_t>(number * m * m); }
  [[nodiscard]] std::size_t at(int c) const { return static_cast<std::size_t>(c * m * m); }

  int m, number;
  std::vector<float> a, d_z, scales;

 private:
  void softmax_row(int c, int i, float strength, const std::vector<float>& q, const std::vector<float>& k) {
    float* const row = a.data() + at(c) + i * m;
    double sum = 0;
    for (int j = 0; j < m; ++j) {
      float logit = 0;
      for (int d = 0; d < 64; ++d)
        logit += q[static_cast<std::size_t>(i * 64 + d)] * k[static_cast<std::size_t>(j * 64 + d)];
      row[j] = std::exp(logit / 8 * strength - 8 * strength);
      sum += row[j];
    }
    for (int j = 0; j < m; ++j) row[j] = static_cast<float>(row[j] / sum);
  }
};

class Errors {
 public:
  void add(const std::vector<float>& values, std::size_t at, const Matrix& exact) {
    const double error = norm(Matrix(exact.m, values.data() + at) - exact) / norm(exact);
    mean_ += error;
    largest_ = std::max(largest_, error);
    ++count_;
  }
  [[nodiscard]] double mean() const { return mean_ / count_; }
  [[nodiscard]] double largest() const { return largest_; }

 private:
  double mean_ = 0, largest_ = 0;
  int count_ = 0;
};

struct Results {
  Errors z, d_a;
  double dot = 0;  ///< largest relative error
};

class OnDevice {
 public:
  explicit OnDevice(const Cases& cases) : cases_(cases) {
    problem_.m = cases.m;
    problem_.a = copied(cases.a);
    problem_.scales = copied(cases.scales);
    problem_.d_z = copied(cases.d_z);
    problem_.z = room(cases.elements());
    problem_.d_a = room(cases.elements());
    problem_.dots = room(cases.scales.size());
    problem_.iterates = room(cases.elements() * kIterations);
  }

  template <class Unit>
  Results run_small() {
    const auto blocks = static_cast<unsigned>(cases_.number);
    launch(cuda_.stream(), blocks, kSquareThreads, SquareMemory<3>::bytes(), "forward", forward_kernel<Unit>,
           problem_);
    launch(cuda_.stream(), blocks, kSquareThreads, SquareMemory<kSmallPinvTiles>::bytes(), "backward",
           backward_kernel<Unit>, problem_);
    return compared(true);
  }
  Results run_large() {
    launch(cuda_.stream(), static_cast<unsigned>(cases_.number), kSquareThreads, SquareMemory<1>::bytes(),
           "backward", large_backward_kernel, problem_,
           room(cases_.elements() * (kIterations + PinvGradient::kMatrices)));
    return compared(false);
  }

 private:
  Results compared(bool with_z) {
    Results results;
    const auto z = fetched(problem_.z, cases_.elements()), d_a = fetched(problem_.d_a, cases_.elements());
    const auto dots = fetched(problem_.dots, cases_.scales.size());
    for (int c = 0; c < cases_.number; ++c) {
      const auto i = static_cast<std::size_t>(c);
      const Reference exact = reference_of(Matrix(cases_.m, cases_.a.data() + cases_.at(c)), cases_.scales[i],
                                           Matrix(cases_.m, cases_.d_z.data() + cases_.at(c)));
      if (with_z) results.z.add(z, cases_.at(c), exact.z);
      results.d_a.add(d_a, cases_.at(c), exact.d_a);
      results.dot = std::max(results.dot, std::abs(static_cast<double>(dots[i]) / exact.dot - 1));
    }
    return results;
  }
  float* room(std::size_t count) {
    buffers_.emplace_back(count * sizeof(float), cuda_.memory());
    return reinterpret_cast<float*>(buffers_.back().data());
  }
  float* copied(const std::vector<float>& values) {
    float* const to = room(values.size());
    cuda_.memory().write(to, values.data(), values.size() * sizeof(float));
    return to;
  }
  std::vector<float> fetched(const float* from, std::size_t count) {
    std::vector<float> values(count);
    cuda_.stream().synchronize();
    cuda_.memory().read(values.data(), from, count * sizeof(float));
    return values;
  }

  const Cases& cases_;
  CudaContext cuda_;
  std::vector<Buffer> buffers_;
  PinvProblem problem_{};
};

void print(const char* what, const Errors& errors) {
  std::printf("%s: mean error %.2g, largest %.2g\n", what, errors.mean(), errors.largest());
}
template <class Unit>
void expect_fp32_accuracy(int m, int count, float d_z_size) {
  SCOPED_TRACE(m);
  const Cases cases(m, count, d_z_size);
  const Results results = OnDevice(cases).run_small<Unit>();
  print("Z", results.z);
  print("dA", results.d_a);
  EXPECT_LT(results.z.largest(), 1e-6);
  EXPECT_LT(results.d_a.largest(), 1e-6);
}

/// NYSTROM_PINV_CASES: how many matrices; 6 if not set.
int cases_wanted() {
  const char* const wanted = std::getenv("NYSTROM_PINV_CASES");
  return wanted == nullptr ? 6 : std::atoi(wanted);
}

TEST(PinvOnTensorCores, is_as_exact_as_fp32) {
  expect_fp32_accuracy<ByWarp>(64, cases_wanted(), 1);
  expect_fp32_accuracy<ByWarp>(37, 2, 1);
}

TEST(PinvOnTensorCores, by_wgmma_is_as_exact_as_fp32) {
  expect_fp32_accuracy<ByGroup>(64, cases_wanted(), 1);
  expect_fp32_accuracy<ByGroup>(49, 2, 1);
}

TEST(PinvOnTensorCores, does_not_mind_the_size_of_gradients) {
  for (const float size : {1e-20F, 1e15F}) {
    expect_fp32_accuracy<ByWarp>(20, 1, size);
    expect_fp32_accuracy<ByGroup>(50, 1, size);
  }
}

TEST(PinvOnTensorCores, of_large_matrices_is_as_exact) {
  const Cases cases(70, 1, 1);
  const Results results = OnDevice(cases).run_large();
  print("dA", results.d_a);
  EXPECT_LT(results.d_a.largest(), 1e-6);
}

}  // namespace
}  // namespace nystrom::cuda
