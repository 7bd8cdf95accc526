#pragma once
// Entities in tagged sentences, counted as seqeval counts by default (the rules of CoNLL's conlleval): for
// tags like B-person, I-person, O, also E- and S-. An entity is right when its type and both its ends are.

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nystrom {

struct Entity {
  std::string type;
  std::size_t begin = 0, end = 0;  ///< words [begin, end)
  auto operator<=>(const Entity&) const = default;
};

/// The entities of one sentence, in order. An I- that continues nothing begins an entity.
[[nodiscard]] std::vector<Entity> entities_of(std::span<const std::string> tags);

struct EntityCounts {
  std::int64_t right = 0, truths = 0, predictions = 0;

  void add(std::span<const std::string> truth, std::span<const std::string> predicted);
  /// NaN where nothing is predicted, nothing true, or neither.
  [[nodiscard]] double precision() const;
  [[nodiscard]] double recall() const;
  [[nodiscard]] double f1() const;
};

}  // namespace nystrom
