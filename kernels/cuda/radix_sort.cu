// Stable radix sort (radix_sort.h): a pass counts the digits of each tile of 2048 rows, turns the counts into
// places by a prefix sum over (digit, tile), and places the rows; a warp ranks 32 rows at once by ballots.
// Bytes: about 20 a row, table and pass; launches bound it (6 of about 3 us for keys below 65,536).
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/radix_sort.h"

#include <utility>

#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kThreads = 256, kDigits = 256, kWarps = kThreads / kWarp;
constexpr int kRounds = 8;  // rows a thread
constexpr std::int64_t kTile = std::int64_t{kThreads} * kRounds;

struct Pass {
  SortTables tables;
  const std::int32_t* from[kSortTables];  // rows in the order of the pass before; null: 0, 1, 2, ...
  std::int32_t* to[kSortTables];
  std::int64_t tiles;
  int shift;
  bool last;  // also writes the sorted keys
};

__device__ std::int32_t row_at(const Pass& p, int table, std::int64_t at) {
  return p.from[table] == nullptr ? static_cast<std::int32_t>(at) : p.from[table][at];
}
__device__ int digit_of(const Pass& p, std::int32_t key) {
  return static_cast<int>(static_cast<std::uint32_t>(key) >> static_cast<std::uint32_t>(p.shift)) % kDigits;
}
__device__ std::int32_t* counts_of(const Pass& p, int table) {
  return p.tables.counts + table * kDigits * p.tiles;  // [kDigits, tiles]
}

// Grid: tiles, tables. Integer atomics give the same counts in any order.
__global__ void count_digits_kernel(Pass p) {
  int* counts = shared_memory<int>();  // [kDigits]
  const int thread = static_cast<int>(threadIdx.x), table = static_cast<int>(blockIdx.y);
  counts[thread] = 0;
  __syncthreads();
  const std::int64_t begin = std::int64_t{blockIdx.x} * kTile;
  for (int round = 0; round < kRounds; ++round) {
    const std::int64_t at = begin + round * kThreads + thread;
    if (at < p.tables.count) atomicAdd(&counts[digit_of(p, p.tables.keys[table][row_at(p, table, at)])], 1);
  }
  __syncthreads();
  counts_of(p, table)[thread * p.tiles + blockIdx.x] = counts[thread];
}

// Grid: 1, tables. counts[digit][tile] becomes the place of the first such row.
__global__ void scan_counts_kernel(Pass p) {
  int* sums = shared_memory<int>();  // [kThreads]
  const int thread = static_cast<int>(threadIdx.x);
  std::int32_t* counts = counts_of(p, static_cast<int>(blockIdx.y)) + thread * p.tiles;  // of one digit
  int mine = 0;
  for (std::int64_t tile = 0; tile < p.tiles; ++tile) mine += counts[tile];
  sums[thread] = mine;
  __syncthreads();
  for (int reach = 1; reach < kThreads; reach *= 2) {
    const int before = thread >= reach ? sums[thread - reach] : 0;
    __syncthreads();
    sums[thread] += before;
    __syncthreads();
  }
  int place = sums[thread] - mine;
  for (std::int64_t tile = 0; tile < p.tiles; ++tile) place += std::exchange(counts[tile], place);
}

/// Lanes of the warp whose digit is this lane's; `taken`: whether this lane has a row.
__device__ unsigned lanes_alike(int digit, bool taken) {
  unsigned alike = __ballot_sync(kFullMask, taken);
  for (int bit = 0; bit < 8; ++bit) {
    const bool set = (digit >> bit & 1) != 0;
    const unsigned votes = __ballot_sync(kFullMask, set);
    alike &= set ? votes : ~votes;
  }
  return alike;
}

// Grid: tiles, tables. Warp w has rows [256 w, 256 (w + 1)) of the tile, so that the order of rows is kept.
__global__ void place_rows_kernel(Pass p) {
  int* places = shared_memory<int>();  // [kWarps, kDigits]
  const int thread = static_cast<int>(threadIdx.x), table = static_cast<int>(blockIdx.y);
  const int lane = lane_index(), warp = warp_index();
  const std::int32_t* keys = p.tables.keys[table];
  int* mine = places + warp * kDigits;
  for (int w = 0; w < kWarps; ++w) places[w * kDigits + thread] = 0;
  __syncthreads();
  const std::int64_t begin = std::int64_t{blockIdx.x} * kTile + warp * kWarp * kRounds;
  for (int round = 0; round < kRounds; ++round) {
    const std::int64_t at = begin + round * kWarp + lane;
    if (at < p.tables.count) atomicAdd(&mine[digit_of(p, keys[row_at(p, table, at)])], 1);
  }
  __syncthreads();
  int place = counts_of(p, table)[thread * p.tiles + blockIdx.x];
  for (int w = 0; w < kWarps; ++w) place += std::exchange(places[w * kDigits + thread], place);
  __syncthreads();
  for (int round = 0; round < kRounds; ++round) {
    const std::int64_t at = begin + round * kWarp + lane;
    const bool taken = at < p.tables.count;
    const std::int32_t row = taken ? row_at(p, table, at) : 0;
    const std::int32_t key = taken ? keys[row] : 0;
    const int digit = digit_of(p, key);
    const unsigned alike = lanes_alike(digit, taken);
    const int before = __popc(alike & ((1U << static_cast<unsigned>(lane)) - 1U));
    if (taken) {
      const int to = mine[digit] + before;
      p.to[table][to] = row;
      if (p.last) p.tables.sorted[table][to] = key;
    }
    __syncwarp();
    if (taken && before == 0) mine[digit] += __popc(alike);
    __syncwarp();
  }
}

}  // namespace

std::int64_t sort_tiles(std::int64_t count) {
  return (count + kTile - 1) / kTile;
}

void sort_rows(CudaContext& context, const SortTables& tables) {
  Pass pass{
      .tables = tables, .from = {}, .to = {}, .tiles = sort_tiles(tables.count), .shift = 0, .last = false};
  const dim3 grid(static_cast<unsigned>(pass.tiles), kSortTables);
  for (int index = 0; index < tables.passes; ++index) {
    pass.shift = 8 * index;
    pass.last = index + 1 == tables.passes;
    const bool to_order = (tables.passes - index) % 2 == 1;  // so that the last pass writes `order`
    for (int t = 0; t < kSortTables; ++t) {
      pass.to[t] = to_order ? tables.order[t] : tables.other[t];
      if (index > 0) pass.from[t] = to_order ? tables.other[t] : tables.order[t];
    }
    launch(context.stream(), grid, dim3(kThreads), sizeof(int) * kDigits, "sort_count", count_digits_kernel,
           pass);
    launch(context.stream(), dim3(1, kSortTables), dim3(kThreads), sizeof(int) * kThreads, "sort_scan",
           scan_counts_kernel, pass);
    launch(context.stream(), grid, dim3(kThreads), sizeof(int) * kDigits * kWarps, "sort_place",
           place_rows_kernel, pass);
  }
}

}  // namespace nystrom::cuda
