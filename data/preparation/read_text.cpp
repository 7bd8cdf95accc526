// The first stage: raw documents to parts of clean sentences.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>

#include "data/preparation/contamination.h"
#include "data/preparation/minhash.h"
#include "data/preparation/packed_file.h"
#include "data/preparation/stages.h"
#include "data/text/clean.h"
#include "data/text/sentences.h"
#include "kernels/core/sha256.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPartBytes = std::size_t{4}
                                   << 20U;  // of raw text; a part ends with the document that reaches it
constexpr std::size_t kPartDocuments = 32768;

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

struct RawPart {
  std::size_t batch = 0;
  std::vector<RawDocument> documents;
};

/// One reader's raw documents, cut into parts. Any thread may ask for the next one.
class RawParts {
 public:
  RawParts(const PrepareOptions& options, const Stretch& stretch)
      : corpus_(open_corpus(options.corpora[stretch.source], stretch.piece,
                            {options.cleaning.skip_damaged, options.cleaning.expansion_limit, nullptr})) {}

  /// False at the end.
  bool next(RawPart& part) {
    const std::lock_guard lock(mutex_);
    part.documents.clear();
    if (ended_) return false;
    std::size_t bytes = 0;
    RawDocument document;
    while (bytes < kPartBytes && part.documents.size() < kPartDocuments) {
      if (!corpus_->next(document)) {
        ended_ = true;
        break;
      }
      bytes += document.text.size();
      part.documents.push_back(std::move(document));
      document = {};
    }
    if (part.documents.empty()) return false;
    part.batch = batches_++;
    return true;
  }

  [[nodiscard]] const Corpus& corpus() const { return *corpus_; }
  [[nodiscard]] std::size_t batches() const { return batches_; }
  /// What was passed over between the documents. Once all are read.
  [[nodiscard]] Tally tally() const {
    Tally tally;
    tally.add(corpus_->skipped());
    tally.file_documents = corpus_->files().documents();
    tally.damage.insert(corpus_->files().damage().begin(), corpus_->files().damage().end());
    return tally;
  }
  [[nodiscard]] std::int64_t bytes_done() {
    const std::lock_guard lock(mutex_);
    return corpus_->files().bytes_done();
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<Corpus> corpus_;
  std::size_t batches_ = 0;
  bool ended_ = false;
};

/// Raw documents to clean ones.
class Cleaner {
 public:
  Cleaner(const PrepareOptions& options, const EvaluationText& evaluation)
      : options_(options), evaluation_(evaluation), normalization_(normalization_of(options.normalization)) {}

  TextPart clean(const Corpus& corpus, RawPart& raw, SentenceSplitter& splitter) const {
    TextPart part;
    for (auto& document : raw.documents) add(corpus, std::move(document), splitter, part);
    return part;
  }

 private:
  void add(const Corpus& corpus, RawDocument raw, SentenceSplitter& splitter, TextPart& part) const {
    TextDocument document;
    document.id = raw.id;
    Tally& tally = part.tally;
    const auto extraction = corpus.extract(std::move(raw));
    tally.characters_in += extraction.characters;
    for (const auto& [reason, count] : extraction.dropped) tally.characters_dropped[reason] += count;
    tally.repairs += extraction.repairs;
    std::int64_t kept = 0, bytes = 0;
    add_sentences(extraction, splitter, document, tally, kept, bytes);
    document.fate = fate_of(document, kept);
    if (document.paragraphs.empty()) {
      ++tally.documents_dropped["no text left"];
      return;
    }
    if (document.fate != Fate::kKept) {
      const char* reason = name_of(document.fate);
      ++tally.documents_dropped[reason];
      tally.characters_dropped[reason] += kept;
      if (!options_.cleaning.keep_dropped && document.fate != Fate::kContaminated) return;
      if (!options_.cleaning.keep_dropped) document.paragraphs.clear();  // the list needs its name alone
    } else {
      ++tally.documents;
      tally.characters_kept += kept;
      tally.bytes_kept += bytes;
      document.hash = hash_of(document.paragraphs, options_.seed);
      if (options_.cleaning.near_duplicates) document.bands = minhash_bands(document.paragraphs);
    }
    part.documents.push_back(std::move(document));
  }

  void add_sentences(const Extraction& extraction, SentenceSplitter& splitter, TextDocument& document,
                     Tally& tally, std::int64_t& kept, std::int64_t& bytes) const {
    CleanCounts counts;
    std::int64_t cleaned = 0;
    for (const auto& paragraph : extraction.paragraphs) {
      const std::string text = clean_text(paragraph, normalization_, counts);
      cleaned += count_characters(text);
      auto sentences = splitter.split(text);
      if (sentences.empty()) continue;
      for (const auto& sentence : sentences) {
        kept += count_characters(sentence);
        bytes += static_cast<std::int64_t>(sentence.size());
      }
      document.paragraphs.push_back({.sentences = std::move(sentences)});
    }
    tally.characters_dropped["control characters"] += counts.control;
    tally.characters_dropped["normalization"] += counts.normalization;
    // Between sentences stands one blank.
    tally.characters_dropped["white space"] += counts.white_space + (cleaned - kept);
  }

  [[nodiscard]] Fate fate_of(const TextDocument& document, std::int64_t characters) const {
    if (characters < options_.cleaning.minimum_characters) return Fate::kTooShort;
    return evaluation_.shares_with(document.paragraphs) ? Fate::kContaminated : Fate::kKept;
  }

  const PrepareOptions& options_;
  const EvaluationText& evaluation_;
  Normalization normalization_;
};

std::string end_path(const std::string& staging, std::size_t stretch) {
  return (fs::path(staging) / "text" / fmt::format("{:06}.end", stretch)).string();
}

struct StretchEnd {
  std::size_t batches = 0;
  Tally tally;
};

StretchEnd read_end(const std::string& path) {
  const auto text = read_packed_section(path, 0);
  StretchEnd end;
  const auto line = text.find('\n');
  std::from_chars(text.data(), text.data() + std::min(line, text.size()), end.batches);
  end.tally = tally_of_text(std::string_view(text).substr(std::min(line + 1, text.size())));
  return end;
}

class TextStage {
 public:
  explicit TextStage(const StageContext& context)
      : context_(context),
        evaluation_(context.options.cleaning.decontaminate),
        cleaner_(context.options, evaluation_),
        splitters_(static_cast<std::size_t>(context.threads)) {
    for (const auto& stretch : context.stretches) bytes_total_ += stretch.bytes;
  }

  void run() {
    std::vector<std::int64_t> sizes;
    for (const auto& stretch : context_.stretches) sizes.push_back(stretch.shared ? 0 : stretch.bytes);
    const auto mine = context_.group.share_of(sizes);
    std::vector<std::size_t> own, shared;
    for (std::size_t i = 0; i < context_.stretches.size(); ++i) {
      const auto& stretch = context_.stretches[i];
      if (is_done(i))
        bytes_done_ += stretch.bytes;
      else if (stretch.shared)
        shared.push_back(i);
      else if (mine[i])
        own.push_back(i);
    }
    const auto tick = [this] { tell(); };
    run_items(
        context_.threads, own.size(), [&](std::size_t item, int thread) { read_alone(own[item], thread); },
        tick);
    for (const auto stretch : shared) read_together(stretch);
  }

 private:
  [[nodiscard]] bool is_done(std::size_t stretch) const {
    const auto path = end_path(context_.staging, stretch);
    if (!fs::exists(path)) return false;
    const auto end = read_end(path);
    for (std::size_t batch = 0; batch < end.batches; ++batch) {
      if (!fs::exists(part_path(stretch, batch))) return false;
    }
    return true;
  }
  [[nodiscard]] std::string part_path(std::size_t stretch, std::size_t batch) const {
    return PartName{0, stretch, batch}.in(context_.staging, "text");
  }

  /// One thread reads the stretch and does all its parts.
  void read_alone(std::size_t stretch, int thread) {
    RawParts raw(context_.options, context_.stretches[stretch]);
    RawPart part;
    while (raw.next(part)) do_part(raw, part, stretch, thread);
    finish(raw, stretch);
    bytes_done_ += context_.stretches[stretch].bytes;
  }

  /// All threads take parts from one reader; of several ranks each takes its own.
  void read_together(std::size_t stretch) {
    RawParts raw(context_.options, context_.stretches[stretch]);
    shared_ = &raw;
    run_items(
        context_.threads, static_cast<std::size_t>(context_.threads),
        [&](std::size_t, int thread) {
          RawPart part;
          while (raw.next(part)) {
            if (context_.group.mine(part.batch)) do_part(raw, part, stretch, thread);
          }
        },
        [this] { tell(); });
    shared_ = nullptr;
    if (context_.group.rank == 0) finish(raw, stretch);
    bytes_done_ += context_.stretches[stretch].bytes;
  }

  void do_part(const RawParts& raw, RawPart& part, std::size_t stretch, int thread) {
    const auto path = part_path(stretch, part.batch);
    if (fs::exists(path)) return;
    const auto text = cleaner_.clean(raw.corpus(), part, splitters_[static_cast<std::size_t>(thread)]);
    documents_ += text.tally.documents;
    write_text_part(path, text);
  }

  void finish(const RawParts& raw, std::size_t stretch) const {
    write_packed_file(end_path(context_.staging, stretch),
                      {fmt::format("{}\n{}", raw.batches(), tally_text(raw.tally()))});
  }

  void tell() {
    if (!context_.progress) return;
    std::int64_t bytes = bytes_done_;
    if (shared_ != nullptr) bytes += shared_->bytes_done();
    context_.progress({"reading the text", bytes, bytes_total_, documents_});
  }

  const StageContext& context_;
  EvaluationText evaluation_;
  Cleaner cleaner_;
  std::vector<SentenceSplitter> splitters_;
  std::atomic<std::int64_t> bytes_done_ = 0, documents_ = 0;
  std::int64_t bytes_total_ = 0;
  RawParts* shared_ = nullptr;
};

}  // namespace

std::string PartName::in(const std::string& staging, const char* folder) const {
  return (fs::path(staging) / folder / fmt::format("{:06}-{:06}", stretch, batch)).string();
}

void read_text(const StageContext& context) {
  TextStage(context).run();
}

std::vector<PartName> text_parts(const StageContext& context) {
  std::vector<PartName> parts;
  for (std::size_t stretch = 0; stretch < context.stretches.size(); ++stretch) {
    const auto end = read_end(end_path(context.staging, stretch));
    for (std::size_t batch = 0; batch < end.batches; ++batch)
      parts.push_back({context.stretches[stretch].source, stretch, batch});
  }
  return parts;
}

std::vector<Tally> reader_tallies(const StageContext& context) {
  std::vector<Tally> tallies(context.options.corpora.size());
  for (std::size_t stretch = 0; stretch < context.stretches.size(); ++stretch)
    tallies[context.stretches[stretch].source] += read_end(end_path(context.staging, stretch)).tally;
  return tallies;
}

std::vector<Tally> text_tallies(const StageContext& context, const std::vector<PartName>& parts) {
  std::vector<Tally> tallies = reader_tallies(context);
  for (const auto& part : parts) tallies[part.source] += read_text_tally(part.in(context.staging, "text"));
  return tallies;
}

}  // namespace nystrom
