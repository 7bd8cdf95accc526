#include "kernels/cpu/ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/embedding.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/column_sums-inl.h"
#include "kernels/cpu/lanes-inl.h"
#include "kernels/cpu/layer_norm-inl.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kColumnGrain = 64;    // columns of the tables worth a thread
constexpr std::int64_t kRowGrain = 8;        // rows worth a thread
constexpr std::int64_t kPositionOffset = 2;  // row p + 2 of the table is position p

/// Rows of the three tables that a token's embedding is the sum of.
template <class C>
struct TokenRows {
  C* word;
  C* position;
  C* type;

  /// From element c on.
  template <class D>
  HWY_INLINE hn::Vec<D> sum(D d, std::int64_t c) const {
    return hn::Add(hn::Add(hn::LoadU(d, word + c), hn::LoadU(d, position + c)), hn::LoadU(d, type + c));
  }
};

/// Stands for the row of a table that is not there.
template <class C>
alignas(64) constexpr C kNoRow[kMaxRowColumns] = {};

/// The tables and ids as plain pointers.
template <class C>
struct Lookup {
  const std::int32_t* ids;
  const std::int32_t* types;
  const std::int32_t* positions;
  C* word;
  C* position;
  C* type;
  std::int64_t columns;

  Lookup(const EmbeddingInputs& inputs, const EmbeddingTables& tables)
      : ids(inputs.input_ids.data<std::int32_t>()),
        types(inputs.token_type_ids.data<std::int32_t>()),
        positions(inputs.positions.data<std::int32_t>()),
        word(tables.word.data<C>()),
        position(tables.position.empty() ? nullptr : tables.position.data<C>()),
        type(tables.type.data<C>()),
        columns(tables.word.dim(1)) {}

  [[nodiscard]] C* position_row(std::int64_t token) const {
    return position == nullptr ? nullptr : position + (positions[token] + kPositionOffset) * columns;
  }
  [[nodiscard]] TokenRows<C> rows(std::int64_t token) const {
    return {word + ids[token] * columns, position_row(token), type + types[token] * columns};
  }
  /// Read only.
  [[nodiscard]] TokenRows<const C> values(std::int64_t token) const {
    const C* const at = position_row(token);
    return {word + ids[token] * columns, at == nullptr ? kNoRow<C> : at, type + types[token] * columns};
  }
};

template <class T>
void forward_rows(const EmbeddingForward& args, std::int64_t begin, std::int64_t end) {
  using C = Compute<T>;
  const Lookup<C> lookup(args.inputs, args.tables);
  const std::int64_t columns = lookup.columns;
  ComputeRow<T> row_in_compute;
  for (std::int64_t token = begin; token < end; ++token) {
    T* y = args.y.data<T>() + token * columns;
    C* s = row_in_compute.of(y);
    const TokenRows<const C> rows = lookup.values(token);
    C sum;
    sum_lanes<1>(columns, &sum, [=](auto d, std::int64_t c, auto* v) HWY_ATTR {
      v[0] = rows.sum(d, c);
      hn::StoreU(v[0], d, s + c);
    });
    if (args.tables.gamma.empty()) {
      for_lanes<C>(0, columns,
                   [=](auto d, std::int64_t c) HWY_ATTR { store_lanes(d, hn::LoadU(d, s + c), y + c); });
    } else {
      C* stats = args.stats.data<C>() + token * 2;
      row_statistics(s, sum, columns, args.epsilon, stats);
      normalize_row(s, stats, args.tables.gamma.data<C>(), args.tables.beta.data<C>(), y, columns);
    }
    if (!args.dropout.active()) continue;
    for_dropped_lanes<C>(args.dropout, args.keys, token, columns,
                         [=](auto d, std::int64_t c, const auto& drop)
                             HWY_ATTR { store_lanes(d, drop(load_lanes(d, y + c)), y + c); });
  }
}

void embedding_forward_all(Context& context, const EmbeddingForward& args) {
  dispatch_float(args.y.dtype, [&]<class T>(T) {
    parallel_for(context, args.y.dim(0), kRowGrain,
                 [&](std::int64_t begin, std::int64_t end) { forward_rows<T>(args, begin, end); });
  });
}

/// d_sum of one token: d_y through dropout and LayerNorm; sums: d_gamma, d_beta.
template <class T>
void backward_row(const EmbeddingBackward& args, const Lookup<Compute<T>>& lookup, std::int64_t token,
                  ColumnPartials<Compute<T>, 2>& sums) {
  using C = Compute<T>;
  const std::int64_t columns = lookup.columns;
  const T* d_y = args.d_y.data<T>() + token * columns;
  C* d = args.d_sum.data<C>() + token * columns;
  for_dropped_lanes<C>(args.dropout, args.keys, token, columns,
                       [=](auto tag, std::int64_t c, const auto& drop)
                           HWY_ATTR { hn::StoreU(drop(load_lanes(tag, d_y + c)), tag, d + c); });
  if (args.tables.gamma.empty()) return;
  const TokenRows<const C> rows = lookup.values(token);
  const auto z = [rows](auto tag, std::int64_t c) HWY_ATTR { return rows.sum(tag, c); };
  const auto norm = norm_backward(d, z, args.stats.data<C>() + token * 2, args.tables.gamma.data<C>(),
                                  sums.values[0], sums.values[1], columns);
  for_lanes<C>(0, columns, [=](auto tag, std::int64_t c) HWY_ATTR {
    hn::StoreU(norm.d_z(tag, c, hn::LoadU(tag, d + c), z(tag, c)), tag, d + c);
  });
}

/// Adds d_sum's rows to the tables' gradients. A thread owns columns and goes through the tokens in order:
/// work is even however often a word occurs, and the bits depend on no thread count.
template <class C>
void scatter_columns(const EmbeddingBackward& args, std::int64_t begin, std::int64_t end) {
  const Lookup<C> lookup(args.inputs, args.gradients);
  const std::int64_t tokens = args.d_y.dim(0);
  for (std::int64_t token = 0; token < tokens; ++token) {
    const TokenRows<C> rows = lookup.rows(token);
    const C* d = args.d_sum.data<C>() + token * lookup.columns;
    if (lookup.ids[token] != args.pad_id) {
#pragma omp simd
      for (std::int64_t c = begin; c < end; ++c) rows.word[c] += d[c];
    }
    if (rows.position != nullptr) {
#pragma omp simd
      for (std::int64_t c = begin; c < end; ++c) rows.position[c] += d[c];
    }
#pragma omp simd
    for (std::int64_t c = begin; c < end; ++c) rows.type[c] += d[c];
  }
}

void embedding_backward_all(Context& context, const EmbeddingBackward& args) {
  const std::int64_t tokens = args.d_y.dim(0), columns = args.d_y.dim(1);
  dispatch_float(args.d_y.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const Lookup<C> lookup(args.inputs, args.tables);
    const auto of = [](const Tensor& x) { return x.empty() ? nullptr : x.data<C>(); };
    sum_columns<C, 2>(context, tokens, columns, {of(args.gradients.gamma), of(args.gradients.beta)},
                      [&](std::int64_t token, std::int64_t, std::int64_t, ColumnPartials<C, 2>& sums)
                          HWY_ATTR { backward_row<T>(args, lookup, token, sums); });
    parallel_for(context, (columns + kColumnGrain - 1) / kColumnGrain, 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   scatter_columns<C>(args, begin * kColumnGrain, std::min(end * kColumnGrain, columns));
                 });
  });
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(embedding_forward_all);
HWY_EXPORT(embedding_backward_all);

namespace {

void check_ids(const char* what, const Tensor& ids, std::int64_t tokens, std::int64_t limit) {
  for (const std::int32_t id : ids.span<std::int32_t>().first(static_cast<std::size_t>(tokens)))
    NYSTROM_CHECK(id >= 0 && id < limit, "{} {} is not in [0, {})", what, id, limit);
}

/// What the host can read of them only where they are in its memory.
void check_values(const EmbeddingInputs& inputs, const EmbeddingTables& tables, std::int64_t tokens) {
  check_ids("input id", inputs.input_ids, tokens, tables.word.dim(0));
  check_ids("token type", inputs.token_type_ids, tokens, tables.type.dim(0));
  if (!tables.position.empty()) check_ids("position", inputs.positions, tokens, tables.position.dim(0) - 2);
}

}  // namespace

namespace cpu {

void embedding_forward(Context& context, const EmbeddingForward& args) {
  check_values(args.inputs, args.tables, args.y.dim(0));
  HWY_DYNAMIC_DISPATCH(embedding_forward_all)(context, args);
}

void embedding_backward(Context& context, const EmbeddingBackward& args) {
  check_values(args.inputs, args.tables, args.d_y.dim(0));
  HWY_DYNAMIC_DISPATCH(embedding_backward_all)(context, args);
}

}  // namespace cpu
}  // namespace nystrom
#endif
