#pragma once
// Mixture of corpora: sampling weights other than their sizes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace nystrom {

/// The samples that come from one corpus, in the order of the files.
class CorpusSamples {
 public:
  explicit CorpusSamples(std::string name) : name_(std::move(name)) {}

  /// Samples [first, first + count), which come after those that were added.
  void add(std::uint64_t first, std::uint64_t count);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// The sample at `place` < size().
  [[nodiscard]] std::uint64_t operator[](std::uint64_t place) const;

 private:
  struct Run {
    std::uint64_t place, sample;  // of its first
  };
  std::string name_;
  std::vector<Run> runs_;
  std::uint64_t size_ = 0;
};

struct MixtureWeight {
  std::string corpus;
  double weight = 0;
};

/// What a corpus is in a run's stream of samples.
struct SampledCorpus {
  std::string name;
  double share = 0;          ///< of the samples
  std::int64_t samples = 0;  ///< in an epoch of the corpus
};

/// A stream without end in which each corpus has a share of the samples in proportion to its weight, whatever
/// its size. In every block of kBlock samples each corpus has the same integer number of places, shuffled
/// by (seed, block); the samples of a corpus come in its own epochs, each a permutation of all of them. So
/// any place of the stream is found in constant time.
class Mixture {
 public:
  static constexpr std::uint64_t kBlock = std::uint64_t{1} << 16U;

  /// Refuses weights that do not name all of `corpora` and no others, and shares above 0 but below 1/kBlock.
  /// `corpora` must outlive it.
  Mixture(const std::vector<MixtureWeight>& weights, std::span<const CorpusSamples> corpora,
          std::uint64_t seed, bool shuffle);

  /// The sample at place g of the stream. Remembers the block; not thread-safe.
  [[nodiscard]] std::uint64_t operator()(std::uint64_t g);

  /// Of the samples, by corpus; the sum is 1.
  [[nodiscard]] double share(std::size_t corpus) const {
    return static_cast<double>(begins_[corpus + 1] - begins_[corpus]) / static_cast<double>(kBlock);
  }

 private:
  struct Place {
    std::uint32_t corpus, rank;  // rank: places of the block that the corpus has before this one
  };
  void draw_block(std::uint64_t block);

  std::span<const CorpusSamples> corpora_;
  std::uint64_t seed_;
  bool shuffle_;
  std::vector<std::uint64_t> begins_;  // by corpus: its first slot of a block; and kBlock
  std::optional<std::uint64_t> block_;
  std::vector<Place> places_;  // of block_
};

}  // namespace nystrom
