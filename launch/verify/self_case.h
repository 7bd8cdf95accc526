#pragma once
// Case of `nystrom verify --self`: a small model whose weights and inputs are hashes of their names
// (launch/verify/make_case.py), and what PyTorch computes of it in float64.

#include <cstdint>
#include <span>

#include "model/config/model_config.h"

namespace nystrom {

/// A parameter's gradient: its norm, and its product with hashed("along " + name).
struct GradientSum {
  const char* name;
  double norm, along;
};

inline constexpr NetworkConfig kPreNormRotary{
    .norm = NormPlacement::kPre, .embedding_norm = false, .positions = Positions::kRotary};

inline constexpr NetworkConfig kRowColumn{.positions = Positions::kRowColumn, .picture_width = 5};

struct SelfCase {
  const char* name;
  const char* attention;
  std::int64_t landmarks, taps;
  NetworkConfig network;
  std::span<const std::int32_t> lengths;
  double mlm_loss, sop_loss;
  std::span<const double> hidden;  ///< [tokens, C] of the last layer
  std::span<const GradientSum> gradients;
};

}  // namespace nystrom
