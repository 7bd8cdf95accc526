#include "kernels/cpu/products/slab.h"

#include <algorithm>

#include "kernels/tensor/buffer.h"

namespace nystrom {
namespace {

constexpr std::int64_t kMaxRows = 2048;       // of a that are packed at a time, of a wide product
constexpr std::int64_t kMaxPacked = 1 << 22;  // words of a that are packed at a time
constexpr std::int64_t kNarrow = 512;         // columns up to which b is packed again for every 1 MiB of a
constexpr std::int64_t kNear = 1 << 19;       // words of a that stay in the second cache
constexpr std::int64_t kGroup = 8;            // most panels of b that a thread packs at a time
constexpr std::int64_t kGroupWords = kGroup * kMaxTile * 384;
constexpr std::int64_t kChunksPerThread = 6;                       // at least, where there are as many panels
constexpr std::int64_t kMinRows = 512;                             // that a panel of b is packed for
constexpr std::int64_t kSmall = 1 << 17;                           // words of b that are packed as a whole
constexpr std::int64_t kPanelWords = kMaxTile * kMaxRoundedK / 2;  // of the longest block
static_assert(kPanelWords <= kGroupWords, "a panel of the longest block does not fit");

constexpr std::int64_t parts(std::int64_t count, std::int64_t most) {
  return (count + most - 1) / most;
}

/// [0, count) in `parts` parts that differ by one at most, the last being one of the longest.
struct Cut {
  std::int64_t count, parts;
  [[nodiscard]] std::int64_t begin(std::int64_t part) const { return count * part / parts; }
  [[nodiscard]] std::int64_t length(std::int64_t part) const { return begin(part + 1) - begin(part); }
};

/// A product, its k in blocks of `block` numbers.
class Blocks {
 public:
  Blocks(const Product& product, const ProductKernels& kernels, std::int64_t block)
      : product_(product), kernels_(kernels), block_(block), count_(parts(product.k, block)) {}

 protected:
  [[nodiscard]] std::int64_t words(std::int64_t numbers) const {
    return parts(numbers * kernels_.number, kWord * kernels_.multiple) * kernels_.multiple;
  }
  [[nodiscard]] std::int64_t length_of(std::int64_t block) const {
    return std::min(block_, product_.k - block * block_);
  }
  void pack_a(std::int64_t row, std::int64_t rows, std::int64_t block, std::byte* to) const {
    kernels_.pack_a(product_.a.from(row, block * block_), rows, length_of(block), to, rows);
  }
  void pack_b(std::int64_t column, std::int64_t columns, std::int64_t block, std::byte* to) const {
    kernels_.pack_b(product_.b.from(column, block * block_), columns, length_of(block), to,
                    kernels_.tile_columns);
  }
  /// Where lanes from `lane` on of a block are, of `lanes` lanes that are packed as a whole.
  [[nodiscard]] std::byte* packed(std::byte* all, std::int64_t lanes, std::int64_t lane,
                                  std::int64_t block) const {
    return all + (block * words(block_) * lanes + lane * words(length_of(block))) * kWord;
  }
  /// One panel of `rows` rows from `row` on, by panels of columns [column, column + columns).
  void multiply_panel(std::int64_t row, std::int64_t rows, const std::byte* a, std::int64_t column,
                      std::int64_t columns, const std::byte* b, std::int64_t block) const {
    const bool begins = block == 0 && !product_.accumulate;
    const std::int64_t width = kernels_.tile_columns;
    ProductTile t{.words = words(length_of(block)),
                  .a = a,
                  .b = b,
                  .bias = nullptr,
                  .add = !begins,
                  .c = product_.c + (row * product_.c_row + column) * kernels_.result,
                  .c_row = product_.c_row,
                  // The tiles of one panel of a fetch the next one, which may be in the L3 cache.
                  .ahead = a + kernels_.tile_rows * words(length_of(block)) * kWord,
                  .step = (kernels_.tile_rows * width / columns + 1) * kWord};
    for (std::int64_t j = 0; j < columns; j += width) {
      if (begins && product_.bias != nullptr) t.bias = product_.bias + column + j;
      kernels_.multiply(t, rows, std::min(width, columns - j));
      t.b += width * t.words * kWord;
      t.c += width * kernels_.result;
      t.ahead += t.words * t.step;
    }
  }

  /// multiply() on some threads: body(i) for i in [0, count).
  template <class Body>
  void multiply_all(Context& context, std::int64_t count, const Body& body) const {
    parallel_for(context, count, 1, [&](std::int64_t begin, std::int64_t end) {
      if (kernels_.begin != nullptr) kernels_.begin();
      for (std::int64_t i = begin; i < end; ++i) body(i);
      if (kernels_.end != nullptr) kernels_.end();
    });
  }

  const Product& product_;
  const ProductKernels& kernels_;
  std::int64_t block_, count_;
};

/// A part of a product whose part of a fits into the workspace when packed: all threads pack it, then each
/// packs some panels of b after another and multiplies them.
class Slab : Blocks {
 public:
  Slab(const Product& product, const ProductKernels& kernels, std::int64_t block, std::byte* memory)
      : Blocks(product, kernels, block),
        packed_(memory),
        rows_{product.m, parts(product.m, kernels.tile_rows)} {}

  void run(Context& context) const {
    parallel_for(context, rows_.parts * count_, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t panel = i / count_, block = i % count_;
        pack_a(rows_.begin(panel), rows_.length(panel), block, packed_a(panel, block));
      }
    });
    const std::int64_t width = kernels_.tile_columns, panels = parts(product_.n, width);
    const std::int64_t wanted = context.threads() == 1 ? 1 : kChunksPerThread * context.threads();
    const std::int64_t max_down = parts(product_.m, kMinRows);
    std::int64_t wide = std::clamp<std::int64_t>(kGroupWords / (width * words(block_)), 1, kGroup);
    while (wide > 1 && parts(panels, wide) * max_down < wanted) wide /= 2;
    const std::int64_t groups = parts(panels, wide);
    const Cut down{rows_.parts, std::min({parts(wanted, groups), max_down, rows_.parts})};
    multiply_all(context, groups * down.parts, [&](std::int64_t i) {
      const std::int64_t part = i % down.parts, column = i / down.parts * wide * width;
      multiply_group(down.begin(part), down.begin(part + 1), column,
                     std::min(wide * width, product_.n - column));
    });
  }

 private:
  /// Panels of rows [first, last) by columns [column, column + columns).
  void multiply_group(std::int64_t first, std::int64_t last, std::int64_t column,
                      std::int64_t columns) const {
    alignas(64) std::byte panels[kGroupWords * kWord];
    for (std::int64_t block = 0; block < count_; ++block) {
      pack_b(column, columns, block, panels);
      for (std::int64_t i = first; i < last; ++i)
        multiply_panel(rows_.begin(i), rows_.length(i), packed_a(i, block), column, columns, panels, block);
    }
  }
  [[nodiscard]] std::byte* packed_a(std::int64_t panel, std::int64_t block) const {
    return packed(packed_, rows_.parts * kernels_.tile_rows, panel * kernels_.tile_rows, block);
  }

  std::byte* packed_;
  Cut rows_;
};

/// A product whose b is small: all threads pack it, then each packs some rows after another and multiplies
/// them, so that no thread reads from another one's cache what that has packed of a.
class SmallProduct : Blocks {
 public:
  SmallProduct(const Product& product, const ProductKernels& kernels, std::int64_t block, std::byte* memory)
      : Blocks(product, kernels, block), packed_(memory) {}

  void run(Context& context) const {
    const std::int64_t width = kernels_.tile_columns, panels = parts(product_.n, width);
    parallel_for(context, panels * count_, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t column = i % panels * width, block = i / panels;
        pack_b(column, std::min(width, product_.n - column), block,
               packed(packed_, panels * width, column, block));
      }
    });
    const Cut rows{product_.m, parts(product_.m, kernels_.tile_rows)};
    multiply_all(context, rows.parts, [&](std::int64_t i) {
      alignas(64) std::byte panel[kPanelWords * kWord];
      for (std::int64_t block = 0; block < count_; ++block) {
        pack_a(rows.begin(i), rows.length(i), block, panel);
        multiply_panel(rows.begin(i), rows.length(i), panel, 0, product_.n,
                       packed(packed_, panels * width, 0, block), block);
      }
    });
  }

 private:
  std::byte* packed_;
};

/// Of the calling thread, at least as large as asked for.
std::byte* workspace(std::int64_t words) {
  static thread_local Buffer buffer;
  const auto bytes = static_cast<std::size_t>(words * kWord);
  if (buffer.bytes() < bytes) buffer = Buffer(bytes);
  return buffer.data();
}

}  // namespace

void multiply(Context& context, const Product& product, const ProductKernels& kernels) {
  const std::int64_t per_word = kWord / kernels.number, tile_rows = kernels.tile_rows;
  const std::int64_t all = parts(product.k, per_word * kernels.multiple) * kernels.multiple;
  const bool once = kernels.result < kWord;  // rounded: sums of blocks are not kept
  const std::int64_t block = once ? std::max(all, kernels.block) : kernels.block;
  const std::int64_t width = kernels.tile_columns, columns = parts(product.n, width) * width;
  if (product.m >= kMinRows && columns * all <= kSmall)
    return SmallProduct(product, kernels, block * per_word, workspace(columns * all)).run(context);
  std::int64_t most = std::min(kMaxRows, std::max(kMaxPacked / block, tile_rows));
  if (product.n <= kNarrow) most = std::min(most, std::max(kNear / 2 / std::min(all, block), tile_rows));
  const Cut rows{product.m, parts(product.m, most)};
  const std::int64_t longest = parts(rows.length(rows.parts - 1), tile_rows) * tile_rows;
  const std::int64_t length = std::max<std::int64_t>(kNear / (longest * block), 1) * block;
  std::byte* memory = workspace(longest * std::min(length, all));
  for (std::int64_t i = 0; i < rows.parts; ++i)
    for (std::int64_t p = 0; p * per_word < product.k; p += length) {
      Product part = product;
      part.m = rows.length(i);
      part.k = std::min(length * per_word, product.k - p * per_word);
      part.a = product.a.from(rows.begin(i), p * per_word);
      part.b = product.b.from(0, p * per_word);
      part.c += rows.begin(i) * product.c_row * kernels.result;
      part.accumulate = product.accumulate || p > 0;
      Slab(part, kernels, block * per_word, memory).run(context);
    }
}

}  // namespace nystrom
