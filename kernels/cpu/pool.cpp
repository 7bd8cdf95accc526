#include <algorithm>

#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

constexpr std::int64_t kColumns = 64;  // columns of a sequence that a thread takes

/// body(sequence, first row, end, first column, end) on all threads.
template <class Body>
void for_pieces(Context& context, const Sequences& sequences, std::int64_t columns, const Body& body) {
  const auto* const offsets = sequences.offsets.data<std::int32_t>();
  const std::int64_t pieces = (columns + kColumns - 1) / kColumns;
  parallel_for(context, sequences.count * pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / pieces, first = i % pieces * kColumns;
      body(b, offsets[b], offsets[b + 1], first, std::min(first + kColumns, columns));
    }
  });
}

}  // namespace

void pool_forward(Context& context, const Pool& args) {
  const std::int64_t columns = args.x.dim(1);
  dispatch_float(args.x.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const T* const x = args.x.data<T>();
    for_pieces(
        context, args.sequences, columns,
        [&](std::int64_t b, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last) {
          C best[kColumns];
          std::int32_t rows[kColumns];
          for (std::int64_t c = first; c < last; ++c) {
            best[c - first] = args.kind == PoolKind::kMean ? C(0) : static_cast<C>(x[begin * columns + c]);
            rows[c - first] = static_cast<std::int32_t>(begin);
          }
          for (std::int64_t row = begin; row < end; ++row)
            for (std::int64_t c = first; c < last; ++c) {
              const C value = static_cast<C>(x[row * columns + c]);
              C& so_far = best[c - first];
              if (args.kind == PoolKind::kMean) {
                so_far += value;
              } else if (value > so_far) {
                so_far = value;
                rows[c - first] = static_cast<std::int32_t>(row);
              }
            }
          const C factor = args.kind == PoolKind::kMean ? C(1) / static_cast<C>(end - begin) : C(1);
          for (std::int64_t c = first; c < last; ++c) {
            args.y.data<T>()[b * columns + c] = T(best[c - first] * factor);
            if (args.kind == PoolKind::kMax)
              args.rows.data<std::int32_t>()[b * columns + c] = rows[c - first];
          }
        });
  });
}

void pool_backward(Context& context, const PoolGradient& args) {
  const std::int64_t columns = args.d_x.dim(1);
  dispatch_float(args.d_x.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    for_pieces(
        context, args.sequences, columns,
        [&](std::int64_t b, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last) {
          const T* const d_y = args.d_y.data<T>() + b * columns;
          const C share = C(1) / static_cast<C>(end - begin);
          for (std::int64_t row = begin; row < end; ++row)
            for (std::int64_t c = first; c < last; ++c) {
              const bool mean = args.kind == PoolKind::kMean;
              const bool here = mean || args.rows.data<std::int32_t>()[b * columns + c] == row;
              const C d = static_cast<C>(d_y[c]);
              args.d_x.data<T>()[row * columns + c] = T(here ? (mean ? d * share : d) : C(0));
            }
        });
  });
}

}  // namespace nystrom::cpu
