#include "data/tasks/metrics/retrieval.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nystrom {
namespace {

constexpr std::size_t kLanes = 16;  // sums side by side, which the compiler keeps in vector registers

template <class OfQuery>
double mean_over(const Relevance& ranks, const OfQuery& of_query) {
  double sum = 0;
  for (const auto& of : ranks) sum += of_query(of);
  return sum / static_cast<double>(ranks.size());
}

double gain(std::size_t rank) {
  return 1 / std::log2(static_cast<double>(rank) + 1);
}

}  // namespace

void UnitVectors::add(std::span<const float> vector) {
  double squares = 0;
  for (const float x : vector.first(size_)) squares += static_cast<double>(x) * static_cast<double>(x);
  const double scale = squares == 0 ? 0 : 1 / std::sqrt(squares);
  for (const float x : vector.first(size_))
    values_.push_back(static_cast<float>(static_cast<double>(x) * scale));
}

float cosine(std::span<const float> a, std::span<const float> b) {
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (std::size_t lane = 0; i < a.size(); ++i, ++lane) sums[lane] += a[i] * b[i];
  float sum = 0;
  for (const float part : sums) sum += part;
  return std::isnan(sum) ? -2 : sum;
}

Relevance ranks_of(const UnitVectors& queries, const UnitVectors& documents, const Relevance& relevant) {
  Relevance ranks;
  std::vector<float> similar(documents.count());
  for (std::size_t q = 0; q < relevant.size(); ++q) {
    for (std::size_t d = 0; d < similar.size(); ++d) similar[d] = cosine(queries[q], documents[d]);
    std::vector<std::size_t>& of_query = ranks.emplace_back();
    for (const std::size_t own : relevant[q]) {
      std::size_t rank = 1;
      for (std::size_t d = 0; d < similar.size(); ++d)
        rank += similar[d] > similar[own] || (similar[d] == similar[own] && d < own) ? 1 : 0;
      of_query.push_back(rank);
    }
  }
  return ranks;
}

double recall_at(std::size_t k, const Relevance& ranks) {
  return mean_over(ranks, [k](const auto& of) {
    const auto found = std::ranges::count_if(of, [k](std::size_t rank) { return rank <= k; });
    return static_cast<double>(found) / static_cast<double>(of.size());
  });
}

double reciprocal_rank_at(std::size_t k, const Relevance& ranks) {
  return mean_over(ranks, [k](const auto& of) {
    const std::size_t first = *std::ranges::min_element(of);
    return first <= k ? 1 / static_cast<double>(first) : 0;
  });
}

double ndcg_at(std::size_t k, const Relevance& ranks) {
  return mean_over(ranks, [k](const auto& of) {
    double found = 0, most = 0;
    for (const std::size_t rank : of) found += rank <= k ? gain(rank) : 0;
    for (std::size_t rank = 1; rank <= std::min(k, of.size()); ++rank) most += gain(rank);
    return found / most;
  });
}

}  // namespace nystrom
