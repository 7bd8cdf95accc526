#pragma once
// Contrastive loss with in-batch negatives (InfoNCE; sentence-transformers' MultipleNegativesRankingLoss)
// over the vectors of a whole batch of N rows. A row is an anchor, a text that matches it (the positive) and
// optionally one that does not (a hard negative). Each anchor is compared with the M = N (row_sequences - 1)
// texts of all rows:
//   loss_i = -log softmax_j(cos(anchor_i, text_j) / temperature)[j = positive of row i]
// With several sizes m it is the sum of the losses over the first m components (MatryoshkaLoss).

#include <cstdint>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "kernels/tensor/context.h"

namespace nystrom {

struct InBatchOptions {
  std::int64_t row_sequences = 2;        ///< 2, or 3 with hard negatives
  double temperature = 0.05;             ///< above 0
  std::vector<std::int64_t> sizes = {};  ///< m, at most the width; empty: the width only
  std::int64_t max_rows = 1;             ///< maximum N
};

/// Owns its working memory. Similarities are computed in blocks of anchors, so memory is linear in N.
class InBatchLoss {
 public:
  /// For vectors of `width` components, fp32 or fp64, in `memory`.
  InBatchLoss(InBatchOptions options, std::int64_t width, DType type, Memory& memory);
  /// Bytes that such a loss allocates.
  [[nodiscard]] static std::size_t planned_bytes(const InBatchOptions& options, std::int64_t width,
                                                 DType type);

  /// vectors [N row_sequences, C], row by row. d_vectors, of the same shape, is overwritten by the gradient
  /// of the mean loss of the rows. Adds to `sums` [3] fp64, once per size: the loss, rows whose positive is
  /// the most similar text, rows.
  void compute(Context& context, const Tensor& vectors, const Tensor& d_vectors, const Tensor& sums);

  [[nodiscard]] const InBatchOptions& options() const { return options_; }

 private:
  /// The anchors or the texts of a batch.
  struct Side {
    OwnedTensor rows;    // [.] int32: their indices among the batch's vectors
    OwnedTensor x, d_x;  // [., C]
    OwnedTensor units, d_units, norms;
    Side(std::int64_t count, std::int64_t width, DType type, Memory& memory);
  };
  void compare(Context& context, std::int64_t rows, std::int64_t size, const Tensor& sums);

  InBatchOptions options_;
  std::int64_t width_;
  Side anchors_, texts_;
  OwnedTensor labels_;      // [N] int32: index of each anchor's positive
  OwnedTensor logits_;      // [block, M], then their gradient
  OwnedTensor row_losses_;  // [block]
};

}  // namespace nystrom
