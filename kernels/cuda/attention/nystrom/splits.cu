// Nystrom attention of sequences on several ranks: pieces of sums, and how ranks exchange them. Kernels are
// small: sums of M x C numbers over chunks or ranks, an element a thread. Bytes that a rank sends to each
// other one that has rows of a sequence, whatever its length: forward 4 M (3 C + 2 H), of which 8 M C are
// divided by the ranks, backward 12 M C, and halos. Checked against the CPU through the emulation; not yet
// run on a GPU.

#include "kernels/cuda/attention/nystrom/splits.h"

#include "kernels/cuda/attention/nystrom/pieces_by_rows.h"
#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kThreads = 256;

std::int64_t place_of(std::size_t s, int piece) {
  return static_cast<std::int64_t>(s) * kMaxSequenceRanks + piece;
}

/// The segment that a row belongs to, of m in n rows.
std::int64_t segment_of(std::int64_t row, std::int64_t n, std::int64_t m) {
  return ((row + 1) * m - 1) / n;
}

/// Block (edge row, split): the first and the last rows of x here, to `edges` [splits, 4, reach, C].
template <class T>
__global__ void copy_edges_kernel(AttentionProblem problem, const T* x, std::int64_t stride, T* edges) {
  const SplitItem split = blockIdx.y == 0 ? problem.splits[0] : problem.splits[1];
  const AttentionItem item = item_of(problem, split.batch * problem.heads);
  const int reach = problem.taps / 2, channels = problem.heads * problem.width, edge = min(reach, item.rows),
            row = static_cast<int>(blockIdx.x);
  if (row >= edge) return;
  T* const first = edges + static_cast<std::int64_t>(blockIdx.y) * 4 * reach * channels;
  T* const last = first + static_cast<std::int64_t>(reach) * channels;
  for (int c = static_cast<int>(threadIdx.x); c < channels; c += kThreads) {
    first[row * channels + c] = x[(item.begin + row) * stride + c];
    last[row * channels + c] = x[(item.begin + item.rows - edge + row) * stride + c];
  }
}

/// Block (segment, split): means from the ranks' sums.
__global__ void finish_landmarks_kernel(AttentionProblem problem, const float* sums, float* q_landmarks,
                                        float* k_landmarks) {
  const SplitItem split = blockIdx.y == 0 ? problem.splits[0] : problem.splits[1];
  const int m = problem.landmarks, width = problem.width, channels = problem.heads * width,
            segment = static_cast<int>(blockIdx.x);
  const std::int64_t n = split.length, piece = static_cast<std::int64_t>(m) * 2 * channels;
  const auto rows = static_cast<float>((segment + 1) * n / m - segment * n / m);
  const float* const from = sums + blockIdx.y * kMaxSequenceRanks * piece + segment * 2LL * channels;
  for (int c = static_cast<int>(threadIdx.x); c < 2 * channels; c += kThreads) {
    float sum = from[c];
    for (int p = 1; p < split.pieces; ++p) sum += from[p * piece + c];
    const int at = c % channels, head = at / width;
    float* const to = c < channels ? q_landmarks : k_landmarks;
    to[((static_cast<std::int64_t>(split.batch) * problem.heads + head) * m + segment) * width + at % width] =
        sum / rows;
  }
}

/// Block (., split, head).
__device__ inline AttentionItem split_item(const AttentionProblem& problem) {
  const int batch = blockIdx.y == 0 ? problem.splits[0].batch : problem.splits[1].batch;
  return item_of(problem, batch * problem.heads + static_cast<int>(blockIdx.z));
}
__device__ inline std::int64_t own_piece(const AttentionProblem& problem, const AttentionItem& item) {
  return static_cast<std::int64_t>(item.split) * kMaxSequenceRanks + split_of(problem, item).mine;
}

/// Block (8 rows, split, head).
__global__ void __launch_bounds__(kPieceThreads, kPieceBlocks)
    pack_softmaxes_kernel(AttentionProblem problem, const float* parts, const float* part_stats,
                          float* pieces) {
  const AttentionItem item = split_item(problem);
  const std::int64_t m = problem.landmarks, size = m * (problem.width + 2);
  float* const sums = pieces + (own_piece(problem, item) * problem.heads + item.head) * size;
  merge_piece_rows(problem, chunks_of(problem, item, parts, part_stats),
                   static_cast<int>(blockIdx.x) * kPieceRows, sums + m * problem.width, sums);
}

/// Block (512 elements, split, head).
__global__ void __launch_bounds__(kPieceThreads, kPieceBlocks)
    pack_sums_kernel(AttentionProblem problem, ChunkedSums sums, float* pieces) {
  const AttentionItem item = split_item(problem);
  const std::int64_t size = static_cast<std::int64_t>(problem.landmarks) * problem.width;
  float* const to = pieces + (own_piece(problem, item) * problem.heads + item.head) * sums.count * size;
  for (int which = 0; which < sums.count; ++which)
    add_piece_elements(chunks_of(problem, item, which == 0 ? sums.parts[0] : sums.parts[1]),
                       static_cast<int>(blockIdx.x), static_cast<int>(size), to + which * size);
}

dim3 blocks(std::int64_t of_split, const AttentionProblem& problem, int heads = 1) {
  return {static_cast<unsigned>(of_split), problem.splits[1].batch < 0 ? 1U : 2U,
          static_cast<unsigned>(heads)};
}

}  // namespace

void describe(const SplitSequences& splits, AttentionProblem& problem) {
  if (splits.empty()) return;
  NYSTROM_CHECK(splits.group().ranks() <= kMaxSequenceRanks, "sequences on {} ranks", splits.group().ranks());
  for (std::size_t s = 0; s < splits.size(); ++s) {
    SplitItem& item = problem.splits[s];
    item.batch = static_cast<int>(splits[s].batch);
    item.first = static_cast<int>(splits[s].rows.begin);
    item.length = static_cast<int>(splits[s].length);
    item.pieces = 1;
    splits.for_others(splits[s], [&](int rank, RowRange) {
      ++item.pieces;
      if (rank < splits.group().rank()) ++item.mine;
    });
  }
}

void exchange_pieces(const SplitSequences& splits, const AttentionProblem& problem, float* pieces,
                     std::int64_t size) {
  SequenceGroup& group = splits.group();
  const auto piece = [&](std::size_t s, int p) { return bytes_of(pieces + place_of(s, p) * size, size); };
  for (std::size_t s = 0; s < splits.size(); ++s)
    splits.for_others(splits[s],
                      [&](int rank, RowRange) { group.send(piece(s, problem.splits[s].mine), rank); });
  for (std::size_t s = 0; s < splits.size(); ++s) {
    int next = 0;
    splits.for_others(splits[s], [&](int rank, RowRange) {
      if (next == problem.splits[s].mine) ++next;
      group.receive(piece(s, next++), rank);
    });
  }
  group.finish();
}

void exchange_segments(CudaContext& context, const SplitSequences& splits, const AttentionProblem& problem,
                       float* pieces, std::int64_t size) {
  SequenceGroup& group = splits.group();
  const std::int64_t m = problem.landmarks;
  const auto piece = [&](std::size_t s, int p) { return pieces + place_of(s, p) * m * size; };
  const auto sums_of = [&](std::size_t s, int p, const RowRange& rows) {
    const std::int64_t n = splits[s].length, first = segment_of(rows.begin, n, m);
    return bytes_of(piece(s, p) + first * size, (segment_of(rows.end - 1, n, m) + 1 - first) * size);
  };
  for (std::size_t s = 0; s < splits.size(); ++s)
    splits.for_others(splits[s], [&](int rank, RowRange) {
      group.send(sums_of(s, problem.splits[s].mine, splits[s].rows), rank);
    });
  for (std::size_t s = 0; s < splits.size(); ++s) {
    int next = 0;
    splits.for_others(splits[s], [&](int rank, RowRange rows) {
      if (next == problem.splits[s].mine) ++next;
      fill_zero(context, Tensor(piece(s, next), DType::kF32, {m * size}));
      group.receive(sums_of(s, next++, rows), rank);
    });
  }
  group.finish();
}

template <class T>
Halos<T> exchange_halos(CudaContext& context, const SplitSequences& splits, const AttentionProblem& problem,
                        const T* x, std::int64_t stride, std::int64_t column, float* memory) {
  const std::int64_t reach = problem.taps / 2,
                     channels = static_cast<std::int64_t>(problem.heads) * problem.width;
  Halos<T> halos;
  if (reach == 0) return halos;
  auto* const edges = reinterpret_cast<T*>(memory);
  launch(context.stream(), blocks(reach, problem), dim3(kThreads), 0, "attention_edges", copy_edges_kernel<T>,
         problem, x + column, stride, edges);
  std::array<EdgeRows<T>, kMaxSplits> rows;
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const auto at = [&](std::int64_t which) {
      return edges + (static_cast<std::int64_t>(s) * 4 + which) * reach * channels;
    };
    rows[s] = {at(0), at(1), at(2), at(3)};
    const RowsBeside beside = rows_beside(splits[s], reach);
    halos.before[s] = rows[s].before;
    halos.after[s] = rows[s].after;
    halos.before_rows[s] = static_cast<int>(beside.before);
    halos.after_rows[s] = static_cast<int>(beside.after);
  }
  exchange_edge_rows(splits, reach, channels, rows);
  return halos;
}

void finish_landmarks(CudaContext& context, const AttentionProblem& problem, const float* sums,
                      float* q_landmarks, float* k_landmarks) {
  launch(context.stream(), blocks(problem.landmarks, problem), dim3(kThreads), 0, "attention_split_landmarks",
         finish_landmarks_kernel, problem, sums, q_landmarks, k_landmarks);
}

void pack_softmaxes(CudaContext& context, const AttentionProblem& problem, const float* parts,
                    const float* part_stats, float* pieces) {
  launch(context.stream(), blocks(blocks_of(problem.landmarks, kPieceRows), problem, problem.heads),
         dim3(kPieceThreads), merge_piece_bytes(problem.max_chunks), "attention_split_softmaxes",
         pack_softmaxes_kernel, problem, parts, part_stats, pieces);
}

void pack_sums(CudaContext& context, const AttentionProblem& problem, const ChunkedSums& sums,
               float* pieces) {
  const auto size = std::int64_t{problem.landmarks} * problem.width;
  launch(context.stream(), blocks(blocks_of(size, kPieceElements), problem, problem.heads),
         dim3(kPieceThreads), 0, "attention_split_sums", pack_sums_kernel, problem, sums, pieces);
}

template Halos<float> exchange_halos(CudaContext&, const SplitSequences&, const AttentionProblem&,
                                     const float*, std::int64_t, std::int64_t, float*);
template Halos<BF16> exchange_halos(CudaContext&, const SplitSequences&, const AttentionProblem&, const BF16*,
                                    std::int64_t, std::int64_t, float*);

}  // namespace nystrom::cuda
