#pragma once
// A part of the text, between reading it and tokenizing it: documents as cleaned sentences, in a file.

#include <cstdint>
#include <string>
#include <vector>

#include "data/preparation/source_stats.h"

namespace nystrom {

struct TextParagraph {
  std::vector<std::string> sentences;
  bool dropped = false;  ///< as a copy; not part of the file
};

/// Why a document or paragraph goes no further.
enum class Fate : std::uint8_t {
  kKept,
  kTooShort,
  kContaminated,
  kDuplicateDocument,
  kNearDuplicate,
  kDuplicateParagraph
};
const char* name_of(Fate fate);

struct TextDocument {
  std::string id;
  std::uint64_t hash = 0;  ///< of its text: decides about its split, and finds its copies
  Fate fate = Fate::kKept;
  std::vector<std::uint64_t> bands;  ///< of its MinHash signature, where near duplicates are looked for
  std::vector<TextParagraph> paragraphs;
};

struct TextPart {
  Tally tally;
  std::vector<TextDocument> documents;  ///< in the order of the source
};

/// What the search for duplicates looks at.
struct TextIndex {
  struct Paragraph {
    std::uint64_t hash = 0;
    std::uint32_t index = 0;  ///< in its document
  };
  struct Document {
    std::uint64_t hash = 0;
    Fate fate = Fate::kKept;
    std::vector<std::uint64_t> bands;
    std::vector<Paragraph> paragraphs;  ///< the long ones
  };
  std::vector<Document> documents;
};

/// Only paragraphs of at least so many bytes are looked for again: short ones ("Yes.") are no copies.
inline constexpr std::size_t kLeastDuplicateBytes = 120;

/// The file is whole under its name or not there. Throws Error with the system's reason.
void write_text_part(const std::string& path, const TextPart& part);
TextPart read_text_part(const std::string& path);
TextIndex read_text_index(const std::string& path);
Tally read_text_tally(const std::string& path);

}  // namespace nystrom
