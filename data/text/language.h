#pragma once
// Languages with their own sentence rules.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/names.h"

namespace nystrom {

enum class Language : std::uint8_t {
  kEnglish,
  kGerman,
  kFrench,
  kSpanish,
  kItalian,
  kDutch,
  kPortuguese,
  kPolish,
  kRussian,
  kChinese,
  kJapanese,
  kArabic,
  kHindi
};

template <>
struct EnumNames<Language> {
  static constexpr Named<Language> kAll[] = {
      {Language::kEnglish, "en"},    {Language::kGerman, "de"},   {Language::kFrench, "fr"},
      {Language::kSpanish, "es"},    {Language::kItalian, "it"},  {Language::kDutch, "nl"},
      {Language::kPortuguese, "pt"}, {Language::kPolish, "pl"},   {Language::kRussian, "ru"},
      {Language::kChinese, "zh"},    {Language::kJapanese, "ja"}, {Language::kArabic, "ar"},
      {Language::kHindi, "hi"}};
};

/// The language of a code such as "de" or "pt-BR"; none for others.
[[nodiscard]] std::optional<Language> language_of(std::string_view code);

/// The language of a text, by its first words: one of those that are written in Latin letters, or Russian for
/// any text in Cyrillic ones. English where the words do not decide, and for other scripts: there the words
/// around a stop are enough.
[[nodiscard]] Language detect_language(const std::vector<std::string>& paragraphs);

}  // namespace nystrom
