#pragma once
// The two tables behind find_wiki_language. Each code is in one of them, once.

#include <span>

#include "data/corpus/wikipedia/languages.h"

namespace nystrom {

[[nodiscard]] std::span<const WikiLanguage> latin_script_languages();
[[nodiscard]] std::span<const WikiLanguage> other_script_languages();

}  // namespace nystrom
