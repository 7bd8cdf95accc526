#pragma once
// The stages of a preparation. Each leaves files in the staging folder, each file whole or not there, so that
// a preparation that was killed goes on with what is missing:
//
//   text/T-B         part B of stretch T: extracted, cleaned, split into sentences          (read_text)
//   text/T.end       how many parts stretch T has, and what its reader passed over
//   drops/           which documents and paragraphs are copies, and the mark `done`         (find_duplicates)
//   tokens/T-B       the part's documents as ids                                            (encode_text)
//   train/00000.h5   shards                                                                 (write_shards)
//
// All are functions of the sources and the options alone. Ranks share a stage's work; between stages they
// wait for each other.

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "data/preparation/input_splits.h"
#include "data/preparation/manifest.h"
#include "data/preparation/prepare.h"
#include "data/preparation/text_block.h"
#include "data/preparation/worker_pool.h"
#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// What all stages are given.
struct StageContext {
  const PrepareOptions& options;
  std::string staging;
  int threads = 1;
  PrepareGroup group;
  std::vector<Stretch> stretches;
  std::function<void(const PrepareProgress&)> progress;  ///< may be empty
};

/// A part of the text that lies in the staging folder.
struct PartName {
  std::size_t source = 0, stretch = 0, batch = 0;
  [[nodiscard]] std::string in(const std::string& staging, const char* folder) const;
};

/// Reads what is not read yet. Afterwards (of all ranks) text_parts() gives all of it.
void read_text(const StageContext& context);
/// All parts, in the order of the sources.
std::vector<PartName> text_parts(const StageContext& context);
/// What each source's readers passed over between documents.
std::vector<Tally> reader_tallies(const StageContext& context);
/// That and what the parts counted, before anything was dropped as a copy.
std::vector<Tally> text_tallies(const StageContext& context, const std::vector<PartName>& parts);

/// Which documents and paragraphs of the parts are dropped as copies.
class Drops {
 public:
  static constexpr std::uint32_t kWholeDocument = 0xFFFFFF;
  struct Drop {
    std::uint32_t document = 0;
    std::uint32_t paragraph = kWholeDocument;
    Fate fate = Fate::kKept;
    auto operator<=>(const Drop&) const = default;
  };

  /// Of the part with this number, in order.
  static std::vector<Drop> of_part(const std::string& staging, std::size_t part, std::size_t parts);
};

/// Compares all parts' documents and paragraphs in bounded memory; the first of equal ones stays. One rank.
void find_duplicates(const StageContext& context, const std::vector<PartName>& parts);

/// Marks what is dropped in a part that was read, and gives the tally with it counted.
Tally apply_drops(TextPart& part, const std::vector<Drops::Drop>& drops);

/// Trains the tokenizer on a sample of the text, or reads the one that is given. One rank trains; `sample`
/// gets the number of sentences that were used.
Tokenizer make_tokenizer(const StageContext& context, const std::vector<PartName>& parts,
                         std::int64_t& sample_sentences);

/// Encodes the parts that are not encoded yet.
void encode_text(const StageContext& context, const std::vector<PartName>& parts, const Tokenizer& tokenizer);
/// What each source gave in the end.
std::vector<Tally> token_tallies(const StageContext& context, const std::vector<PartName>& parts);
/// Appends to `path` in the staging folder what the parts noted of dropped documents ("dropped") or of
/// documents shared with evaluation files ("contaminated").
void collect_notes(const StageContext& context, const std::vector<PartName>& parts, const char* ending,
                   const std::string& path);

/// Writes the shards that are not written yet, and tells what is in all of them.
std::array<SplitResult, 3> write_shards(const StageContext& context, const std::vector<PartName>& parts,
                                        const Tokenizer& tokenizer, const std::vector<std::string>& sources);

}  // namespace nystrom
