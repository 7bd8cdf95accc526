// Embedding sum + LayerNorm + dropout, and its backward (embedding.h).
// Forward: a row a warp (layer_norm_rows.h); bytes: 12 + s an element of size s (three table rows in, y out).
// Backward: d_sum by rows as in LayerNorm's backward; then for each table the rows are sorted by the table's
// row and summed segment by segment, each table row by one block alone or from partials in a fixed order: no
// atomics on floats, the same bits each time. Bytes: s + 12 + 4 for d_sum, 3 * 4 to read it back, and 8 for
// each table row met. Memory bounds both: at 768 columns 11 and 23 KB a token, 2.6 and 5.4 ns at 4.3 TB/s.
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include <algorithm>

#include "kernels/cuda/layer_norm_rows.h"
#include "kernels/cuda/radix_sort.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

constexpr std::int64_t kPositionOffset = 2;  // row p + 2 of the table is position p

struct Lookup {
  const std::int32_t *ids, *types, *positions;
  const float *word, *position, *type;  // tables; null: none
  std::int64_t columns;

  Lookup(const EmbeddingInputs& inputs, const EmbeddingTables& tables)
      : ids(inputs.input_ids.data<std::int32_t>()),
        types(inputs.token_type_ids.data<std::int32_t>()),
        positions(inputs.positions.data<std::int32_t>()),
        word(tables.word.data<float>()),
        position(tables.position.empty()
                     ? nullptr
                     : tables.position.data<float>() + kPositionOffset * tables.position.dim(1)),
        type(tables.type.data<float>()),
        columns(tables.word.dim(1)) {}

  [[nodiscard]] bool whole() const {
    return whole_eights(word, columns) && whole_eights(position, columns) && whole_eights(type, columns);
  }
  /// The sum of the three table rows of a token, eight columns of it.
  template <bool kRagged>
  __device__ Vec8 sum8(std::int64_t token, int column, int count) const {
    const Vec8 w = load8<kRagged>(word + ids[token] * columns + column, count);
    Vec8 p{};
    if (position != nullptr) p = load8<kRagged>(position + positions[token] * columns + column, count);
    const Vec8 t = load8<kRagged>(type + types[token] * columns + column, count);
    Vec8 s;
#pragma unroll
    for (int i = 0; i < kEight; ++i) s.v[i] = w.v[i] + p.v[i] + t.v[i];
    return s;
  }
};

template <class T>
struct ForwardParams {
  Lookup lookup;
  const float *gamma, *beta;  // null: no LayerNorm
  float epsilon;
  Drop drop;
  float* stats;  // [tokens, 2]
  T* y;          // [tokens, columns]
  std::int64_t tokens;
};

template <class T, class Layout>
__global__ void __launch_bounds__(Layout::kThreads) embedding_forward_kernel(ForwardParams<T> p) {
  float* shared = shared_memory<float>();
  const std::int64_t columns = p.lookup.columns;
  const RowPlace<Layout> place(columns);
  for (std::int64_t token = place.row; token < p.tokens; token += place.step) {
    RowValues<Layout> s{};
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k)
      if (place.count(k) > 0)
        s[k] = p.lookup.template sum8<Layout::kRagged>(token, place.column(k), place.count(k));
    float2 stats{};
    if (p.gamma != nullptr) {
      stats = row_statistics<Layout>(place, s, p.epsilon, shared);
      if (place.thread == 0) store_statistics(p.stats, token, stats);
    }
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k) {
      const int count = place.count(k), column = place.column(k);
      if (count == 0) continue;
      Vec8 y = s[k];
      if (p.gamma != nullptr)
        y = normalized8<Layout::kRagged>(s[k], stats, p.gamma + column, p.beta + column, count);
      if (p.drop.threshold != 0) {
#pragma unroll
        for (int i = 0; i < kEight; ++i) y.v[i] = rounded<T>(y.v[i]);  // as where the two are apart
        drop8<Layout::kRagged>(p.drop, token, column, columns, y);
      }
      store8<Layout::kRagged>(p.y + token * columns + column, y, count);
    }
  }
}

float* optional(const Tensor& x) {
  return x.empty() ? nullptr : x.data<float>();
}

template <class T>
void run_forward(CudaContext& context, const EmbeddingForward& args) {
  const std::int64_t tokens = args.y.dim(0), columns = args.y.dim(1);
  const ForwardParams<T> p{.lookup = {args.inputs, args.tables},
                           .gamma = optional(args.tables.gamma),
                           .beta = optional(args.tables.beta),
                           .epsilon = static_cast<float>(args.epsilon),
                           .drop = {args.dropout, args.keys},
                           .stats = optional(args.stats),
                           .y = args.y.data<T>(),
                           .tokens = tokens};
  const bool whole = p.lookup.whole() && whole_eights(p.gamma, columns) && whole_eights(p.beta, columns) &&
                     whole_eights(p.y, columns);
  dispatch_rows(columns, whole, [&]<class Layout>(Layout) {
    const std::int64_t blocks = (tokens + Layout::kRows - 1) / Layout::kRows;
    launch(context.stream(), dim3(static_cast<unsigned>(blocks)), dim3(Layout::kThreads), sizeof(float) * 64,
           "embedding_forward", embedding_forward_kernel<T, Layout>, p);
  });
}

// ---- backward: d_sum -------------------------------------------------------------------------------------

template <class T>
struct BackwardParams {
  Lookup lookup;
  const T* d_y;
  const float *stats, *gamma;
  Drop drop;
  float* d_sum;     // [tokens, columns]
  float* partials;  // [blocks, 2, columns]: gamma, beta
  std::int64_t tokens;
};

template <class T, class Layout>
__global__ void __launch_bounds__(Layout::kThreads, Layout::kBlocks)
    embedding_backward_kernel(BackwardParams<T> p) {
  float* shared = shared_memory<float>();
  const std::int64_t columns = p.lookup.columns;
  const RowPlace<Layout> place(columns);
  RowValues<Layout> d_gamma{}, d_beta{};
  for (std::int64_t token = place.row; token < p.tokens; token += place.step) {
    RowValues<Layout> d{}, s{};
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k) {
      const int count = place.count(k), column = place.column(k);
      if (count == 0) continue;
      d[k] = load8<Layout::kRagged>(p.d_y + token * columns + column, count);
      if (p.drop.threshold != 0) drop8<Layout::kRagged>(p.drop, token, column, columns, d[k]);
      s[k] = p.lookup.template sum8<Layout::kRagged>(token, column, count);
    }
    if (p.gamma != nullptr) {
      const float2 stats = load_statistics(p.stats, token);
      row_backward<Layout>(place, stats, p.gamma, d, s, d_gamma, d_beta, shared);
    }
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k)
      if (place.count(k) > 0)
        store8<Layout::kRagged>(p.d_sum + token * columns + place.column(k), d[k], place.count(k));
  }
  if (p.gamma == nullptr) return;
  float* partials = p.partials + std::int64_t{blockIdx.x} * 2 * columns;
  leave_partials<Layout>(place, d_gamma, partials, shared);
  leave_partials<Layout>(place, d_beta, partials + columns, shared);
}

template <class T>
void run_rows_backward(CudaContext& context, const EmbeddingBackward& args) {
  const std::int64_t tokens = args.d_y.dim(0), columns = args.d_y.dim(1);
  BackwardParams<T> p{.lookup = {args.inputs, args.tables},
                      .d_y = args.d_y.data<T>(),
                      .stats = optional(args.stats),
                      .gamma = optional(args.tables.gamma),
                      .drop = {args.dropout, args.keys},
                      .d_sum = args.d_sum.data<float>(),
                      .partials = nullptr,
                      .tokens = tokens};
  const bool whole = p.lookup.whole() && whole_eights(p.gamma, columns) && whole_eights(p.d_y, columns) &&
                     whole_eights(p.d_sum, columns);
  dispatch_rows(columns, whole, [&]<class Layout>(Layout) {
    const std::int64_t blocks = row_blocks<Layout>(context, tokens);
    p.partials = static_cast<float*>(
        context.workspace(static_cast<std::size_t>(blocks * 2 * columns) * sizeof(float)));
    launch(context.stream(), dim3(static_cast<unsigned>(blocks)), dim3(Layout::kThreads),
           Layout::shared_bytes(columns), "embedding_backward", embedding_backward_kernel<T, Layout>, p);
    if (p.gamma == nullptr) return;
    add_column_partials(
        context, p.partials, blocks, columns,
        {args.gradients.gamma.template data<float>(), args.gradients.beta.template data<float>(), nullptr},
        2);
  });
}

// ---- backward: the tables --------------------------------------------------------------------------------

constexpr int kSumThreads = 256;   // columns of a block of segment_sums_kernel
constexpr int kJoinColumns = 128;  // columns of a block of join_segments_kernel,
constexpr int kJoinParts = 8;      // each added up by as many threads
constexpr std::int64_t kMinChunk = 32, kMaxChunks = 1024;
constexpr std::size_t kPartialBytes = std::size_t{16} << 20U;

/// Rows of d sorted by the table row they go to, in chunks; a segment is a run of equal table rows.
struct Segments {
  const std::int32_t *order, *sorted;  // [tokens]
  const float* d;                      // [tokens, columns]
  float* gradient;                     // [table rows, columns]
  float *heads, *tails;                // [chunks, columns]: what belongs to a segment that begins before the
                                       // chunk; that begins in it and continues after it
  std::int64_t tokens, columns, chunk, chunks;
  std::int32_t skipped;  // table row that gets nothing; -1: none
};

/// One column of the chunk's segment of `row`, from places `first` to the chunk's end or before.
__device__ void leave_segment(const Segments& p, std::int64_t column, std::int32_t row, float sum,
                              bool from_before, bool goes_on) {
  const std::int64_t chunk = blockIdx.x;
  if (from_before)
    p.heads[chunk * p.columns + column] = sum;
  else if (goes_on)
    p.tails[chunk * p.columns + column] = sum;
  else if (row != p.skipped)
    // This block alone adds to the row, and once: an order there is none. Nothing waits for the old value.
    atomicAdd(&p.gradient[row * p.columns + column], sum);
}

// Grid: chunks, tiles of columns. Eight rows of d are on their way at once, whatever their segments.
__global__ void segment_sums_kernel(Segments p) {
  const std::int64_t begin = blockIdx.x * p.chunk, left = p.tokens - begin;
  const int count = static_cast<int>(left < p.chunk ? left : p.chunk);
  std::int32_t* rows = shared_memory<std::int32_t>();  // [chunk] of the table
  std::int32_t* order = rows + p.chunk;                // [chunk] of d
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kSumThreads) {
    rows[i] = p.sorted[begin + i];
    order[i] = p.order[begin + i];
  }
  __syncthreads();
  const std::int64_t column = std::int64_t{blockIdx.y} * kSumThreads + threadIdx.x;
  if (column >= p.columns) return;
  std::int32_t row = rows[0];
  bool from_before = begin > 0 && p.sorted[begin - 1] == row;
  float sum = 0;
  for (int first = 0; first < count; first += kEight) {
    float d[kEight];
#pragma unroll
    for (int i = 0; i < kEight; ++i)
      d[i] = first + i < count ? p.d[order[first + i] * p.columns + column] : 0.0F;
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      if (first + i < count && rows[first + i] != row) {
        leave_segment(p, column, row, sum, from_before, false);
        row = rows[first + i];
        from_before = false;
        sum = 0;
      }
      sum += d[i];
    }
  }
  const bool goes_on = begin + count < p.tokens && p.sorted[begin + count] == row;
  leave_segment(p, column, row, sum, from_before, goes_on);
}

/// The first index beyond the segment of `row` that covers index `at`.
__device__ std::int64_t segment_end(const Segments& p, std::int64_t at, std::int32_t row) {
  std::int64_t inside = at, beyond = p.tokens;
  while (beyond - inside > 1) {
    const std::int64_t middle = inside + (beyond - inside) / 2;
    (p.sorted[middle] == row ? inside : beyond) = middle;
  }
  return beyond;
}

// Grid: chunks, tiles of columns. A block adds up the segment that begins in its chunk and continues after
// it.
__global__ void join_segments_kernel(Segments p) {
  const std::int64_t chunk = blockIdx.x, next = (chunk + 1) * p.chunk;  // (of no block: next >= tokens)
  if (next >= p.tokens) return;
  const std::int32_t row = p.sorted[next];
  const bool begins_here = p.sorted[next - 1] == row && (chunk == 0 || p.sorted[chunk * p.chunk - 1] != row);
  if (!begins_here || row == p.skipped) return;
  const std::int64_t last_chunk = (segment_end(p, next, row) - 1) / p.chunk;
  const int lane = static_cast<int>(threadIdx.x) % kJoinColumns,
            part = static_cast<int>(threadIdx.x) / kJoinColumns;
  const std::int64_t column = std::int64_t{blockIdx.y} * kJoinColumns + lane;
  float sum = 0;
  if (column < p.columns) {
    if (part == 0) sum = p.tails[chunk * p.columns + column];
#pragma unroll 4
    for (std::int64_t c = chunk + 1 + part; c <= last_chunk; c += kJoinParts)
      sum += p.heads[c * p.columns + column];
  }
  float* sums = shared_memory<float>();  // [kJoinParts, kJoinColumns]
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (part != 0 || column >= p.columns) return;
  for (int other = 1; other < kJoinParts; ++other) sum += sums[other * kJoinColumns + lane];
  p.gradient[row * p.columns + column] += sum;
}

void add_segments(CudaContext& context, Segments segments) {
  const auto tiles = [&](std::int64_t width) {
    return static_cast<unsigned>((segments.columns + width - 1) / width);
  };
  const auto chunks = static_cast<unsigned>(segments.chunks);
  launch(context.stream(), dim3(chunks, tiles(kSumThreads)), dim3(kSumThreads),
         2 * sizeof(std::int32_t) * static_cast<std::size_t>(segments.chunk), "embedding_segment_sums",
         segment_sums_kernel, segments);
  if (segments.chunks == 1) return;
  launch(context.stream(), dim3(chunks, tiles(kJoinColumns)), dim3(kJoinColumns * kJoinParts),
         sizeof(float) * kJoinColumns * kJoinParts, "embedding_join_segments", join_segments_kernel,
         segments);
}

/// Cuts the context's workspace into arrays.
class Carver {
 public:
  explicit Carver(CudaContext& context) : context_(context) {}
  template <class T>
  T* take(std::int64_t count) {
    constexpr std::size_t kBoundary = 256;
    const std::size_t begin = used_;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + kBoundary - 1) / kBoundary * kBoundary;
    return reinterpret_cast<T*>(static_cast<std::byte*>(context_.workspace(used_)) + begin);
  }

 private:
  CudaContext& context_;
  std::size_t used_ = 0;
};

/// Passes of 8 bits for keys below `limit`.
int passes_for(std::int64_t limit) {
  int passes = 1;
  while (limit > std::int64_t{1} << (8 * passes)) ++passes;
  return passes;
}

void add_to_tables(CudaContext& context, const EmbeddingBackward& args) {
  const std::int64_t tokens = args.d_y.dim(0), columns = args.d_y.dim(1);
  const EmbeddingTables& to = args.gradients;
  Carver carver(context);
  SortTables tables{
      .keys = {args.inputs.input_ids.data<std::int32_t>(), args.inputs.positions.data<std::int32_t>(),
               args.inputs.token_type_ids.data<std::int32_t>()},
      .order = {},
      .sorted = {},
      .other = {},
      .counts = carver.take<std::int32_t>(kSortTables * 256 * sort_tiles(tokens)),
      .count = tokens,
      .passes = passes_for(
          std::max({to.word.dim(0), to.position.empty() ? 0 : to.position.dim(0), to.type.dim(0)}))};
  for (int t = 0; t < kSortTables; ++t) {
    tables.order[t] = carver.take<std::int32_t>(tokens);
    tables.sorted[t] = carver.take<std::int32_t>(tokens);
    tables.other[t] = carver.take<std::int32_t>(tokens);
  }
  const auto room = static_cast<std::int64_t>(kPartialBytes / (2 * sizeof(float))) / columns;
  const std::int64_t most = std::min(kMaxChunks, room);
  const std::int64_t chunk = std::max(kMinChunk, (tokens + most - 1) / most),
                     chunks = (tokens + chunk - 1) / chunk;
  float* heads = carver.take<float>(chunks * columns);
  float* tails = carver.take<float>(chunks * columns);
  sort_rows(context, tables);
  float* const positions =
      to.position.empty() ? nullptr : to.position.data<float>() + kPositionOffset * columns;
  float* const gradients[kSortTables] = {to.word.data<float>(), positions, to.type.data<float>()};
  for (int t = 0; t < kSortTables; ++t) {
    if (gradients[t] == nullptr) continue;
    add_segments(context, {.order = tables.order[t],
                           .sorted = tables.sorted[t],
                           .d = args.d_sum.data<float>(),
                           .gradient = gradients[t],
                           .heads = heads,
                           .tails = tails,
                           .tokens = tokens,
                           .columns = columns,
                           .chunk = chunk,
                           .chunks = chunks,
                           .skipped = t == 0 ? static_cast<std::int32_t>(args.pad_id) : -1});
  }
}

}  // namespace

void embedding_forward(CudaContext& context, const EmbeddingForward& args) {
  if (args.y.dim(0) == 0) return;
  dispatch_device(args.y.dtype, [&]<class T>(T) { run_forward<T>(context, args); });
}

void embedding_backward(CudaContext& context, const EmbeddingBackward& args) {
  if (args.d_y.dim(0) == 0) return;
  dispatch_device(args.d_y.dtype, [&]<class T>(T) { run_rows_backward<T>(context, args); });
  add_to_tables(context, args);
}

}  // namespace nystrom::cuda
