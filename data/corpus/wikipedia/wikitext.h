#pragma once
// Wiki markup to prose, in linear time and without recursion: a stack of open constructs over one output
// buffer, at most kDeepestNesting deep; deeper nesting is skipped.

#include <string>
#include <string_view>

#include "data/corpus/corpus.h"
#include "data/corpus/wikipedia/site.h"

namespace nystrom {

inline constexpr std::size_t kDeepestNesting = 48;

/// The paragraphs of an article. Templates that produce text yield it, others nothing; links yield their
/// text; tables, references, files, categories, headings, formulas and the sections that only list sources
/// are dropped and counted. `wikitext` is valid UTF-8.
Extraction wiki_prose(std::string_view wikitext, const WikiSite& site);

// The two passes, apart for tests.

/// Pass 1: everything that is written inside lines. Line ends, headings' and lists' marks stay.
std::string wiki_inline(std::string_view wikitext, const WikiSite& site, Reasons& dropped);

/// Pass 2: headings, lists and blank lines to paragraphs, and traces of removals mended.
std::vector<std::string> wiki_paragraphs(std::string_view text, const WikiSite& site, Reasons& dropped);

/// Mends a paragraph: parentheses left empty, also full-width ones, blanks before commas, double blanks.
std::string mended(std::string_view paragraph);

}  // namespace nystrom
