// The second stage: which documents and paragraphs are copies of earlier ones. Their hashes are sorted into
// files by value, each file is sorted in memory, and what is dropped goes to files by part.

#include <algorithm>
#include <filesystem>
#include <optional>

#include "data/preparation/packed_file.h"
#include "data/preparation/spill_files.h"
#include "data/preparation/stages.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kGroups = 256;              // files of drops
constexpr std::size_t kBucketBytes = 32U << 20U;  // about, for one bucket in memory
constexpr std::size_t kMostBuckets = 512;

// A place: part (24 bits), document (16), paragraph (24), so that places compare in the sources' order.
std::uint64_t place(std::size_t part, std::size_t document, std::size_t paragraph) {
  NYSTROM_CHECK(part < (1U << 24U) && document < (1U << 16U) && paragraph <= Drops::kWholeDocument,
                "part {}, document {}, paragraph {}", part, document, paragraph);
  return static_cast<std::uint64_t>(part) << 40U | static_cast<std::uint64_t>(document) << 24U | paragraph;
}
std::size_t part_of(std::uint64_t place) {
  return place >> 40U;
}

std::size_t group_of(std::size_t part, std::size_t parts) {
  return parts <= kGroups ? part : part * kGroups / parts;
}

std::string folder_of(const std::string& staging) {
  return (fs::path(staging) / "drops").string();
}

class Search {
 public:
  Search(const StageContext& context, const std::vector<PartName>& parts)
      : context_(context),
        parts_(parts),
        drops_(folder_of(context.staging), std::min(parts.size(), kGroups)) {}

  void run() {
    const auto& cleaning = context_.options.cleaning;
    if (cleaning.duplicate_documents) {
      look("documents", [this](auto& buckets, std::size_t part, std::size_t d, const auto& document) {
        add(buckets, document.hash, place(part, d, Drops::kWholeDocument));
      });
      settle(Fate::kDuplicateDocument);
    }
    if (cleaning.near_duplicates) {
      look("near duplicates", [this](auto& buckets, std::size_t part, std::size_t d, const auto& document) {
        for (const auto band : document.bands) add(buckets, band, place(part, d, Drops::kWholeDocument));
      });
      settle(Fate::kNearDuplicate);
    }
    if (cleaning.duplicate_paragraphs) {
      look("paragraphs", [this](auto& buckets, std::size_t part, std::size_t d, const auto& document) {
        for (const auto& paragraph : document.paragraphs) {
          // Documents of more are cut at 16 MiB, and only long paragraphs are here.
          if (paragraph.index < Drops::kWholeDocument)
            add(buckets, paragraph.hash, place(part, d, paragraph.index));
        }
      });
      settle(Fate::kDuplicateParagraph);
    }
    drops_.flush();
    write_file((fs::path(folder_of(context_.staging)) / "done").string(), "");
  }

 private:
  void add(Buckets& buckets, std::uint64_t hash, std::uint64_t where) {
    buckets.add(hash % buckets.size(), {hash, where});
  }

  /// Calls add_records(buckets, part, document's index, document) for each document that is still kept.
  template <class F>
  void look(const char* what, const F& add_records) {
    // What an index takes is about what its records take.
    std::uintmax_t bytes = 0;
    for (const auto& part : parts_) bytes += fs::file_size(part.in(context_.staging, "text")) / 8;
    buckets_.emplace((fs::path(context_.staging) / "buckets").string(),
                     std::clamp<std::size_t>(bytes / kBucketBytes + 1, 1, kMostBuckets));
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      const auto index = read_text_index(parts_[p].in(context_.staging, "text"));
      const auto gone = dropped_before(p);
      for (std::size_t d = 0; d < index.documents.size(); ++d) {
        if (index.documents[d].fate != Fate::kKept || std::binary_search(gone.begin(), gone.end(), d))
          continue;
        add_records(*buckets_, p, d, index.documents[d]);
      }
      if (context_.progress)
        context_.progress({fmt::format("looking for copies ({})", what), static_cast<std::int64_t>(p),
                           static_cast<std::int64_t>(parts_.size()), 0});
    }
  }

  /// Drops all but the first place of each hash.
  void settle(Fate fate) {
    for (std::size_t bucket = 0; bucket < buckets_->size(); ++bucket) {
      auto records = buckets_->take(bucket);
      std::sort(records.begin(), records.end());
      for (std::size_t i = 1; i < records.size(); ++i) {
        if (records[i].key != records[i - 1].key || records[i].value == records[i - 1].value) continue;
        drops_.add(group_of(part_of(records[i].value), parts_.size()),
                   {records[i].value, static_cast<std::uint64_t>(fate)});
      }
    }
    buckets_.reset();
    fs::remove_all(fs::path(context_.staging) / "buckets");
  }

  /// The documents of a part that an earlier search dropped, in order. Parts are asked for in order.
  std::vector<std::size_t> dropped_before(std::size_t part) {
    const auto group = group_of(part, parts_.size());
    if (part == 0 || group != group_) {
      group_ = group;
      in_group_ = drops_.take(group);
    }
    std::vector<std::size_t> documents;
    for (const auto& record : in_group_) {
      if (part_of(record.key) == part) documents.push_back(record.key >> 24U & 0xFFFFU);
    }
    std::sort(documents.begin(), documents.end());
    return documents;
  }

  const StageContext& context_;
  const std::vector<PartName>& parts_;
  Buckets drops_;
  std::optional<Buckets> buckets_;
  std::size_t group_ = 0;
  std::vector<Buckets::Record> in_group_;
};

}  // namespace

std::vector<Drops::Drop> Drops::of_part(const std::string& staging, std::size_t part, std::size_t parts) {
  std::vector<Drop> drops;
  for (const auto& record : Buckets::read(folder_of(staging), group_of(part, parts))) {
    if (part_of(record.key) != part) continue;
    drops.push_back({static_cast<std::uint32_t>(record.key >> 24U & 0xFFFFU),
                     static_cast<std::uint32_t>(record.key & kWholeDocument),
                     static_cast<Fate>(record.value)});
  }
  std::sort(drops.begin(), drops.end());
  drops.erase(std::unique(drops.begin(), drops.end()), drops.end());
  return drops;
}

void find_duplicates(const StageContext& context, const std::vector<PartName>& parts) {
  if (fs::exists(fs::path(folder_of(context.staging)) / "done")) return;
  Search(context, parts).run();
}

Tally apply_drops(TextPart& part, const std::vector<Drops::Drop>& drops) {
  Tally tally = part.tally;
  const auto move = [&tally](const TextParagraph& paragraph, const char* reason) {
    for (const auto& sentence : paragraph.sentences) {
      const auto characters = count_characters(sentence);
      tally.characters_kept -= characters;
      tally.characters_dropped[reason] += characters;
      tally.bytes_kept -= static_cast<std::int64_t>(sentence.size());
    }
  };
  for (const auto& drop : drops) {
    auto& document = part.documents.at(drop.document);
    if (document.fate != Fate::kKept) continue;
    if (drop.paragraph == Drops::kWholeDocument) {
      document.fate = drop.fate;
      --tally.documents;
      ++tally.documents_dropped[name_of(drop.fate)];
      for (const auto& paragraph : document.paragraphs) move(paragraph, name_of(drop.fate));
    }
  }
  for (const auto& drop : drops) {
    auto& document = part.documents.at(drop.document);
    if (document.fate != Fate::kKept || drop.paragraph == Drops::kWholeDocument) continue;
    auto& paragraph = document.paragraphs.at(drop.paragraph);
    move(paragraph, name_of(drop.fate));
    ++tally.paragraphs_dropped[name_of(drop.fate)];
    paragraph.dropped = true;
  }
  for (auto& document : part.documents) {
    const bool empty = std::all_of(document.paragraphs.begin(), document.paragraphs.end(),
                                   [](const auto& paragraph) { return paragraph.dropped; });
    if (document.fate != Fate::kKept || !empty) continue;
    // All its paragraphs stand elsewhere.
    document.fate = Fate::kDuplicateParagraph;
    --tally.documents;
    ++tally.documents_dropped["no text left"];
  }
  return tally;
}

}  // namespace nystrom
