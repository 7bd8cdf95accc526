#include "data/prepare.h"

#include <filesystem>
#include <numeric>

#include "data/document_stream.h"
#include "data/manifest.h"
#include "data/prepare_directory.h"
#include "data/split.h"
#include "data/tokenizer/sample.h"
#include "kernels/core/check.h"
#include "kernels/core/context.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

void check(const PrepareOptions& options) {
  if (options.corpora.empty()) refuse("corpus is needed: a list of {{kind, path}}, the text to prepare.");
  if (options.shard_tokens <= 0) refuse("output.shard_tokens is {}; it is above 0.", options.shard_tokens);
  const double validation = options.validation_fraction, test = options.test_fraction;
  if (!(validation >= 0 && validation < 1))
    refuse("output.validation_fraction is {}; it is from 0 to below 1.", validation);
  if (!(test >= 0 && test < 1)) refuse("output.test_fraction is {}; it is from 0 to below 1.", test);
  if (validation + test >= 1)
    refuse("output.validation_fraction and output.test_fraction leave nothing for training.");
  if (options.tokenizer.sample_bytes <= 0)
    refuse("tokenizer.sample_bytes is {}; it is above 0.", options.tokenizer.sample_bytes);
  if (options.tokenizer.path.empty()) nystrom::check(options.tokenizer.training);
  (void)normalization_of(options.normalization);
}

/// wikipedia, books, books-2, ...
std::vector<std::string> source_names(const std::vector<CorpusSpec>& corpora) {
  std::vector<std::string> names;
  std::map<std::string, int> count;
  for (const auto& spec : corpora) {
    const int n = ++count[spec.kind];
    names.push_back(n == 1 ? spec.kind : fmt::format("{}-{}", spec.kind, n));
  }
  return names;
}

class Preparation {
 public:
  Preparation(const PrepareOptions& options, const PrepareCallback& progress, std::string staging)
      : options_(options),
        progress_(progress),
        staging_(std::move(staging)),
        names_(source_names(options.corpora)) {
    processing_.normalization = normalization_of(options.normalization);
    processing_.seed = options.seed;
    processing_.threads = options.threads > 0 ? options.threads : Context().threads();
    // Opened once before anything else, so that a wrong path is refused at once.
    for (const auto& spec : options.corpora) bytes_total_ += open_corpus(spec)->files().bytes_total();
  }

  void get_tokenizer() {
    if (options_.tokenizer.path.empty()) {
      train();
    } else {
      tokenizer_ = Tokenizer::read(options_.tokenizer.path, options_.tokenizer.training.names);
    }
    write_whole_file((fs::path(staging_) / "tokenizer.model").string(), tokenizer_.bytes());
    write_whole_file((fs::path(staging_) / "special_tokens.json").string(), special_tokens_text(tokenizer_));
  }

  void write_shards();

  [[nodiscard]] std::string manifest() const {
    return manifest_text(
        {options_, tokenizer_, sample_sentences_, accounts_, {&sets_[0], &sets_[1], &sets_[2]}});
  }
  [[nodiscard]] PrepareReport report() const;

 private:
  struct Encoded {
    std::int64_t source;
    std::vector<std::vector<std::int32_t>> sentences;
  };

  /// Reads every corpus once; `consume` gets the source's index and the document.
  void for_each_document(const std::string& stage,
                         const std::function<void(std::size_t, ProcessedDocument&)>& consume);
  void finish_source(std::size_t source, const Corpus& corpus, SourceAccount account);
  void train();
  void tell(const std::string& stage, std::int64_t bytes) const {
    if (progress_) progress_({stage, bytes, bytes_total_, documents_});
  }

  const PrepareOptions& options_;
  const PrepareCallback& progress_;
  std::string staging_;
  std::vector<std::string> names_;
  ProcessOptions processing_;
  std::int64_t bytes_total_ = 0, documents_ = 0, sample_sentences_ = 0;
  Tokenizer tokenizer_;
  std::vector<SourceAccount> accounts_;  // of the last pass
  std::vector<ShardSet> sets_;
};

void Preparation::for_each_document(const std::string& stage,
                                    const std::function<void(std::size_t, ProcessedDocument&)>& consume) {
  const auto before = std::move(accounts_);
  accounts_.clear();
  documents_ = 0;
  std::int64_t bytes_before = 0;
  for (std::size_t source = 0; source < options_.corpora.size(); ++source) {
    const auto corpus = open_corpus(options_.corpora[source]);
    SourceAccount account{.name = names_[source], .spec = options_.corpora[source]};
    const auto count = [&](ProcessedDocument& document) {
      account.characters_in += document.characters_in;
      account.characters_kept += document.characters_kept;
      account.bytes_kept += document.bytes_kept;
      for (const auto& [reason, n] : document.dropped) account.characters_dropped[reason] += n;
      account.repairs += document.repairs;
      if (document.sentences.empty()) {
        ++account.documents_skipped["no text left"];
        return;
      }
      ++account.documents;
      ++documents_;
      consume(source, document);
    };
    process_documents(*corpus, processing_, count,
                      [&](std::int64_t bytes) { tell(stage, bytes_before + bytes); });
    bytes_before += corpus->files().bytes_total();
    finish_source(source, *corpus, std::move(account));
    const auto same = [](const SourceFile& a, const SourceFile& b) {
      return a.path == b.path && a.sha256 == b.sha256;
    };
    if (!before.empty() && !std::equal(accounts_.back().files.begin(), accounts_.back().files.end(),
                                       before[source].files.begin(), before[source].files.end(), same)) {
      fail("The files of {} changed while they were read. Prepare again when nothing writes to them.",
           options_.corpora[source].path);
    }
  }
}

void Preparation::finish_source(std::size_t source, const Corpus& corpus, SourceAccount account) {
  account.files = corpus.files().finished();
  for (const auto& [reason, n] : corpus.skipped().documents) account.documents_skipped[reason] += n;
  for (const auto& [reason, n] : corpus.skipped().characters) {
    account.characters_in += n;
    account.characters_dropped[reason] += n;
  }
  account.repairs += corpus.skipped().repairs;
  if (account.documents == 0) {
    std::string why;
    for (const auto& [reason, n] : account.documents_skipped)
      why += fmt::format("{}{}: {}", why.empty() ? "" : ", ", reason, n);
    refuse("corpus: {} (kind {}) gave no document{}. Is it what its kind says?",
           options_.corpora[source].path, account.spec.kind,
           why.empty() ? std::string() : fmt::format(" ({})", why));
  }
  const auto dropped =
      std::accumulate(account.characters_dropped.begin(), account.characters_dropped.end(), std::int64_t{0},
                      [](std::int64_t sum, const auto& entry) { return sum + entry.second; });
  NYSTROM_CHECK(account.characters_in == account.characters_kept + dropped,
                "{}: {} characters in, {} kept, {} dropped", account.name, account.characters_in,
                account.characters_kept, dropped);
  accounts_.push_back(std::move(account));
}

void Preparation::train() {
  TextSample sample(options_.tokenizer.sample_bytes, options_.seed);
  for_each_document("reading for the tokenizer", [&sample](std::size_t, ProcessedDocument& document) {
    for (std::size_t i = 0; i < document.paragraphs.size(); ++i) {
      const std::size_t end =
          i + 1 < document.paragraphs.size() ? document.paragraphs[i + 1] : document.sentences.size();
      sample.add(document.sentences.data() + document.paragraphs[i], document.sentences.data() + end);
    }
  });
  const auto sentences = sample.take();
  sample_sentences_ = static_cast<std::int64_t>(sentences.size());
  tell("training the tokenizer", bytes_total_);
  tokenizer_ = train_tokenizer(options_.tokenizer.training, sentences);
}

void Preparation::write_shards() {
  const ShardHeader header{tokenizer_.vocabulary_size(), tokenizer_.special(), tokenizer_.sha256(), names_};
  for (const auto* name : kSplitNames)
    sets_.emplace_back((fs::path(staging_) / name).string(), header, options_.shard_tokens);
  Splitter<Encoded> splitter(
      options_.validation_fraction, options_.test_fraction, [this](Split split, Encoded& document) {
        sets_[static_cast<std::size_t>(split)].add_document(document.source, document.sentences);
      });
  processing_.tokenizer = &tokenizer_;
  for_each_document("writing shards", [&](std::size_t source, ProcessedDocument& document) {
    splitter.add(document.hash, {static_cast<std::int64_t>(source), std::move(document.tokens)});
  });
  splitter.finish();
  for (auto& set : sets_) set.finish();
  if (sets_[0].total().documents == 0) {
    refuse(
        "corpus: no document is left for training: {} fell to validation and {} to the test. Give more "
        "documents or smaller fractions.",
        sets_[1].total().documents, sets_[2].total().documents);
  }
}

PrepareReport Preparation::report() const {
  PrepareReport report;
  const auto counts = [this](std::size_t i) {
    const auto total = sets_[i].total();
    return SplitCounts{total.documents, total.sentences, total.tokens,
                       static_cast<std::int64_t>(sets_[i].shards().size())};
  };
  report.train = counts(0);
  report.validation = counts(1);
  report.test = counts(2);
  report.vocabulary_size = tokenizer_.vocabulary_size();
  report.tokenizer_sha256 = tokenizer_.sha256();
  const auto wanted = options_.tokenizer.training.vocabulary_size;
  if (options_.tokenizer.path.empty() && report.vocabulary_size < wanted) {
    report.warnings.push_back(
        fmt::format("The text is too small for a vocabulary of {}: the tokenizer has {} pieces.", wanted,
                    report.vocabulary_size));
  }
  if (options_.validation_fraction > 0 && report.validation.documents == 0) {
    report.warnings.push_back("There is but one document, so nothing is held out for validation.");
  }
  for (const auto& source : accounts_) {
    for (const auto& file : source.files) {
      if (file.documents == 0) report.warnings.push_back(fmt::format("{} gave no document.", file.path));
    }
    const auto replaced = source.repairs.invalid_bytes + source.repairs.nul_bytes;
    if (replaced > 0)
      report.warnings.push_back(
          fmt::format("{}: {} bytes were no text and were replaced by U+FFFD.", source.spec.path, replaced));
  }
  return report;
}

}  // namespace

PrepareReport prepare(const PrepareOptions& options, const PrepareCallback& progress) {
  check(options);
  const auto identity = options_text(options);
  PrepareDirectory directory(options.directory, identity);
  if (!directory.manifest().empty())
    return report_of_manifest(directory.manifest(), directory.manifest_path(), identity);
  directory.begin();
  Preparation preparation(options, progress, directory.staging());
  preparation.get_tokenizer();
  preparation.write_shards();
  directory.publish(preparation.manifest());
  auto report = preparation.report();
  report.manifest = directory.manifest_path();
  return report;
}

}  // namespace nystrom
