#pragma once
// How good the pseudo-inverses of a step were: |A Z - I|_F / sqrt(M) by layer, over heads, sequences and
// ranks. Sequences short enough for exact attention have none and do not count.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"
#include "trainer/comm/comm.h"

namespace nystrom {

class PinvResiduals {
 public:
  explicit PinvResiduals(std::size_t layers) : layers_(layers) {}

  /// residuals [B, H] fp32 or fp64 of a layer in one micro-batch; empty: nothing.
  void add(const Context& context, std::size_t layer, const Tensor& residuals);
  /// Joins the ranks'. Collective.
  void share(Comm& comm);

  [[nodiscard]] std::vector<double> means() const;
  [[nodiscard]] std::vector<double> maxima() const;

 private:
  struct Layer {
    double sum = 0, count = 0, max = 0;
  };
  std::vector<Layer> layers_;
};

}  // namespace nystrom
