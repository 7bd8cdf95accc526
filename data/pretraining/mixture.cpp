#include "data/pretraining/mixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/pretraining/permutation.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

// Streams of permutations; without a mixture the stream of an epoch is 0.
constexpr std::uint64_t kBlockStream = 1, kFirstCorpusStream = 2;

std::string names_of(std::span<const CorpusSamples> corpora) {
  std::string names;
  for (const auto& corpus : corpora) names += (names.empty() ? "" : ", ") + corpus.name();
  return names;
}

/// By corpus. Every corpus is named once, and nothing else.
std::vector<double> weights_of(const std::vector<MixtureWeight>& weights,
                               std::span<const CorpusSamples> corpora) {
  std::vector<double> values(corpora.size(), -1);
  for (const auto& [name, weight] : weights) {
    const auto corpus = std::ranges::find(corpora, name, &CorpusSamples::name);
    if (corpus == corpora.end())
      refuse("`data.mixture` names {}, but the shards' corpora are {}.", name, names_of(corpora));
    if (!(weight >= 0 && std::isfinite(weight)))
      refuse("`data.mixture`: the weight of {} is {}; it must be at least 0.", name, weight);
    values[static_cast<std::size_t>(corpus - corpora.begin())] = weight;
  }
  for (std::size_t i = 0; i < corpora.size(); ++i) {
    if (values[i] < 0)
      refuse("`data.mixture` does not name {}, which the shards hold. Give it a weight; 0 leaves it out.",
             corpora[i].name());
  }
  return values;
}

/// Whole numbers in proportion to the weights whose sum is `total`: rounded down, the rest to the largest
/// remainders.
std::vector<std::uint64_t> apportion(const std::vector<double>& weights, std::uint64_t total) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::uint64_t> counts(weights.size());
  std::vector<std::pair<double, std::size_t>> remainders;
  std::uint64_t left = total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double exact = weights[i] / sum * static_cast<double>(total);
    counts[i] = static_cast<std::uint64_t>(exact);
    left -= counts[i];
    remainders.emplace_back(static_cast<double>(counts[i]) - exact, i);
  }
  std::ranges::sort(remainders);
  for (std::uint64_t i = 0; i < left; ++i) ++counts[remainders[i].second];
  return counts;
}

}  // namespace

void CorpusSamples::add(std::uint64_t first, std::uint64_t count) {
  if (count == 0) return;
  const bool continues = !runs_.empty() && first == runs_.back().sample + (size_ - runs_.back().place);
  if (!continues) runs_.push_back({size_, first});
  size_ += count;
}

std::uint64_t CorpusSamples::operator[](std::uint64_t place) const {
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), place,
                                      [](std::uint64_t p, const Run& run) { return p < run.place; });
  const Run& run = *(after - 1);
  return run.sample + (place - run.place);
}

Mixture::Mixture(const std::vector<MixtureWeight>& weights, std::span<const CorpusSamples> corpora,
                 std::uint64_t seed, bool shuffle)
    : corpora_(corpora), seed_(seed), shuffle_(shuffle), begins_{0} {
  if (corpora.empty()) refuse("`data.mixture` needs shards that name their corpora; NVIDIA's do not.");
  const auto values = weights_of(weights, corpora);
  if (std::ranges::all_of(values, [](double value) { return value == 0; }))
    refuse("`data.mixture` leaves out every corpus. Give one a weight above 0.");
  const auto counts = apportion(values, kBlock);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (values[i] > 0 && counts[i] == 0)
      refuse("`data.mixture`: the share of {} is below 1/{}. Raise its weight, or set it to 0.",
             corpora[i].name(), kBlock);
    if (counts[i] > 0 && corpora[i].size() == 0)
      refuse("`data.mixture`: corpus {} has no samples; set its weight to 0.", corpora[i].name());
    begins_.push_back(begins_.back() + counts[i]);
  }
}

void Mixture::draw_block(std::uint64_t block) {
  if (block_ == block) return;
  const Permutation slots(seed_, block, kBlock, kBlockStream);
  std::vector<std::uint32_t> seen(corpora_.size(), 0);
  places_.resize(kBlock);
  for (std::uint64_t i = 0; i < kBlock; ++i) {
    const auto after = std::upper_bound(begins_.begin(), begins_.end(), slots(i));
    const auto corpus = static_cast<std::uint32_t>(after - begins_.begin() - 1);
    places_[i] = {corpus, seen[corpus]++};
  }
  block_ = block;
}

std::uint64_t Mixture::operator()(std::uint64_t g) {
  const std::uint64_t block = g / kBlock;
  draw_block(block);
  const auto [corpus, rank] = places_[g % kBlock];
  const CorpusSamples& samples = corpora_[corpus];
  const std::uint64_t place = block * (begins_[corpus + 1] - begins_[corpus]) + rank;
  const std::uint64_t epoch = place / samples.size(), inside = place % samples.size();
  if (!shuffle_) return samples[inside];
  return samples[Permutation(seed_, epoch, samples.size(), kFirstCorpusStream + corpus)(inside)];
}

}  // namespace nystrom
