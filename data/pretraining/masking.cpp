#include "data/pretraining/masking.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace nystrom {
namespace {

constexpr std::size_t kMaxSpanLength = 10;
constexpr std::int32_t kMaxWordTokens = 20;  // tokens; a longer run without a word's beginning is none

// P(length <= l) for the geometric distribution with p = 0.2, up to kMaxSpanLength. Products, not powers:
// the same bits on every machine.
constexpr std::array<double, kMaxSpanLength> span_distribution() {
  std::array<double, kMaxSpanLength> below{};
  double mass = 0.2, sum = 0;
  for (double& b : below) {
    sum += mass;
    mass *= 0.8;
    b = sum;
  }
  for (double& b : below) b /= sum;
  return below;
}

std::size_t span_length(Random& random) {
  static constexpr auto kDistribution = span_distribution();
  const double u = random.uniform();
  const auto at = std::upper_bound(kDistribution.begin(), kDistribution.end() - 1, u);
  return static_cast<std::size_t>(at - kDistribution.begin()) + 1;
}

bool is_share(double x) {
  return x >= 0 && x <= 1;
}

}  // namespace

Masker::Masker(const Masking& masking, const SpecialIds& special, std::int64_t vocabulary_size,
               std::vector<bool> starts_word, std::uint64_t seed)
    : masking_(masking),
      special_(special),
      vocabulary_size_(vocabulary_size),
      starts_word_(std::move(starts_word)),
      seed_(seed) {
  if (!is_share(masking.probability))
    refuse("`data.masking.probability` is {}; it must be from 0 to 1.", masking.probability);
  if (!is_share(masking.mask) || !is_share(masking.random) || masking.mask + masking.random > 1 + 1e-9)
    refuse(
        "`data.masking.mask` is {} and `data.masking.random` is {}; they are shares of the chosen tokens, together "
        "at most 1.",
        masking.mask, masking.random);
  if (masking.unit == MaskUnit::kWord && starts_word_.empty())
    refuse("`data.masking.unit: word` needs the tokenizer, which knows where words begin.");
  for (auto id : special.ids())
    if (id >= 0 && id < vocabulary_size) special_sorted_.push_back(id);
  std::sort(special_sorted_.begin(), special_sorted_.end());
  special_sorted_.erase(std::unique(special_sorted_.begin(), special_sorted_.end()), special_sorted_.end());
  if (std::ssize(special_sorted_) >= vocabulary_size)
    refuse("A vocabulary of {} has only special tokens.", vocabulary_size);
}

std::int64_t Masker::count(std::int64_t tokens) const {
  if (masking_.probability <= 0 || tokens <= 0) return 0;
  return std::max<std::int64_t>(1, std::llround(masking_.probability * static_cast<double>(tokens)));
}

void Masker::apply(std::uint64_t key, std::vector<std::int32_t>& ids, std::vector<std::int32_t>& positions,
                   std::vector<std::int32_t>& labels) {
  positions.clear();
  labels.clear();
  chosen_.clear();
  find_units(ids);
  const std::int64_t budget = count(tokens_);
  if (budget == 0) return;
  Random random(seed_, Purpose::kMasking, key);
  if (masking_.unit == MaskUnit::kSpan) {
    Random spans(seed_, Purpose::kSpan, key);
    choose_spans(spans, budget);
  } else {
    choose_units(random, budget);
  }
  std::sort(chosen_.begin(), chosen_.end(), [](const Group& a, const Group& b) { return a.begin < b.begin; });
  for (const Group& group : chosen_) {
    Action action = draw_action(random);
    for (std::int32_t position = group.begin; position < group.end; ++position) {
      if (position != group.begin && masking_.unit != MaskUnit::kSpan) action = draw_action(random);
      auto& id = ids[static_cast<std::size_t>(position)];
      positions.push_back(position);
      labels.push_back(id);
      if (action == Action::kMask) id = special_.mask;
      if (action == Action::kRandom) id = draw_token(random);
    }
  }
}

void Masker::find_units(std::span<const std::int32_t> ids) {
  const bool words = masking_.unit != MaskUnit::kToken && !starts_word_.empty();
  units_.clear();
  tokens_ = 0;
  const auto close = [this] {
    if (units_.empty() || units_.back().size() <= kMaxWordTokens) return;
    const Group run = units_.back();
    units_.pop_back();
    for (std::int32_t at = run.begin; at < run.end; ++at) units_.push_back({at, at + 1});
  };
  bool open = false;  // may the next token continue the last unit?
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int32_t id = ids[i];
    const auto position = static_cast<std::int32_t>(i);
    if (special_.contains(id)) {
      open = false;
      continue;
    }
    ++tokens_;
    const auto index = static_cast<std::size_t>(id);
    const bool begins = !words || index >= starts_word_.size() || starts_word_[index];
    if (open && !begins) {
      ++units_.back().end;
    } else {
      close();
      units_.push_back({position, position + 1});
    }
    open = true;
  }
  close();
}

void Masker::choose_units(Random& random, std::int64_t budget) {
  // A shuffle of the units (Fisher and Yates), stopped as soon as the budget is used up.
  std::int64_t left = budget;
  for (std::size_t i = 0; i < units_.size() && left > 0; ++i) {
    std::swap(units_[i], units_[i + random.below(units_.size() - i)]);
    if (units_[i].size() > left) continue;
    chosen_.push_back(units_[i]);
    left -= units_[i].size();
  }
  if (chosen_.empty())
    chosen_.push_back({units_[0].begin, units_[0].begin + static_cast<std::int32_t>(budget)});
}

void Masker::choose_spans(Random& random, std::int64_t budget) {
  taken_.assign(units_.size(), false);
  std::int64_t left = budget;
  const std::size_t max_tries = 8 * units_.size() + 64;
  for (std::size_t tries = 0; tries < max_tries && left > 0; ++tries) {
    const std::size_t length = span_length(random);
    const std::size_t first = random.below(units_.size());
    const std::size_t last = std::min(first + length, units_.size());
    Group span{units_[first].begin, units_[first].begin};
    for (std::size_t u = first; u < last; ++u) {
      const bool joins = units_[u].begin == span.end;  // no special token in between
      if (taken_[u] || !joins || units_[u].end - span.begin > left) break;
      taken_[u] = true;
      span.end = units_[u].end;
    }
    if (span.size() == 0) continue;
    chosen_.push_back(span);
    left -= span.size();
  }
  if (chosen_.empty()) {
    const Group unit = units_[random.below(units_.size())];
    chosen_.push_back(
        {unit.begin, unit.begin + static_cast<std::int32_t>(std::min<std::int64_t>(budget, unit.size()))});
  }
}

Masker::Action Masker::draw_action(Random& random) const {
  const double u = random.uniform();
  if (u < masking_.mask) return Action::kMask;
  return u < masking_.mask + masking_.random ? Action::kRandom : Action::kKeep;
}

std::int32_t Masker::draw_token(Random& random) const {
  const auto ordinary = static_cast<std::uint64_t>(vocabulary_size_) - special_sorted_.size();
  auto id = static_cast<std::int32_t>(random.below(ordinary));
  for (std::int32_t special : special_sorted_)
    if (id >= special) ++id;
  return id;
}

}  // namespace nystrom
