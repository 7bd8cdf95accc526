#pragma once
// Verification against PyTorch: distances of a model's outputs and gradients from reference values.
// docs/exactness.md explains them.

#include <string>
#include <vector>

#include "kernels/tensor/device.h"

namespace nystrom {

struct VerifyOptions {
  std::string model = {};      ///< a Hugging Face folder or a checkpoint
  std::string case_file = {};  ///< reference case
  bool gradients = false;
  DType precision = DType::kF32;
  double tolerance = 0;  ///< of outputs; gradients have ten times as much. 0: default_tolerance(precision)
  int threads = 0;       ///< 0: all
  Device device = {};
  bool against_cpu = false;  ///< compare with the CPU backend in the same precision instead
};

/// Distance of a tensor from its reference: |ours - reference| / |reference|, Euclidean norms.
struct Distance {
  std::string name;
  double value = 0;
  double limit = 0;
  [[nodiscard]] bool within() const { return value <= limit; }  ///< false for NaN
};

struct Verification {
  std::vector<Distance> outputs;    ///< over real tokens (all tokens with `padding: huggingface`)
  std::vector<Distance> gradients;  ///< denominator at least 1e-3 of the norm of all gradients together
  std::vector<std::string> notes;
  double tolerance = 0;
  [[nodiscard]] bool passed() const;
};

double default_tolerance(DType precision);

Verification verify(const VerifyOptions& options);

}  // namespace nystrom
