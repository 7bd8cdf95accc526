#include "kernels/cpu/products/fp32.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/products/fp32.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/products/panels-inl.h"
#include "kernels/cpu/products/tile_fp32-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kBlock = 384;          // of k
constexpr std::int64_t kMaxRows = 2048;       // of a that are packed at a time, of a wide product
constexpr std::int64_t kNarrow = 512;         // columns up to which b is packed again for every 1 MiB of a
constexpr std::int64_t kNear = 1 << 19;       // elements of a that stay in the second cache
constexpr std::int64_t kGroup = 8;            // most panels of b that a thread packs at a time
constexpr std::int64_t kChunksPerThread = 6;  // at least, where there are as many panels
constexpr std::int64_t kMinRows = 512;        // that a panel of b is packed for

constexpr std::int64_t parts(std::int64_t count, std::int64_t most) {
  return (count + most - 1) / most;
}

/// [0, count) in `parts` parts that differ by one at most, the last being one of the longest.
struct Cut {
  std::int64_t count, parts;
  [[nodiscard]] std::int64_t begin(std::int64_t part) const { return count * part / parts; }
  [[nodiscard]] std::int64_t length(std::int64_t part) const { return begin(part + 1) - begin(part); }
};

/// A part of a product whose part of a fits into the workspace when packed.
class Slab {
 public:
  Slab(const ProductFp32& args, float* memory)
      : args_(args),
        packed_(memory),
        rows_{args.m, parts(args.m, kTileRows)},
        blocks_(parts(args.k, kBlock)) {}

  void run(Context& context) const {
    parallel_for(context, rows_.parts * blocks_, 1, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
      for (std::int64_t i = begin; i < end; ++i) pack_a(i / blocks_, i % blocks_);
    });
    const std::int64_t panels = parts(args_.n, kTileColumns);
    const std::int64_t wanted = context.threads() == 1 ? 1 : kChunksPerThread * context.threads();
    const std::int64_t max_down = parts(args_.m, kMinRows);
    std::int64_t wide = kGroup;
    while (wide > 1 && parts(panels, wide) * max_down < wanted) wide /= 2;
    const std::int64_t groups = parts(panels, wide);
    const Cut down{rows_.parts, std::min({parts(wanted, groups), max_down, rows_.parts})};
    parallel_for(context, groups * down.parts, 1, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t part = i % down.parts, column = i / down.parts * wide * kTileColumns;
        multiply(down.begin(part), down.begin(part + 1), column,
                 std::min(wide * kTileColumns, args_.n - column));
      }
    });
  }

 private:
  void pack_a(std::int64_t panel, std::int64_t block) const {
    const StridedMatrix& a = args_.a;
    const std::int64_t row = rows_.begin(panel), rows = rows_.length(panel);
    pack_panels(a.data + row * a.row + block * kBlock * a.column, a.row, a.column, rows, length_of(block),
                packed_a(panel, block), rows);
  }

  /// Panels of rows [first, last) by columns [column, column + columns).
  HWY_NOINLINE void multiply(std::int64_t first, std::int64_t last, std::int64_t column,
                             std::int64_t columns) const {
    alignas(64) float panels[kGroup * kTileColumns * kBlock];
    const StridedMatrix& b = args_.b;
    for (std::int64_t block = 0; block < blocks_; ++block) {
      const std::int64_t length = length_of(block);
      pack_panels(b.data + column * b.column + block * kBlock * b.row, b.column, b.row, columns, length,
                  panels, kTileColumns);
      for (std::int64_t i = first; i < last; ++i)
        for (std::int64_t j = 0; j < columns; j += kTileColumns) {
          TileFp32 t = tile(i, column + j, block);
          t.b = panels + j * length;
          // The tiles of one panel of a fetch the next one, which may be in the L3 cache.
          t.step = kTileRows * kTileColumns / columns + 1;
          t.ahead = t.a + rows_.length(i) * length + j / kTileColumns * length * t.step;
          any_tile(t, rows_.length(i), std::min(kTileColumns, columns - j));
        }
    }
  }

  /// All but b and what to fetch.
  [[nodiscard]] TileFp32 tile(std::int64_t i, std::int64_t column, std::int64_t block) const {
    float* c = args_.c + rows_.begin(i) * args_.c_row + column;
    TileFp32 t{.length = length_of(block),
               .a = packed_a(i, block),
               .b = nullptr,
               .before = c,
               .before_row = args_.c_row,
               .c = c,
               .c_row = args_.c_row,
               .ahead = nullptr,
               .step = 0};
    if (block == 0 && !args_.accumulate) {
      t.before = args_.bias == nullptr ? nullptr : args_.bias + column;
      t.before_row = 0;
    }
    return t;
  }

  [[nodiscard]] std::int64_t length_of(std::int64_t block) const {
    return std::min(kBlock, args_.k - block * kBlock);
  }
  [[nodiscard]] float* packed_a(std::int64_t i, std::int64_t block) const {
    return packed_ + block * kBlock * args_.m + rows_.begin(i) * length_of(block);
  }

  const ProductFp32& args_;
  float* packed_;
  Cut rows_;
  std::int64_t blocks_;
};

/// Of the calling thread, made when it first multiplies.
float* workspace() {
  static thread_local const Buffer buffer(kMaxRows * kBlock * sizeof(float));
  return reinterpret_cast<float*>(buffer.data());
}

void product_all(Context& context, const ProductFp32& args) {
  const std::int64_t most =
      args.n <= kNarrow ? std::min(kMaxRows, kNear / 2 / std::min(args.k, kBlock)) : kMaxRows;
  const Cut rows{args.m, parts(args.m, most)};
  const std::int64_t length =
      std::max<std::int64_t>(kNear / (rows.length(rows.parts - 1) * kBlock), 1) * kBlock;
  float* memory = workspace();
  for (std::int64_t i = 0; i < rows.parts; ++i)
    for (std::int64_t p = 0; p < args.k; p += length) {
      ProductFp32 part = args;
      part.m = rows.length(i);
      part.k = std::min(length, args.k - p);
      part.a.data += rows.begin(i) * args.a.row + p * args.a.column;
      part.b.data += p * args.b.row;
      part.c += rows.begin(i) * args.c_row;
      part.accumulate = args.accumulate || p > 0;
      Slab(part, memory).run(context);
    }
}

}  // namespace
}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nystrom {

HWY_EXPORT(product_all);

void product_fp32(Context& context, const ProductFp32& args) {
  HWY_DYNAMIC_DISPATCH(product_all)(context, args);
}

}  // namespace nystrom
#endif
