#include "kernels/embedding.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"
#include "kernels/layer_norm.h"

namespace nystrom {
namespace {

void check_count(const char* what, const Tensor& ids, std::int64_t tokens) {
  NYSTROM_CHECK(ids.numel() >= tokens, "{} of {} tokens for {}", what, ids.numel(), tokens);
}

void check_inputs(const EmbeddingInputs& inputs, const EmbeddingTables& tables, const Tensor& rows) {
  NYSTROM_CHECK(rows.shape.rank() == 2 && rows.dim(1) == tables.word.dim(1) &&
                    (tables.position.empty() || rows.dim(1) == tables.position.dim(1)) &&
                    rows.dim(1) == tables.type.dim(1),
                "rows {} of tables {}, {}, {}", rows.shape.text(), tables.word.shape.text(),
                tables.position.shape.text(), tables.type.shape.text());
  NYSTROM_CHECK(rows.dim(1) <= kMaxRowColumns, "a row of {} columns is longer than {}", rows.dim(1),
                kMaxRowColumns);
  check_count("input id", inputs.input_ids, rows.dim(0));
  check_count("token type", inputs.token_type_ids, rows.dim(0));
  check_count("position", inputs.positions, rows.dim(0));
}

}  // namespace

void embedding_forward(Context& context, const EmbeddingForward& args) {
  check_inputs(args.inputs, args.tables, args.y);
  const auto count = static_cast<double>(args.y.numel());
  const double table_bytes = 3 * count * static_cast<double>(size_of(args.tables.word.dtype));
  const OpScope scope(context, "embedding_forward", 11 * count,
                      table_bytes + static_cast<double>(args.y.bytes()));
  NYSTROM_ON_CUDA(embedding_forward, context, args);
  cpu::embedding_forward(context, args);
}

void embedding_backward(Context& context, const EmbeddingBackward& args) {
  check_inputs(args.inputs, args.tables, args.d_y);
  NYSTROM_CHECK(args.d_sum.shape == args.d_y.shape, "d_y is {}, d_sum {}", args.d_y.shape.text(),
                args.d_sum.shape.text());
  const auto count = static_cast<double>(args.d_y.numel());
  const double table_bytes = 9 * count * static_cast<double>(size_of(args.tables.word.dtype));
  const OpScope scope(context, "embedding_backward", 22 * count,
                      table_bytes + static_cast<double>(args.d_y.bytes()));
  NYSTROM_ON_CUDA(embedding_backward, context, args);
  cpu::embedding_backward(context, args);
}

}  // namespace nystrom
