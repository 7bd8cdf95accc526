#pragma once
// Run of a model on a reference case: its outputs, losses and gradients, and their distances.

#include <functional>
#include <string>
#include <vector>

#include "kernels/tensor/device.h"
#include "launch/verify/reference_case.h"
#include "model/compute_session.h"

namespace nystrom {

using Values = std::vector<double>;

[[nodiscard]] double norm_of(const Values& values);
/// |ours - reference|
[[nodiscard]] double difference(const Values& ours, const Values& reference);
/// distance / scale; 0 / 0 is 0.
[[nodiscard]] double quotient(double distance, double scale);

struct CaseSetup {
  ModelConfig model;                                       ///< with the case's arithmetic
  std::function<std::vector<std::string>(Network&)> load;  ///< returns notes
  Device device = {};
  int threads = 0;  ///< 0: all
  DType precision = DType::kF32;
  bool gradients = false;
};

/// A forward pass for outputs, then on request forward and backward for gradients.
class CaseRun {
 public:
  CaseRun(const CaseSetup& setup, const ReferenceCase& reference);

  [[nodiscard]] std::size_t loss_count() const { return session_.network.head().losses().size(); }
  [[nodiscard]] std::string loss_name(std::size_t index) const;
  /// Mean over the labels, as in PyTorch.
  [[nodiscard]] double loss(std::size_t index) const { return sums_[index * 3] / sums_[index * 3 + 2]; }

  /// Of the embeddings (0) and each layer, [tokens, C].
  [[nodiscard]] Values hidden_state(std::size_t layer);
  [[nodiscard]] Values hidden_states();
  /// Logits of all tokens, if the head is a language model.
  [[nodiscard]] Values token_logits();
  [[nodiscard]] Values order_logits();
  [[nodiscard]] Values head_logits() const;

  void backward();
  [[nodiscard]] Values gradient(ParameterId id) const;

  [[nodiscard]] const Network& network() const { return session_.network; }
  [[nodiscard]] const PackedCase& packed() const { return packed_; }
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  [[nodiscard]] std::int64_t tokens() const { return static_cast<std::int64_t>(packed_.input_ids.size()); }
  [[nodiscard]] DType statistics() const { return compute_dtype(session_.network.parameters().activation()); }
  /// The case's random numbers in place of our own.
  void use_random(const ReferenceCase& reference);
  /// Labels for every token: token_logits() decodes them all.
  [[nodiscard]] BatchLimits limits(const ReferenceCase& reference) const;

  PackedCase packed_;
  ComputeSession session_;
  std::vector<std::string> notes_;
  const Batch* batch_ = nullptr;
  Tensor hidden_;
  Values sums_;  // [losses, 3] of the first forward
};

}  // namespace nystrom
