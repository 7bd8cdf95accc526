#pragma once
// Head: turns hidden states into losses and starts the backward pass. One virtual level; each kind is one
// file.

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "model/layers/embeddings.h"

namespace nystrom {

/// Gradient scale of each of a head's losses: weight / number of labels in the whole global batch.
using LossScales = std::array<double, kMaxLosses>;

class Head {
 public:
  virtual ~Head() = default;

  /// Names of the losses, in the order of sums() and LossScales: "mlm", "sop".
  [[nodiscard]] virtual std::vector<std::string_view> losses() const = 0;
  /// First parameter of the head.
  [[nodiscard]] virtual ParameterId first_parameter() const = 0;

  virtual void plan(Planner& planner, const BatchLimits& limits, bool training) = 0;

  /// Adds losses, correct predictions and labels to sums(). With `pass.training` also keeps (or already adds)
  /// what backward needs: gradients are of sum_i scales[i] * (sum of loss i).
  virtual void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
                       const Tensor& hidden) = 0;
  /// d_hidden [T, C], overwritten; parameter gradients are added to. Follows forward with the same arguments.
  virtual void backward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
                        const Tensor& hidden, const Tensor& d_hidden) = 0;

  /// Logits of the last forward (compute dtype), for heads whose answers fit in memory; empty for language
  /// models. [B, labels] of sequences, [P, labels] of label_rows, [T, 2] of answers' first and last tokens,
  /// [questions, choices].
  [[nodiscard]] virtual Tensor logits() const { return {}; }

  /// Class weights of the gradient, [labels]; reported losses stay unweighted. Heads without classes ignore
  /// them. Precondition: allocate_sums().
  void set_label_weights(std::span<const float> weights);

  /// [losses, 3] fp64: sum of losses, correct predictions, labels, over all forwards since reset_sums().
  [[nodiscard]] const Tensor& sums() const { return sums_.view(); }
  void reset_sums(Context& context);
  /// The sums so far, row by row; the host waits for them.
  [[nodiscard]] std::array<double, 3 * kMaxLosses> read_sums(const Context& context) const;
  /// Allocates the sums; before the first forward.
  void allocate_sums(Memory& memory);

  /// Dropout site ids of a head follow those of the blocks.
  [[nodiscard]] static std::uint32_t dropout_site(const ModelConfig& config, std::uint32_t offset) {
    return 1 + 4 * static_cast<std::uint32_t>(config.layers) + offset;
  }

 protected:
  /// Multiplies rows of d [R, labels] by their labels' weights, where there are weights.
  void weigh(Context& context, const Tensor& labels, const Tensor& d) const;

  OwnedTensor sums_;

 private:
  Memory* memory_ = nullptr;   // of the contexts that run it
  OwnedTensor label_weights_;  // [labels] fp32; empty: all 1
};

}  // namespace nystrom
