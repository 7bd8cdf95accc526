#pragma once
// Stages of a preparation. Each leaves files in the staging folder, written atomically, so that a preparation
// that was killed resumes with the files that are missing:
//
//   text/I-B         block B of input split I: extracted, cleaned, split into sentences     (read_text)
//   text/I.end       the number of blocks of input split I, and what its reader skipped
//   drops/           which documents and paragraphs are duplicates, and the mark `done`     (find_duplicates)
//   tokens/I-B       the block's documents as token ids                                     (encode_text)
//   train/00000.h5   shards                                                                 (write_shards)
//
// All files are functions of the sources and the options alone. Ranks share a stage's work, and wait for each
// other between stages.

#include <array>
#include <string>
#include <vector>

#include "data/preparation/blocks/text_block.h"
#include "data/preparation/input_splits.h"
#include "data/preparation/manifest.h"
#include "data/preparation/options.h"
#include "data/preparation/worker_pool.h"
#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// Arguments of every stage.
struct StageContext {
  const PrepareOptions& options;
  std::string staging;
  int threads = 1;
  PrepareGroup group;
  std::vector<InputSplit> input_splits;
};

/// A block of text or tokens in the staging folder.
struct BlockName {
  std::size_t source = 0, input = 0, block = 0;
  [[nodiscard]] std::string in(const std::string& staging, const char* folder) const;
};

/// Reads the input splits that are not read yet. Once all ranks are done, text_blocks() gives all blocks.
void read_text(const StageContext& context);
/// All blocks, in the order of the sources.
std::vector<BlockName> text_blocks(const StageContext& context);
/// What each source's readers skipped between documents.
std::vector<SourceStats> reader_stats(const StageContext& context);
/// The same plus the counters of the blocks, before any duplicate is dropped.
std::vector<SourceStats> text_stats(const StageContext& context, const std::vector<BlockName>& blocks);

/// Duplicate documents and paragraphs of the blocks, which are dropped.
class Drops {
 public:
  static constexpr std::uint32_t kWholeDocument = 0xFFFFFF;
  struct Drop {
    std::uint32_t document = 0;
    std::uint32_t paragraph = kWholeDocument;
    Fate fate = Fate::kKept;
    auto operator<=>(const Drop&) const = default;
  };

  /// Those of the block with this number, in order.
  static std::vector<Drop> of_block(const std::string& staging, std::size_t block, std::size_t blocks);
};

/// Compares the documents and paragraphs of all blocks in bounded memory; the first of equal ones stays.
/// Called by one rank.
void find_duplicates(const StageContext& context, const std::vector<BlockName>& blocks);

/// Marks what is dropped in a block that was read, and returns the statistics after it.
SourceStats apply_drops(TextBlock& block, const std::vector<Drops::Drop>& drops);

/// Trains the tokenizer on a sample of the text, or reads the one that is given. One rank trains;
/// `sample_sentences` is set to the number of sentences used.
Tokenizer make_tokenizer(const StageContext& context, const std::vector<BlockName>& blocks,
                         std::int64_t& sample_sentences);

/// Encodes the blocks that are not encoded yet.
void encode_text(const StageContext& context, const std::vector<BlockName>& blocks,
                 const Tokenizer& tokenizer);
/// Final statistics of each source.
std::vector<SourceStats> token_stats(const StageContext& context, const std::vector<BlockName>& blocks);
/// Joins the blocks' lists of dropped documents ("dropped"), or of documents shared with evaluation files
/// ("contaminated"), in the file `path`.
void collect_notes(const StageContext& context, const std::vector<BlockName>& blocks, const char* ending,
                   const std::string& path);

/// Writes the shards that are not written yet. Returns what is in all of them.
std::array<SplitResult, 3> write_shards(const StageContext& context, const std::vector<BlockName>& blocks,
                                        const Tokenizer& tokenizer, const std::vector<std::string>& sources);

}  // namespace nystrom
