#include "kernels/cpu/attention/work_split.h"

namespace nystrom {

AttentionShape::AttentionShape(const AttentionLimits& limits)
    : heads(limits.heads),
      taps(limits.taps),
      width(limits.width()),
      batch(limits.batch),
      tokens(limits.tokens),
      longest(limits.longest),
      longest_exact(limits.longest),
      threads(limits.threads) {}

AttentionShape::AttentionShape(const Context& context, const AttentionInputs& inputs)
    : heads(inputs.heads),
      taps(inputs.taps()),
      width(inputs.width()),
      batch(inputs.sequences.count),
      tokens(inputs.sequences.tokens),
      longest(inputs.sequences.longest),
      longest_exact(inputs.sequences.longest),
      threads(context.threads()),
      spans(inputs.spans) {}

HeadTask AttentionShape::head(const Sequences& sequences, Index item) const {
  HeadTask one;
  one.batch = item / heads;
  one.head = item % heads;
  const auto* offsets = sequences.offsets.data<std::int32_t>();
  one.begin = offsets[one.batch];
  one.rows = offsets[one.batch + 1] - one.begin;
  one.keys = std::min<Index>(one.rows, sequences.lengths.data<std::int32_t>()[one.batch]);
  const auto b = static_cast<std::size_t>(one.batch);
  one.first = spans.split() ? spans.firsts[b] : 0;
  one.length = spans.split() ? spans.lengths[b] : one.rows;
  return one;
}

void check_sequences(const AttentionShape& shape, const AttentionInputs& inputs) {
  const Index tokens = inputs.qkv.dim(0);
  for (Index b = 0; b < shape.batch; ++b) {
    const HeadTask head = shape.head(inputs.sequences, b * shape.heads);
    NYSTROM_CHECK(head.rows == 0 || head.keys > 0, "sequence {} has {} rows, but no key to attend to", b,
                  head.rows);
    NYSTROM_CHECK(head.begin + head.rows <= tokens && head.rows <= shape.longest,
                  "sequence {} has rows [{}, {}) of {}, at most {}", b, head.begin, head.begin + head.rows,
                  tokens, shape.longest);
  }
}

}  // namespace nystrom
