#pragma once
// Synthetic sentences from a small vocabulary, deterministic for a seed.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/philox.h"

namespace nystrom::testing {

inline std::string made_up_sentence(Random& random) {
  static constexpr std::array<std::string_view, 12> kNouns{"miller",  "river",   "garden", "engine",
                                                           "harbour", "teacher", "window", "letter",
                                                           "morning", "forest",  "sister", "bridge"};
  static constexpr std::array<std::string_view, 8> kVerbs{"walks",   "follows", "remembers", "paints",
                                                          "carries", "crosses", "answers",   "builds"};
  static constexpr std::array<std::string_view, 8> kKinds{"old",     "quiet",  "green", "narrow",
                                                          "patient", "broken", "early", "distant"};
  const auto pick = [&random](const auto& words) { return std::string(words[random.below(words.size())]); };
  return "The " + pick(kKinds) + " " + pick(kNouns) + " " + pick(kVerbs) + " the " + pick(kNouns) + " and " +
         pick(kVerbs) + " a " + pick(kKinds) + " " + pick(kNouns) + ".";
}

inline std::vector<std::string> made_up_sentences(std::size_t count, std::uint64_t seed) {
  Random random(seed, Purpose::kTest, 0);
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < count; ++i) sentences.push_back(made_up_sentence(random));
  return sentences;
}

}  // namespace nystrom::testing
