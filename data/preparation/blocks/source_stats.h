#pragma once
// Mergeable per-source counters of a preparation.

#include <map>
#include <set>
#include <string>

#include "data/corpus/corpus.h"

namespace nystrom {

/// Counters of a block or of a whole source. characters_in = characters_kept + all of characters_dropped.
struct SourceStats {
  std::int64_t documents = 0;  ///< kept
  Reasons documents_dropped;   ///< and skipped, by reason
  Reasons paragraphs_dropped;  ///< of documents that were kept
  std::int64_t characters_in = 0, characters_kept = 0, bytes_kept = 0;
  Reasons characters_dropped;
  Repairs repairs;
  std::map<std::string, std::int64_t> file_documents;  ///< documents read, by file
  std::set<std::string> damage;                        ///< corrupt input that was skipped, a sentence each

  SourceStats& operator+=(const SourceStats& other);
  void add(const Skipped& skipped);
  /// True if the equation above holds.
  [[nodiscard]] bool balanced() const;
};

/// To JSON and back.
std::string stats_text(const SourceStats& stats);
SourceStats parse_stats(std::string_view text);

}  // namespace nystrom
