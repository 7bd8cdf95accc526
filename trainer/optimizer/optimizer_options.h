#pragma once
// Options of all optimizers: section `optimizer` of a configuration.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/core/names.h"

namespace nystrom {

/// How Muon's rate depends on a matrix's shape [rows, columns] (`adjust_lr_fn` of torch.optim.Muon).
enum class MuonScale {
  kOriginal,      ///< (max(1, rows / columns))^(1/2)
  kMatchRmsAdamW  ///< 0.2 (max(rows, columns))^(1/2): updates about as large as AdamW's
};

template <>
struct EnumNames<MuonScale> {
  static constexpr Named<MuonScale> kAll[] = {{MuonScale::kOriginal, "original"},
                                              {MuonScale::kMatchRmsAdamW, "match_rms_adamw"}};
};

/// Which weights are evaluated or exported (`evaluation.weights`, `--weights`).
enum class EvaluatedWeights {
  kTrained,
  kAveraged  ///< of `training.ema_decay`
};

template <>
struct EnumNames<EvaluatedWeights> {
  static constexpr Named<EvaluatedWeights> kAll[] = {{EvaluatedWeights::kTrained, "trained"},
                                                     {EvaluatedWeights::kAveraged, "ema"}};
};

/// An entry of `optimizer.groups`: what tensors of some names override. For each of the two, the
/// first entry counts that matches a tensor and gives it.
struct OptimizerGroup {
  std::string match = {};                   ///< pattern of tensor names, as fnmatch(3) takes it
  std::optional<double> rate = {};          ///< factor of the learning rate
  std::optional<double> weight_decay = {};  ///< also of tensors of one dimension
  bool operator==(const OptimizerGroup&) const = default;
};

struct OptimizerOptions {
  std::string kind = "adamw";
  double learning_rate = 1e-4;  ///< peak; the schedule's factor multiplies it
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6;
  double weight_decay = 0.01;  ///< of tensors of two or more dimensions
  double layer_decay = 1;      ///< fine-tuning: the rate of a layer is that of the layer above times this
  std::vector<OptimizerGroup> groups = {};

  bool all_tensors = false;  ///< `lamb`: decay and trust ratio also of tensors of one dimension

  /// `muon`: peak of the tensors that AdamW updates
  double adamw_learning_rate = 1e-4;
  double momentum = 0.95;
  bool nesterov = true;
  std::int64_t newton_schulz_steps = 5;
  MuonScale scale = MuonScale::kOriginal;

  double ema_decay = 0;  ///< of the averaged weights (`training.ema_decay`); 0: there are none
};

}  // namespace nystrom
