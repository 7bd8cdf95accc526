#include "kernels/cpu/attention/summary_rows.h"

namespace nystrom {
namespace {

/// s = the logits of the queries in `rows`.
template <class T>
void logits_of(const SummaryRows<Compute<T>>& summary, Index count, Index width, const Tile<Compute<T>>& rows,
               const Tile<Compute<T>>& s) {
  multiply(count, summary.count, width, rows, summary.keys_t, s);
  if (summary.bias != nullptr) tile_ops<T>().add_to_rows(s, count, summary.count, summary.bias);
}

}  // namespace

template <class T>
void attend_summary(const AttentionInputs& inputs, const Tensor& row_stats, const HeadTask& head, Index chunk,
                    const SummaryRows<Compute<T>>& summary, const ConvolvedValues<T>& convolution,
                    const SummaryTiles<Compute<T>>& tiles) {
  const auto& ops = tile_ops<T>();
  const Index width = inputs.width(), heads = inputs.heads;
  const auto q = head.of<const T>(inputs.qkv, width, heads, 0);
  const auto out = head.of<T>(inputs.out, width, heads);
  for_tiles(head, chunk, [&](Index first, Index count) {
    ops.load_rows(q, head.rows, first, count, tiles.rows);
    logits_of<T>(summary, count, width, tiles.rows, tiles.s);
    ops.row_softmax(tiles.s, count, summary.count, row_stats_at<Compute<T>>(row_stats, head, first),
                    2 * heads);
    multiply(count, width, summary.count, tiles.s, summary.values, tiles.out);
    convolution.add(first, count, tiles.out);
    ops.store_rows(tiles.out, count, out, first);
  });
}

template <class T>
void attend_summary_backward(const AttentionInputs& inputs, const AttentionGradients& gradients,
                             const Tensor& row_stats, const HeadTask& head, Index chunk,
                             const SummaryRows<Compute<T>>& summary,
                             const SummaryGradient<Compute<T>>& gradient,
                             const SummaryGradientTiles<Compute<T>>& tiles) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const Index r = summary.count, width = inputs.width(), heads = inputs.heads;
  const auto q = head.of<const T>(inputs.qkv, width, heads, 0),
             d_out = head.of<const T>(gradients.d_out, width, heads);
  const auto d_q = head.of<T>(gradients.d_qkv, width, heads, 0);
  for_tiles(head, chunk, [&](Index first, Index count) {
    ops.load_rows(q, head.rows, first, count, tiles.rows);
    ops.load_rows(d_out, head.rows, first, count, tiles.d_out);
    logits_of<T>(summary, count, width, tiles.rows, tiles.s);
    ops.row_softmax_again(tiles.s, count, r, row_stats_at<C>(row_stats, head, first), 2 * heads);
    multiply(count, r, width, tiles.d_out, gradient.values_t, tiles.d_s);
    multiply_transposed(r, width, count, tiles.s, tiles.d_out, gradient.d_values, C(1), true);
    ops.row_softmax_backward(tiles.s, tiles.d_s, count, r);
    multiply(count, width, r, tiles.d_s, gradient.keys, tiles.d_rows, gradient.scale);
    if (gradient.d_keys.data != nullptr)
      multiply_transposed(r, width, count, tiles.d_s, tiles.rows, gradient.d_keys, gradient.scale, true);
    if (gradient.d_bias != nullptr) ops.add_column_sums(tiles.d_s, count, r, gradient.d_bias);
    ops.store_rows(tiles.d_rows, count, d_q, first);
  });
}

#define NYSTROM_INSTANTIATE(T)                                                                               \
  template void attend_summary<T>(const AttentionInputs&, const Tensor&, const HeadTask&, Index,             \
                                  const SummaryRows<Compute<T>>&, const ConvolvedValues<T>&,                 \
                                  const SummaryTiles<Compute<T>>&);                                          \
  template void attend_summary_backward<T>(const AttentionInputs&, const AttentionGradients&, const Tensor&, \
                                           const HeadTask&, Index, const SummaryRows<Compute<T>>&,           \
                                           const SummaryGradient<Compute<T>>&,                               \
                                           const SummaryGradientTiles<Compute<T>>&)
NYSTROM_INSTANTIATE(float);
NYSTROM_INSTANTIATE(BF16);
NYSTROM_INSTANTIATE(double);
#undef NYSTROM_INSTANTIATE

}  // namespace nystrom
