#pragma once
// A block of text, between reading and tokenizing: documents as cleaned sentences, in a file.

#include <cstdint>
#include <string>
#include <vector>

#include "data/preparation/blocks/source_stats.h"

namespace nystrom {

struct TextParagraph {
  std::vector<std::string> sentences;
  bool dropped = false;  ///< as a duplicate; not stored in the file
};

/// Why a document or paragraph is dropped.
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
  std::uint64_t hash = 0;  ///< of its text: chooses its split, and finds duplicates
  Fate fate = Fate::kKept;
  std::vector<std::uint64_t> bands;  ///< of its MinHash signature, if near duplicates are searched
  std::vector<TextParagraph> paragraphs;
};

struct TextBlock {
  SourceStats stats;
  std::vector<TextDocument> documents;  ///< in the order of the source
};

/// Hashes of a block, for the search for duplicates.
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

/// Minimum size of a paragraph that can be a duplicate: short ones ("Yes.") repeat by chance.
inline constexpr std::size_t kMinDuplicateBytes = 120;

/// Writes atomically. Throws Error with the system's reason.
void write_text_block(const std::string& path, const TextBlock& block);
TextBlock read_text_block(const std::string& path);
TextIndex read_text_index(const std::string& path);
SourceStats read_text_stats(const std::string& path);

}  // namespace nystrom
