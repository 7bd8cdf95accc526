#pragma once
// LRU cache of blocks of datasets, and columns that are read through
// it. Not thread-safe: one cache and its columns belong to one thread at a time.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/hdf5/hdf5_file.h"

namespace nystrom {

class ChunkCache {
 public:
  explicit ChunkCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// A number for a new column.
  [[nodiscard]] std::uint32_t add_column() { return columns_++; }
  /// The block, or nullptr. Valid until the next `insert`.
  [[nodiscard]] const std::vector<std::byte>* find(std::uint32_t column, std::uint64_t block);
  /// Keeps a block, evicting old ones; the newest stays even if it alone exceeds the capacity.
  const std::vector<std::byte>& insert(std::uint32_t column, std::uint64_t block,
                                       std::vector<std::byte> bytes);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Key {
    std::uint32_t column;
    std::uint64_t block;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      return static_cast<std::size_t>((key.block + (std::uint64_t{key.column} << 40U)) * 0x9E3779B97F4A7C15U);
    }
  };
  struct Entry {
    Key key;
    std::vector<std::byte> bytes;
  };

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::uint32_t columns_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> index_;
};

/// Rows of one dataset, as elements of type T, read in whole chunks through a cache. Its dataset may be taken
/// away and given back (so that not every file needs to be open); cached blocks survive that.
template <class T>
class Column {
 public:
  Column() = default;
  explicit Column(ChunkCache& cache) : cache_(&cache), id_(cache.add_column()) {}

  void attach(hdf5::Dataset dataset) {
    dataset_ = std::move(dataset);
    rows_ = dataset_.rows();
    row_elements_ = dataset_.row_elements();
    const std::uint64_t row_bytes = std::max<std::uint64_t>(row_elements_ * sizeof(T), 1);
    const std::uint64_t max_rows = std::max<std::uint64_t>(kMaxBlockBytes / row_bytes, 1);
    block_rows_ = dataset_.chunk().empty()
                      ? std::clamp<std::uint64_t>(kPlainBlockBytes / row_bytes, 1, max_rows)
                      : std::min(std::max<std::uint64_t>(dataset_.chunk()[0], 1), max_rows);
  }
  void detach() { dataset_ = {}; }

  [[nodiscard]] const hdf5::Dataset& dataset() const { return dataset_; }
  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  [[nodiscard]] std::uint64_t row_elements() const { return row_elements_; }
  [[nodiscard]] std::uint64_t block_rows() const { return block_rows_; }  ///< read together

  /// Appends rows [first, first + count) to `to`.
  void read(std::uint64_t first, std::uint64_t count, std::vector<T>& to) {
    while (count > 0) {
      const std::uint64_t block = first / block_rows_;
      const std::uint64_t begin = first - block * block_rows_;
      const std::uint64_t take = std::min(count, block_rows_ - begin);
      const std::span<const T> rows = load(block);
      const auto from = rows.begin() + static_cast<std::ptrdiff_t>(begin * row_elements_);
      to.insert(to.end(), from, from + static_cast<std::ptrdiff_t>(take * row_elements_));
      first += take;
      count -= take;
    }
  }

 private:
  static constexpr std::uint64_t kPlainBlockBytes = 1U << 15U;  // of a dataset without chunks
  static constexpr std::uint64_t kMaxBlockBytes = 1U << 22U;

  std::span<const T> load(std::uint64_t block) {
    const std::vector<std::byte>* bytes = cache_->find(id_, block);
    if (bytes == nullptr) {
      const std::uint64_t first = block * block_rows_;
      const std::uint64_t count = std::min(block_rows_, rows_ - first);
      std::vector<std::byte> fresh(count * row_elements_ * sizeof(T));
      dataset_.template read_rows<T>(first, count, elements(fresh));
      bytes = &cache_->insert(id_, block, std::move(fresh));
    }
    return {reinterpret_cast<const T*>(bytes->data()), bytes->size() / sizeof(T)};
  }
  static std::span<T> elements(std::vector<std::byte>& bytes) {
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  ChunkCache* cache_ = nullptr;
  std::uint32_t id_ = 0;
  hdf5::Dataset dataset_;
  std::uint64_t rows_ = 0, row_elements_ = 1, block_rows_ = 1;
};

/// The rows of a dataset from first to last, a block at a time, past any cache.
template <class T>
class Scan {
 public:
  explicit Scan(const hdf5::Dataset& dataset) : dataset_(&dataset) {
    const std::uint64_t row_bytes = std::max<std::uint64_t>(dataset.row_elements() * sizeof(T), 1);
    const std::uint64_t chunk = dataset.chunk().empty() ? 1 : std::max<std::uint64_t>(dataset.chunk()[0], 1);
    block_rows_ = std::max<std::uint64_t>(kBlockBytes / row_bytes / chunk, 1) * chunk;
    block_rows_ = std::min(block_rows_, std::max<std::uint64_t>(kMaxBytes / row_bytes, 1));
  }

  /// The next block of rows; empty at the end.
  std::span<const T> next_block() {
    const std::uint64_t count = std::min(block_rows_, dataset_->rows() - row_);
    buffer_.resize(count * dataset_->row_elements());
    dataset_->template read_rows<T>(row_, count, std::span<T>(buffer_));
    row_ += count;
    return buffer_;
  }
  /// The next element. Precondition: there is one.
  T next() {
    if (used_ == buffer_.size()) {
      (void)next_block();
      used_ = 0;
    }
    return buffer_[used_++];
  }

 private:
  static constexpr std::uint64_t kBlockBytes = 1U << 18U, kMaxBytes = 1U << 24U;
  const hdf5::Dataset* dataset_;
  std::uint64_t block_rows_ = 1, row_ = 0;
  std::vector<T> buffer_;
  std::size_t used_ = 0;
};

}  // namespace nystrom
