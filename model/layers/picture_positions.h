#pragma once
// Positions of pixels: a table of rows and one of columns, which are added. Pixel p of a picture that is W
// wide is in row p / W and column p % W.
//
// With S_r [P + 2, rows] and S_c [P + 2, W], whose row p + 2 is 1 at the pixel's row and at its column and 0
// elsewhere, the position table of the embeddings (kernels/embedding.h) is S_r R + S_c C, and the gradients
// of R and C are S_rᵀ and S_cᵀ times its gradient.

#include <optional>

#include "kernels/tensor/arena.h"
#include "kernels/tensor/context.h"
#include "model/config/model_config.h"
#include "model/parameters/parameters.h"

namespace nystrom {

class PicturePositions {
 public:
  /// Declares `row_embeddings.weight` [⌈P / W⌉, C] and `column_embeddings.weight` [W, C] where positions are
  /// row_column; else there is nothing of this.
  PicturePositions(const ModelConfig& config, ParameterStore& store);

  void plan(Planner& planner);
  /// Scratch of backward.
  void plan_backward(Planner& planner);
  /// Fills the selections, once after each plan. Not while ops are recorded.
  void prepare(Context& context);

  [[nodiscard]] bool exist() const { return tables_.has_value(); }
  /// Makes the table of the weights as they are.
  void make_table(Context& context) const;
  /// [P + 2, C] compute dtype, as make_table left it.
  [[nodiscard]] const Tensor& table() const { return table_; }
  /// Zeros [P + 2, C], for the table's gradient.
  [[nodiscard]] const Tensor& zero_gradient(Context& context) const;
  /// Adds the gradient of rows and columns, from that of the table.
  void backward(Context& context) const;

 private:
  struct Tables {
    ParameterId rows, columns;
  };

  const ModelConfig& config_;
  ParameterStore& store_;
  std::optional<Tables> tables_;
  Tensor of_rows_, of_columns_;  // [P + 2, rows], [P + 2, W]: which row and column a pixel is in
  Tensor table_;                 // [P + 2, C] saved
  Tensor d_table_;               // [P + 2, C] scratch
  bool filled_ = false;
};

}  // namespace nystrom
