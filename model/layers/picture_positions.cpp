#include "model/layers/picture_positions.h"

#include <algorithm>

#include "kernels/fill.h"
#include "kernels/linear.h"

namespace nystrom {
namespace {

constexpr std::int64_t kPositionOffset = 2;  // rows of a position table before position 0

/// Row p + 2 is 1 at index_of(p).
template <class IndexOf>
void select(const Context& context, const Tensor& to, const IndexOf& index_of) {
  const HostValues host(to, context.memory());
  dispatch_float(to.dtype, [&]<class T>(T) {
    if constexpr (!std::is_same_v<T, BF16>) {
      const auto values = host.view().template span<T>();
      std::ranges::fill(values, T{0});
      for (std::int64_t p = 0; p + kPositionOffset < to.dim(0); ++p)
        values[static_cast<std::size_t>((p + kPositionOffset) * to.dim(1) + index_of(p))] = T{1};
    }
  });
  host.write_back();
}

}  // namespace

PicturePositions::PicturePositions(const ModelConfig& config, ParameterStore& store)
    : config_(config), store_(store) {
  if (config.network.positions != Positions::kRowColumn) return;
  const std::string at = "nystromformer.embeddings.";
  const std::int64_t width = config.network.picture_width.value();
  const std::int64_t rows = (config.max_positions + width - 1) / width;
  tables_ = {
      .rows = store.add(at + "row_embeddings.weight", {rows, config.hidden_size}, Init::kNormal),
      .columns = store.add(at + "column_embeddings.weight", {width, config.hidden_size}, Init::kNormal)};
}

void PicturePositions::plan(Planner& planner) {
  filled_ = false;
  if (!tables_) return;
  const DType type = compute_dtype(store_.activation());
  const std::int64_t positions = config_.max_positions + kPositionOffset;
  of_rows_ = planner.saved("positions.of_rows", type, {positions, store_[tables_->rows].shape[0]});
  of_columns_ = planner.saved("positions.of_columns", type, {positions, store_[tables_->columns].shape[0]});
  table_ = planner.saved("positions.table", type, {positions, config_.hidden_size});
}

void PicturePositions::plan_backward(Planner& planner) {
  if (tables_) d_table_ = planner.scratch("positions.d_table", table_.dtype, table_.shape);
}

void PicturePositions::prepare(Context& context) {
  if (!tables_ || filled_) return;
  const std::int64_t width = config_.network.picture_width.value();
  select(context, of_rows_, [width](std::int64_t p) { return p / width; });
  select(context, of_columns_, [width](std::int64_t p) { return p % width; });
  filled_ = true;
}

void PicturePositions::make_table(Context& context) const {
  linear_backward_input(context, of_rows_, store_.weight(tables_->rows), table_);
  linear_backward_input(context, of_columns_, store_.weight(tables_->columns), table_, /*accumulate=*/true);
}

const Tensor& PicturePositions::zero_gradient(Context& context) const {
  fill_zero(context, d_table_);
  return d_table_;
}

void PicturePositions::backward(Context& context) const {
  linear_backward_weight(context, of_rows_, d_table_, store_.gradient(tables_->rows));
  linear_backward_weight(context, of_columns_, d_table_, store_.gradient(tables_->columns));
}

}  // namespace nystrom
