// First stage: raw documents to blocks of clean sentences.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/preparation/blocks/packed_file.h"
#include "data/preparation/contamination.h"
#include "data/preparation/minhash.h"
#include "data/preparation/stages.h"
#include "data/text/clean.h"
#include "data/text/sentences.h"
#include "kernels/core/sha256.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockBytes = std::size_t{4}
                                    << 20U;  // of raw text; a block ends with the document that reaches it
constexpr std::size_t kBlockDocuments = 32768;

std::uint64_t hash_of(const std::vector<TextParagraph>& paragraphs, std::uint64_t seed) {
  Sha256 hash;
  hash.update(std::to_string(seed));
  for (const auto& paragraph : paragraphs) {
    for (const auto& sentence : paragraph.sentences) {
      hash.update("\n");
      hash.update(sentence);
    }
  }
  const auto digits = hash.hex();
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + 16, value, 16);
  return value;
}

struct RawBlock {
  std::size_t index = 0;  ///< in its input split
  std::vector<RawDocument> documents;
};

/// One reader's raw documents in blocks. Thread-safe.
class RawBlocks {
 public:
  RawBlocks(const PrepareOptions& options, const InputSplit& input)
      : corpus_(open_corpus(options.corpora[input.source], input.share,
                            {options.cleaning.skip_damaged, options.cleaning.expansion_limit, nullptr})),
        bytes_(input.bytes) {}

  /// False at the end.
  bool next(RawBlock& block) {
    const std::lock_guard lock(mutex_);
    block.documents.clear();
    if (ended_) return false;
    std::size_t bytes = 0;
    RawDocument document;
    while (bytes < kBlockBytes && block.documents.size() < kBlockDocuments) {
      if (!corpus_->next(document)) {
        ended_ = true;
        break;
      }
      bytes += document.text.size();
      block.documents.push_back(std::move(document));
      document = {};
    }
    if (block.documents.empty()) return false;
    block.index = blocks_++;
    return true;
  }

  [[nodiscard]] const Corpus& corpus() const { return *corpus_; }
  [[nodiscard]] std::size_t blocks() const { return blocks_; }
  /// What was skipped between the documents. Valid once all are read.
  [[nodiscard]] SourceStats stats() const {
    SourceStats stats;
    stats.add(corpus_->skipped());
    stats.file_documents = corpus_->files().documents();
    stats.damage.insert(corpus_->files().damage().begin(), corpus_->files().damage().end());
    return stats;
  }
  /// Bytes of the sources that were read since the last call; at the end all that are left.
  [[nodiscard]] std::int64_t newly_read() {
    const std::lock_guard lock(mutex_);
    const std::int64_t bytes = ended_ ? bytes_ : std::min(corpus_->files().bytes_done(), bytes_);
    return bytes - std::exchange(reported_, bytes);
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<Corpus> corpus_;
  std::int64_t bytes_ = 0, reported_ = 0;  // of the input split; of them, those that newly_read() gave
  std::size_t blocks_ = 0;
  bool ended_ = false;
};

/// Raw documents to clean ones.
class Cleaner {
 public:
  Cleaner(const PrepareOptions& options, const EvaluationText& evaluation)
      : options_(options), evaluation_(evaluation), normalization_(normalization_of(options.normalization)) {}

  /// `source`: the entry that the documents come from.
  TextBlock clean(const Corpus& corpus, const CorpusSpec& source, RawBlock& raw,
                  SentenceSplitter& splitter) const {
    TextBlock block;
    for (auto& document : raw.documents) {
      const std::string id = document.id;
      add(corpus.extract(std::move(document)), source, id, splitter, block);
    }
    return block;
  }

 private:
  static Language language(const CorpusSpec& source, const Extraction& extraction) {
    if (source.language != "auto") return parse<Language>("corpus.language", source.language);
    return extraction.language ? *extraction.language : detect_language(extraction.paragraphs);
  }

  void add(const Extraction& extraction, const CorpusSpec& source, const std::string& id,
           SentenceSplitter& splitter, TextBlock& block) const {
    TextDocument document;
    document.id = id;
    SourceStats& stats = block.stats;
    stats.characters_in += extraction.characters;
    for (const auto& [reason, count] : extraction.dropped) stats.characters_dropped[reason] += count;
    stats.repairs += extraction.repairs;
    std::int64_t kept = 0, bytes = 0;
    add_sentences(extraction, language(source, extraction), splitter, document, stats, kept, bytes);
    document.fate = fate_of(document, kept);
    if (document.paragraphs.empty()) {
      ++stats.documents_dropped["no text left"];
      return;
    }
    if (document.fate != Fate::kKept) {
      const char* reason = name_of(document.fate);
      ++stats.documents_dropped[reason];
      stats.characters_dropped[reason] += kept;
      if (!options_.cleaning.keep_dropped && document.fate != Fate::kContaminated) return;
      if (!options_.cleaning.keep_dropped) document.paragraphs.clear();  // the list needs only its name
    } else {
      ++stats.documents;
      stats.characters_kept += kept;
      stats.bytes_kept += bytes;
      document.hash = hash_of(document.paragraphs, options_.seed);
      if (options_.cleaning.near_duplicates) document.bands = minhash_bands(document.paragraphs);
    }
    block.documents.push_back(std::move(document));
  }

  void add_sentences(const Extraction& extraction, Language language, SentenceSplitter& splitter,
                     TextDocument& document, SourceStats& stats, std::int64_t& kept,
                     std::int64_t& bytes) const {
    CleanCounts counts;
    std::int64_t cleaned = 0;
    for (const auto& paragraph : extraction.paragraphs) {
      const std::string text = clean_text(paragraph, normalization_, counts);
      cleaned += count_characters(text);
      auto sentences = splitter.split(text, language);
      if (sentences.empty()) continue;
      for (const auto& sentence : sentences) {
        kept += count_characters(sentence);
        bytes += static_cast<std::int64_t>(sentence.size());
      }
      document.paragraphs.push_back({.sentences = std::move(sentences)});
    }
    stats.characters_dropped["control characters"] += counts.control;
    stats.characters_dropped["normalization"] += counts.normalization;
    // Sentences are joined by one space.
    stats.characters_dropped["white space"] += counts.white_space + (cleaned - kept);
  }

  [[nodiscard]] Fate fate_of(const TextDocument& document, std::int64_t characters) const {
    if (characters < options_.cleaning.minimum_characters) return Fate::kTooShort;
    return evaluation_.shares_with(document.paragraphs) ? Fate::kContaminated : Fate::kKept;
  }

  const PrepareOptions& options_;
  const EvaluationText& evaluation_;
  Normalization normalization_;
};

std::string end_path(const std::string& staging, std::size_t input) {
  return (fs::path(staging) / "text" / fmt::format("{:06}.end", input)).string();
}

struct InputSplitEnd {
  std::size_t blocks = 0;
  SourceStats stats;
};

InputSplitEnd read_end(const std::string& path) {
  const auto text = read_packed_section(path, 0);
  InputSplitEnd end;
  const auto line = text.find('\n');
  std::from_chars(text.data(), text.data() + std::min(line, text.size()), end.blocks);
  end.stats = parse_stats(std::string_view(text).substr(std::min(line + 1, text.size())));
  return end;
}

class TextStage {
 public:
  explicit TextStage(const StageContext& context)
      : context_(context),
        evaluation_(context.options.cleaning.decontaminate),
        cleaner_(context.options, evaluation_),
        splitters_(static_cast<std::size_t>(context.threads)),
        stage_("reading text", bytes_of(context.input_splits), "documents") {}

  void run() {
    std::vector<std::int64_t> sizes;
    for (const auto& input : context_.input_splits) sizes.push_back(input.shared ? 0 : input.bytes);
    const auto mine = context_.group.share_of(sizes);
    std::vector<std::size_t> own, shared;
    for (std::size_t i = 0; i < context_.input_splits.size(); ++i) {
      const auto& input = context_.input_splits[i];
      if (is_done(i))
        stage_.advance(static_cast<double>(input.bytes));
      else if (input.shared)
        shared.push_back(i);
      else if (mine[i])
        own.push_back(i);
    }
    parallel_for_each(context_.threads, own.size(),
                      [&](std::size_t item, int thread) { read_alone(own[item], thread); });
    for (const auto input : shared) read_together(input);
  }

 private:
  static double bytes_of(const std::vector<InputSplit>& inputs) {
    double bytes = 0;
    for (const auto& input : inputs) bytes += static_cast<double>(input.bytes);
    return bytes;
  }

  [[nodiscard]] bool is_done(std::size_t input) const {
    const auto path = end_path(context_.staging, input);
    if (!fs::exists(path)) return false;
    const auto end = read_end(path);
    for (std::size_t block = 0; block < end.blocks; ++block) {
      if (!fs::exists(block_path(input, block))) return false;
    }
    return true;
  }
  [[nodiscard]] std::string block_path(std::size_t input, std::size_t block) const {
    return BlockName{0, input, block}.in(context_.staging, "text");
  }

  /// One thread reads the input split and cleans all its blocks.
  void read_alone(std::size_t input, int thread) {
    RawBlocks raw(context_.options, context_.input_splits[input]);
    RawBlock block;
    while (raw.next(block)) clean_block(raw, block, input, thread);
    stage_.advance(static_cast<double>(raw.newly_read()));
    finish(raw, input);
  }

  /// All threads take blocks from one reader; each rank takes its own.
  void read_together(std::size_t input) {
    RawBlocks raw(context_.options, context_.input_splits[input]);
    parallel_for_each(context_.threads, static_cast<std::size_t>(context_.threads),
                      [&](std::size_t, int thread) {
                        RawBlock block;
                        while (raw.next(block)) {
                          if (context_.group.mine(block.index)) clean_block(raw, block, input, thread);
                        }
                      });
    stage_.advance(static_cast<double>(raw.newly_read()));
    if (context_.group.rank == 0) finish(raw, input);
  }

  void clean_block(RawBlocks& raw, RawBlock& block, std::size_t input, int thread) {
    stage_.advance(static_cast<double>(raw.newly_read()));
    const auto path = block_path(input, block.index);
    if (fs::exists(path)) return;
    const CorpusSpec& source = context_.options.corpora[context_.input_splits[input].source];
    const auto text =
        cleaner_.clean(raw.corpus(), source, block, splitters_[static_cast<std::size_t>(thread)]);
    stage_.count(documents_ += text.stats.documents);
    write_text_block(path, text);
  }

  void finish(const RawBlocks& raw, std::size_t input) const {
    write_packed_file(end_path(context_.staging, input),
                      {fmt::format("{}\n{}", raw.blocks(), stats_text(raw.stats()))});
  }

  const StageContext& context_;
  EvaluationText evaluation_;
  Cleaner cleaner_;
  std::vector<SentenceSplitter> splitters_;
  std::atomic<std::int64_t> documents_ = 0;
  Stage stage_;
};

}  // namespace

std::string BlockName::in(const std::string& staging, const char* folder) const {
  return (fs::path(staging) / folder / fmt::format("{:06}-{:06}", input, block)).string();
}

void read_text(const StageContext& context) {
  TextStage(context).run();
}

std::vector<BlockName> text_blocks(const StageContext& context) {
  std::vector<BlockName> blocks;
  for (std::size_t input = 0; input < context.input_splits.size(); ++input) {
    const auto end = read_end(end_path(context.staging, input));
    for (std::size_t block = 0; block < end.blocks; ++block)
      blocks.push_back({context.input_splits[input].source, input, block});
  }
  return blocks;
}

std::vector<SourceStats> reader_stats(const StageContext& context) {
  std::vector<SourceStats> stats(context.options.corpora.size());
  for (std::size_t input = 0; input < context.input_splits.size(); ++input)
    stats[context.input_splits[input].source] += read_end(end_path(context.staging, input)).stats;
  return stats;
}

std::vector<SourceStats> text_stats(const StageContext& context, const std::vector<BlockName>& blocks) {
  std::vector<SourceStats> stats = reader_stats(context);
  Stage stage("counting documents", static_cast<double>(blocks.size()));
  for (const auto& block : blocks) {
    stats[block.source] += read_text_stats(block.in(context.staging, "text"));
    stage.advance();
  }
  return stats;
}

}  // namespace nystrom
