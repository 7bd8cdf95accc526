#pragma once
// Gradient caching for a loss that couples all vectors of the global batch (model/heads/in_batch_loss.h; Gao
// et al., arXiv 2101.06983). First pass: forward of every micro-batch without keeping its activations, an
// all-gather of the vectors, the loss and the gradient of each vector. Second pass: forward and backward of
// each micro-batch, starting from the gradient of its vectors. Dropout is a function of seed, step and
// sample, so both passes compute the same vectors.
//
//   pass.begin(sequences);                       // of this rank
//   for each micro-batch: network.forward(...), pass.collect();
//   pass.finish();
//   for each micro-batch: pass.set_gradient(its sequences), network.forward(...), network.backward(...);
//
// Every rank computes the whole loss, so the gradients of the vectors are not communicated and have the same
// bits on all ranks. Only rank 0 adds the loss to its head's sums.

#include <vector>

#include "model/heads/in_batch_loss.h"
#include "model/network.h"
#include "trainer/comm/comm.h"

namespace nystrom {

class InBatchPass {
 public:
  /// The network's head is an EmbeddingHead; all outlive this.
  InBatchPass(Context& context, Comm& comm, Network& network, const InBatchOptions& options);
  /// Bytes that such a pass allocates for a network of this size and precision, the host's copy of all
  /// vectors included.
  [[nodiscard]] static std::size_t planned_bytes(const Network& network, const InBatchOptions& options);

  /// This rank has `sequences` in all, whole rows; all ranks together at most max_rows rows. Collective.
  void begin(std::int64_t sequences);
  /// Copies the vectors of the network's last forward to the host, which waits for them.
  void collect();
  /// All-gathers the vectors; computes the loss and the gradients. Collective.
  void finish();
  /// Gives the head the gradient of this rank's next `sequences` vectors, in the order of collect().
  void set_gradient(std::int64_t sequences);

 private:
  Context& context_;
  Comm& comm_;
  EmbeddingHead& head_;
  InBatchLoss loss_;
  OwnedTensor gathered_;              // [sequences, C] in host memory
  OwnedTensor vectors_, d_vectors_;   // [sequences, C]
  OwnedTensor other_sums_;            // [3] fp64, on ranks other than 0
  std::vector<std::int64_t> begins_;  // [ranks + 1] each rank's first sequence
  std::int64_t collected_ = 0, next_gradient_ = 0;
};

}  // namespace nystrom
