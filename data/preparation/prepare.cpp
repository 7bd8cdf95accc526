#include "data/preparation/prepare.h"

#include <filesystem>
#include <optional>

#include "data/preparation/contamination.h"
#include "data/preparation/manifest.h"
#include "data/preparation/prepare_directory.h"
#include "data/preparation/sources.h"
#include "data/preparation/stages.h"
#include "data/text/clean.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/threads.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

void check(const PrepareOptions& options) {
  if (options.corpora.empty()) refuse("`corpus` is missing: a list of {{kind, path}}, the text to prepare.");
  if (options.shard_tokens <= 0)
    refuse("`output.shard_tokens` is {}; it must be above 0.", options.shard_tokens);
  const double validation = options.validation_fraction, test = options.test_fraction;
  if (!(validation >= 0 && validation < 1))
    refuse("`output.validation_fraction` is {}; it must be from 0 to below 1.", validation);
  if (!(test >= 0 && test < 1)) refuse("`output.test_fraction` is {}; it must be from 0 to below 1.", test);
  if (validation + test >= 1)
    refuse("`output.validation_fraction` and `output.test_fraction` leave nothing for training.");
  if (options.tokenizer.sample_bytes <= 0)
    refuse("`tokenizer.sample_bytes` is {}; it must be above 0.", options.tokenizer.sample_bytes);
  if (options.tokenizer.path.empty()) nystrom::check(options.tokenizer.training);
  (void)normalization_of(options.normalization);
  if (options.cleaning.minimum_characters < 0)
    refuse("`cleaning.minimum_characters` is {}; it must be at least 0.",
           options.cleaning.minimum_characters);
}

class Preparation {
 public:
  explicit Preparation(const PrepareOptions& options)
      : options_(options),
        names_(source_names(options.corpora)),
        context_{.options = options,
                 .staging = PrepareDirectory::staging(options.directory),
                 .threads = options.threads > 0 ? options.threads : available_threads(),
                 .group = options.group,
                 .input_splits = {}} {
    // Listed and read before anything else, so that a wrong path is refused at once.
    for (const auto& spec : options.corpora) listings_.push_back(list_corpus(spec));
    if (!options.tokenizer.path.empty() && options.tokenizer.existing.empty())
      (void)Tokenizer::read(options.tokenizer.path, options.tokenizer.training.names);
  }

  /// What a start would find; nothing is written.
  [[nodiscard]] PrepareStart start() const {
    PrepareStart start{.sources = {}, .threads = context_.threads};
    for (std::size_t i = 0; i < names_.size(); ++i) {
      PrepareStart::Source source{names_[i], options_.corpora[i], std::ssize(listings_[i].files)};
      for (const auto& file : listings_[i].files) {
        std::error_code unknown;
        if (const auto bytes = fs::file_size(file, unknown); !unknown)
          source.bytes += static_cast<std::int64_t>(bytes);
      }
      start.sources.push_back(std::move(source));
    }
    if (const std::string noted = sources_path(); fs::exists(noted))
      check_unchanged(sources_of_text(read_file(noted, kAnySize)), listings_);
    (void)EvaluationText(options_.cleaning.decontaminate);
    return start;
  }

  /// Notes the sources, or finds them as they were noted when the work began.
  void note() {
    const std::string path = sources_path();
    if (options_.group.rank == 0) {
      if (fs::exists(path))
        check_unchanged(sources_of_text(read_file(path, kAnySize)), listings_);
      else
        write_file(path, sources_text(note_sources(listings_, context_.threads)));
    }
    options_.group.barrier();
    sources_ = sources_of_text(read_file(path, kAnySize));
    context_.input_splits = make_input_splits(options_.corpora, listings_);
  }

  void read() {
    read_text(context_);
    options_.group.barrier();
    blocks_ = text_blocks(context_);
    const auto stats = text_stats(context_, blocks_);
    for (std::size_t i = 0; i < stats.size(); ++i) check_source(i, stats[i]);
    if (options_.group.rank == 0) find_duplicates(context_, blocks_);
    options_.group.barrier();
  }

  void tokenize() {
    if (options_.group.rank == 0) tokenizer_ = make_tokenizer(context_, blocks_, sample_sentences_);
    options_.group.barrier();
    if (options_.group.rank != 0) tokenizer_ = make_tokenizer(context_, blocks_, sample_sentences_);
    encode_text(context_, blocks_, tokenizer_);
    options_.group.barrier();
  }

  void write() {
    splits_ = write_shards(context_, blocks_, tokenizer_, names_);
    if (splits_[0].total().documents == 0) {
      refuse(
          "corpus: no document is left for training: {} are in the validation split and {} in the test split. "
          "Give more documents or smaller fractions.",
          splits_[1].total().documents, splits_[2].total().documents);
    }
  }

  /// All files but the shards; one rank writes them.
  void finish() {
    check_unchanged(sources_, listings_);
    const fs::path staging = context_.staging;
    write_file((staging / tokenizer_file()).string(), tokenizer_.bytes());
    write_file((staging / "special_tokens.json").string(), special_tokens_text(tokenizer_));
    if (options_.cleaning.keep_dropped)
      collect_notes(context_, blocks_, "dropped", (staging / "dropped.jsonl").string());
    if (!options_.cleaning.decontaminate.empty())
      collect_notes(context_, blocks_, "contaminated", (staging / "contaminated.tsv").string());
    auto stats = token_stats(context_, blocks_);
    for (std::size_t i = 0; i < stats.size(); ++i) {
      stats[i].add(listings_[i].skipped);
      NYSTROM_CHECK(stats[i].balanced(), "the characters of {} do not add up", names_[i]);
      accounts_.push_back({names_[i], options_.corpora[i], sources_[i], std::move(stats[i])});
    }
  }

  [[nodiscard]] std::string manifest() const {
    return manifest_text({options_, tokenizer_, tokenizer_file(), sample_sentences_, accounts_, splits_});
  }
  [[nodiscard]] PrepareReport report() const;

 private:
  void check_source(std::size_t source, const SourceStats& stats) const;
  [[nodiscard]] std::string sources_path() const {
    return (fs::path(context_.staging) / "sources.json").string();
  }
  [[nodiscard]] const char* tokenizer_file() const {
    return tokenizer_.is_json() ? "tokenizer.json" : "tokenizer.model";
  }

  const PrepareOptions& options_;
  std::vector<std::string> names_;
  StageContext context_;
  std::vector<CorpusListing> listings_;
  std::vector<std::vector<SourceFile>> sources_;
  std::vector<BlockName> blocks_;
  Tokenizer tokenizer_;
  std::int64_t sample_sentences_ = 0;
  std::array<SplitResult, 3> splits_;
  std::vector<SourceAccount> accounts_;
};

void Preparation::check_source(std::size_t source, const SourceStats& stats) const {
  NYSTROM_CHECK(stats.balanced(), "the characters of {} do not add up", names_[source]);
  if (stats.documents > 0) return;
  std::string why;
  for (const auto& [reason, n] : stats.documents_dropped)
    why += fmt::format("{}{}: {}", why.empty() ? "" : ", ", reason, n);
  const auto& spec = options_.corpora[source];
  refuse("corpus: {} (kind {}) gave no document{}. Is its `kind` right?", spec.path, spec.kind,
         why.empty() ? std::string() : fmt::format(" ({})", why));
}

PrepareReport Preparation::report() const {
  PrepareReport report;
  const auto counts = [this](std::size_t i) {
    const auto total = splits_.at(i).total();
    return SplitCounts{total.documents, total.sentences, total.tokens, std::ssize(splits_.at(i).shards)};
  };
  report.train = counts(0);
  report.validation = counts(1);
  report.test = counts(2);
  report.vocabulary_size = tokenizer_.vocabulary_size();
  report.tokenizer_sha256 = tokenizer_.sha256();
  report.manifest = PrepareDirectory::manifest_path(options_.directory);
  const auto wanted = options_.tokenizer.training.vocabulary_size;
  if (options_.tokenizer.path.empty() && report.vocabulary_size < wanted) {
    report.warnings.push_back(
        fmt::format("The text is too small for a vocabulary of {}: the tokenizer has {} pieces.", wanted,
                    report.vocabulary_size));
  }
  if (options_.validation_fraction > 0 && report.validation.documents == 0)
    report.warnings.emplace_back("There is only one document, so nothing is held out for validation.");
  for (const auto& source : accounts_) {
    for (const auto& file : source.files) {
      if (!source.stats.file_documents.contains(file.path))
        report.warnings.push_back(fmt::format("{} gave no document.", file.path));
    }
    const auto replaced = source.stats.repairs.invalid_bytes + source.stats.repairs.nul_bytes;
    if (replaced > 0)
      report.warnings.push_back(fmt::format("{}: {} bytes were not valid text and were replaced by U+FFFD.",
                                            source.spec.path, replaced));
    report.warnings.insert(report.warnings.end(), source.stats.damage.begin(), source.stats.damage.end());
  }
  return report;
}

PrepareReport work(const PrepareOptions& options, PrepareDirectory* directory) {
  Preparation preparation(options);
  if (directory != nullptr) directory->begin();
  options.group.barrier();
  preparation.note();
  preparation.read();
  preparation.tokenize();
  preparation.write();
  PrepareReport report;
  if (directory != nullptr) {
    preparation.finish();
    const auto manifest = preparation.manifest();
    directory->publish(manifest);
    report = preparation.report();
  }
  options.group.barrier();
  return report;
}

}  // namespace

PrepareStart check_preparation(const PrepareOptions& options) {
  check(options);
  const auto identity = options_text(options);
  const auto state = PrepareDirectory::check(options.directory, identity);
  if (state == PrepareDirectory::State::kComplete) {
    const auto manifest = PrepareDirectory::manifest_path(options.directory);
    if (const auto text = try_read_file(manifest)) (void)report_of_manifest(*text, manifest, identity);
    PrepareStart start;
    start.complete = true;
    return start;
  }
  PrepareStart start = Preparation(options).start();
  start.resumes = state == PrepareDirectory::State::kResumes;
  return start;
}

PrepareReport prepare(const PrepareOptions& options) {
  check(options);
  const auto identity = options_text(options);
  const auto manifest_path = PrepareDirectory::manifest_path(options.directory);
  std::optional<PrepareDirectory> directory;
  if (options.group.rank == 0) directory.emplace(options.directory, identity);
  options.group.barrier();
  if (directory && !directory->manifest().empty()) {
    auto report = report_of_manifest(directory->manifest(), manifest_path, identity);
    options.group.barrier();
    return report;
  }
  if (!directory && fs::exists(manifest_path)) {
    options.group.barrier();
    return {};
  }
  try {
    return work(options, directory ? &*directory : nullptr);
  } catch (const SourceChanged&) {
    throw;  // the file may be brought back
  } catch (const InputError&) {
    // Another input or other options are needed, which this work would not fit.
    if (directory) directory->discard();
    throw;
  }
}

}  // namespace nystrom
