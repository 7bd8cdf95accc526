// Buckets of reformer attention on the CPU.

#include "kernels/cpu/attention/work_split.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

/// Memory of one thread.
template <class C>
struct HashMemory {
  HashMemory(WorkspaceAllocator<C>& allocator, Index width, Index most)
      : rotations(allocator.tile(most, width)),
        rotations_t(allocator.tile(width, most)),
        q(allocator.tile(kTileRows, width)),
        x(allocator.tile(kTileRows, most)) {}
  Tile<C> rotations;    ///< [R, D]
  Tile<C> rotations_t;  ///< [D, R]
  Tile<C> q;            ///< [kTileRows, D]
  Tile<C> x;            ///< [kTileRows, R]
};

template <class C>
Index thread_elements(Index width, Index rotations) {
  WorkspaceAllocator<C> counter(nullptr);
  const HashMemory<C> memory(counter, width, rotations);
  return counter.used();
}

/// argmax over (x, -x), the first of equals.
template <class C>
std::int32_t bucket_of(const C* x, Index count) {
  const C* const largest = std::max_element(x, x + count);
  const C* const smallest = std::min_element(x, x + count);
  return static_cast<std::int32_t>(-*smallest > *largest ? count + (smallest - x) : largest - x);
}

}  // namespace

Index reformer_hash_workspace(Index chunk, const AttentionLimits& limits) {
  return limits.threads * thread_elements<float>(limits.width(), reformer_buckets(limits.longest, chunk) / 2);
}

void reformer_hash(Context& context, const ReformerHash& args) {
  const Index rounds = args.buckets.dim(0), tokens = args.buckets.dim(2), width = args.rotations.dim(3);
  const Index most = args.rotations.dim(2), items = args.sequences.count * args.heads;
  const auto* const offsets = args.sequences.offsets.data<std::int32_t>();
  dispatch_float(args.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto& ops = tile_ops<T>();
    const Index room = thread_elements<C>(width, most);
    NYSTROM_CHECK(room * context.threads() <= args.workspace.numel(),
                  "hashing of {} sequences by {} rotations needs a workspace of {} elements, not {}",
                  args.sequences.count, most, room * context.threads(), args.workspace.numel());
    parallel_items(context, rounds * items, [&](Index i, int thread) {
      const Index round = i / items, b = i % items / args.heads, h = i % args.heads;
      const Index rows = offsets[b + 1] - offsets[b], half = reformer_buckets(rows, args.chunk) / 2;
      WorkspaceAllocator<C> allocator(args.workspace.data<C>() + thread * room);
      const HashMemory<C> memory(allocator, width, most);
      ops.unpack(args.rotations.data<C>() + (round * args.heads + h) * most * width, half, width,
                 memory.rotations);
      ops.transpose(memory.rotations, half, width, C(1), memory.rotations_t);
      const HeadTask head{.batch = b, .head = h, .begin = offsets[b], .rows = rows, .keys = rows};
      auto* const to = args.buckets.data<std::int32_t>() + (round * args.heads + h) * tokens + offsets[b];
      for (Index first = 0; first < rows; first += kTileRows) {
        const Index count = std::min(kTileRows, rows - first);
        ops.load_rows(head.of<const T>(args.qkv, width, args.heads), rows, first, count, memory.q);
        multiply(count, half, width, memory.q, memory.rotations_t, memory.x);
        for (Index j = 0; j < count; ++j) to[first + j] = bucket_of(memory.x.row(j), half);
      }
    });
  });
}

}  // namespace nystrom::cpu
