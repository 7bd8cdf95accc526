#pragma once
// What was counted, of a part of a source or of a source: tallies add up.

#include <map>
#include <set>
#include <string>

#include "data/corpus/corpus.h"

namespace nystrom {

/// characters_in = characters_kept + all of characters_dropped.
struct Tally {
  std::int64_t documents = 0;  ///< kept
  Reasons documents_dropped;   ///< and passed over, by reason
  Reasons paragraphs_dropped;  ///< of documents that were kept
  std::int64_t characters_in = 0, characters_kept = 0, bytes_kept = 0;
  Reasons characters_dropped;
  Repairs repairs;
  std::map<std::string, std::int64_t> file_documents;  ///< documents read, by file
  std::set<std::string> damage;                        ///< what was passed over, a sentence each

  Tally& operator+=(const Tally& other);
  void add(const Skipped& skipped);
  /// Does the equation above hold?
  [[nodiscard]] bool balanced() const;
};

/// As JSON, and back.
std::string tally_text(const Tally& tally);
Tally tally_of_text(std::string_view text);

}  // namespace nystrom
