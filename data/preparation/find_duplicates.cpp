// Second stage: finds documents and paragraphs that are duplicates of earlier ones. Their hashes are
// partitioned into spill files by value, each file is sorted in memory, and the duplicates are written by
// block.

#include <algorithm>
#include <filesystem>
#include <optional>

#include "data/preparation/blocks/packed_file.h"
#include "data/preparation/blocks/spill_files.h"
#include "data/preparation/stages.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kGroups = 256;                 // files of drops
constexpr std::size_t kSpillFileBytes = 32U << 20U;  // about, for one file in memory
constexpr std::size_t kMaxSpillFiles = 512;

// A place is block (24 bits), document (16) and paragraph (24): places compare in the order of the sources.
std::uint64_t place(std::size_t block, std::size_t document, std::size_t paragraph) {
  NYSTROM_CHECK(block < (1U << 24U) && document < (1U << 16U) && paragraph <= Drops::kWholeDocument,
                "block {}, document {}, paragraph {}", block, document, paragraph);
  return static_cast<std::uint64_t>(block) << 40U | static_cast<std::uint64_t>(document) << 24U | paragraph;
}
std::size_t block_of(std::uint64_t place) {
  return place >> 40U;
}

std::size_t group_of(std::size_t block, std::size_t blocks) {
  return blocks <= kGroups ? block : block * kGroups / blocks;
}

std::string folder_of(const std::string& staging) {
  return (fs::path(staging) / "drops").string();
}

class Search {
 public:
  Search(const StageContext& context, const std::vector<BlockName>& blocks)
      : context_(context),
        blocks_(blocks),
        drops_(folder_of(context.staging), std::min(blocks.size(), kGroups)) {}

  void run() {
    const auto& cleaning = context_.options.cleaning;
    if (cleaning.duplicate_documents) {
      search(Fate::kDuplicateDocument, "documents",
             [this](auto& spilled, std::size_t block, std::size_t d, const auto& document) {
               add(spilled, document.hash, place(block, d, Drops::kWholeDocument));
             });
    }
    if (cleaning.near_duplicates) {
      search(Fate::kNearDuplicate, "near duplicates",
             [this](auto& spilled, std::size_t block, std::size_t d, const auto& document) {
               for (const auto band : document.bands)
                 add(spilled, band, place(block, d, Drops::kWholeDocument));
             });
    }
    if (cleaning.duplicate_paragraphs) {
      search(Fate::kDuplicateParagraph, "paragraphs",
             [this](auto& spilled, std::size_t block, std::size_t d, const auto& document) {
               for (const auto& paragraph : document.paragraphs) {
                 // Documents are truncated at 16 MiB, and only long paragraphs are here.
                 if (paragraph.index < Drops::kWholeDocument)
                   add(spilled, paragraph.hash, place(block, d, paragraph.index));
               }
             });
    }
    drops_.flush();
    write_file((fs::path(folder_of(context_.staging)) / "done").string(), "");
  }

 private:
  void add(SpillFiles& spilled, std::uint64_t hash, std::uint64_t where) {
    spilled.add(hash % spilled.size(), {hash, where});
  }

  /// Spills what add_records(spilled, block, document's index, document) gives for each document that is
  /// still kept, and drops all but the first occurrence of each hash.
  template <class F>
  void search(Fate fate, const char* what, const F& add_records) {
    // An index takes about as much memory as its records.
    std::uintmax_t bytes = 0;
    for (const auto& block : blocks_) bytes += fs::file_size(block.in(context_.staging, "text")) / 8;
    spilled_.emplace((fs::path(context_.staging) / "buckets").string(),
                     std::clamp<std::size_t>(bytes / kSpillFileBytes + 1, 1, kMaxSpillFiles));
    Stage stage(fmt::format("finding duplicates ({})", what),
                static_cast<double>(blocks_.size() + spilled_->size()));
    for (std::size_t p = 0; p < blocks_.size(); ++p) {
      const auto index = read_text_index(blocks_[p].in(context_.staging, "text"));
      const auto gone = dropped_before(p);
      for (std::size_t d = 0; d < index.documents.size(); ++d) {
        if (index.documents[d].fate != Fate::kKept || std::binary_search(gone.begin(), gone.end(), d))
          continue;
        add_records(*spilled_, p, d, index.documents[d]);
      }
      stage.advance();
    }
    settle(fate, stage);
  }

  /// Drops all but the first occurrence of each hash.
  void settle(Fate fate, Stage& stage) {
    for (std::size_t file = 0; file < spilled_->size(); ++file) {
      auto records = spilled_->take(file);
      std::sort(records.begin(), records.end());
      for (std::size_t i = 1; i < records.size(); ++i) {
        if (records[i].key != records[i - 1].key || records[i].value == records[i - 1].value) continue;
        drops_.add(group_of(block_of(records[i].value), blocks_.size()),
                   {records[i].value, static_cast<std::uint64_t>(fate)});
      }
      stage.advance();
    }
    spilled_.reset();
    fs::remove_all(fs::path(context_.staging) / "buckets");
  }

  /// The documents of a block that an earlier search dropped, in order. Blocks are asked for in order.
  std::vector<std::size_t> dropped_before(std::size_t block) {
    const auto group = group_of(block, blocks_.size());
    if (block == 0 || group != group_) {
      group_ = group;
      in_group_ = drops_.take(group);
    }
    std::vector<std::size_t> documents;
    for (const auto& record : in_group_) {
      if (block_of(record.key) == block) documents.push_back(record.key >> 24U & 0xFFFFU);
    }
    std::sort(documents.begin(), documents.end());
    return documents;
  }

  const StageContext& context_;
  const std::vector<BlockName>& blocks_;
  SpillFiles drops_;
  std::optional<SpillFiles> spilled_;
  std::size_t group_ = 0;
  std::vector<SpillFiles::Record> in_group_;
};

}  // namespace

std::vector<Drops::Drop> Drops::of_block(const std::string& staging, std::size_t block, std::size_t blocks) {
  std::vector<Drop> drops;
  for (const auto& record : SpillFiles::read(folder_of(staging), group_of(block, blocks))) {
    if (block_of(record.key) != block) continue;
    drops.push_back({static_cast<std::uint32_t>(record.key >> 24U & 0xFFFFU),
                     static_cast<std::uint32_t>(record.key & kWholeDocument),
                     static_cast<Fate>(record.value)});
  }
  std::sort(drops.begin(), drops.end());
  drops.erase(std::unique(drops.begin(), drops.end()), drops.end());
  return drops;
}

void find_duplicates(const StageContext& context, const std::vector<BlockName>& blocks) {
  if (fs::exists(fs::path(folder_of(context.staging)) / "done")) return;
  Search(context, blocks).run();
}

SourceStats apply_drops(TextBlock& block, const std::vector<Drops::Drop>& drops) {
  SourceStats stats = block.stats;
  const auto move = [&stats](const TextParagraph& paragraph, const char* reason) {
    for (const auto& sentence : paragraph.sentences) {
      const auto characters = count_characters(sentence);
      stats.characters_kept -= characters;
      stats.characters_dropped[reason] += characters;
      stats.bytes_kept -= static_cast<std::int64_t>(sentence.size());
    }
  };
  for (const auto& drop : drops) {
    auto& document = block.documents.at(drop.document);
    if (document.fate != Fate::kKept) continue;
    if (drop.paragraph == Drops::kWholeDocument) {
      document.fate = drop.fate;
      --stats.documents;
      ++stats.documents_dropped[name_of(drop.fate)];
      for (const auto& paragraph : document.paragraphs) move(paragraph, name_of(drop.fate));
    }
  }
  for (const auto& drop : drops) {
    auto& document = block.documents.at(drop.document);
    if (document.fate != Fate::kKept || drop.paragraph == Drops::kWholeDocument) continue;
    auto& paragraph = document.paragraphs.at(drop.paragraph);
    move(paragraph, name_of(drop.fate));
    ++stats.paragraphs_dropped[name_of(drop.fate)];
    paragraph.dropped = true;
  }
  for (auto& document : block.documents) {
    const bool empty = std::all_of(document.paragraphs.begin(), document.paragraphs.end(),
                                   [](const auto& paragraph) { return paragraph.dropped; });
    if (document.fate != Fate::kKept || !empty) continue;
    // All its paragraphs occur elsewhere.
    document.fate = Fate::kDuplicateParagraph;
    --stats.documents;
    ++stats.documents_dropped["no text left"];
  }
  return stats;
}

}  // namespace nystrom
