#pragma once
// Retrieval by cosine similarity: the ranks of a query's relevant documents. Definitions of MTEB and
// sentence-transformers' InformationRetrievalEvaluator, with binary relevance.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nystrom {

/// Vectors scaled to length 1; zeros stay zeros.
class UnitVectors {
 public:
  /// Keeps the first `size` components of each.
  explicit UnitVectors(std::size_t size) : size_(size) {}

  void add(std::span<const float> vector);
  [[nodiscard]] std::size_t count() const { return values_.size() / size_; }
  [[nodiscard]] std::span<const float> operator[](std::size_t i) const {
    return std::span(values_).subspan(i * size_, size_);
  }

 private:
  std::size_t size_;
  std::vector<float> values_;
};

/// Of two unit vectors of one size; -2 (below every cosine) if a component is NaN.
[[nodiscard]] float cosine(std::span<const float> a, std::span<const float> b);

/// For each query the indices of its relevant documents, or their ranks.
using Relevance = std::vector<std::vector<std::size_t>>;

/// For each query the ranks, from 1, of its relevant documents among all; ties in order of index.
[[nodiscard]] Relevance ranks_of(const UnitVectors& queries, const UnitVectors& documents,
                                 const Relevance& relevant);

// Means over queries; NaN without queries.
/// The share of a query's relevant documents with a rank of at most k.
[[nodiscard]] double recall_at(std::size_t k, const Relevance& ranks);
/// 1 / the best rank of a relevant document; 0 beyond k.
[[nodiscard]] double reciprocal_rank_at(std::size_t k, const Relevance& ranks);
/// The sum of 1 / log2(rank + 1) over ranks of at most k, divided by its maximum.
[[nodiscard]] double ndcg_at(std::size_t k, const Relevance& ranks);

}  // namespace nystrom
