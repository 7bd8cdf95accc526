#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/preparation/report.h"
#include "data/shards/inspect.h"
#include "data/shards/shard_check.h"
#include "data/shards/shard_reader.h"
#include "data/tokenizer/tokenizer.h"
#include "kernels/core/files.h"
#include "kernels/core/philox.h"
#include "kernels/core/printable.h"
#include "kernels/tensor/buffer.h"
#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/models/file_verification.h"
#include "launch/models/model_source.h"
#include "launch/setup/provenance.h"
#include "model/attention/registry.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

void line(std::string_view what, const std::string& value) {
  fmt::print("{:<20}{}\n", what, printable(value));
}

std::string histogram_text(const LengthHistogram& histogram) {
  std::string text;
  for (std::size_t k = 0; k < histogram.bins.size(); ++k)
    if (histogram.bins[k] > 0)
      text += fmt::format("{}{}+: {}", text.empty() ? "" : ", ", std::int64_t{1} << k, histogram.bins[k]);
  return fmt::format("{} (longest {})", text, histogram.longest);
}

std::string size_text(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", mebibytes(bytes));
}

void inspect_shard(const std::string& path) {
  check_shards(std::span(&path, 1), ShardCheck::kAll);  // a crash of the HDF5 library becomes a sentence
  const ShardSummary s = summarize_shard(path);
  if (s.kind == ShardKind::kBert) {
    line("kind", "BERT shard of NVIDIA's format (static masks, next-sentence labels)");
    line("sequences", fmt::format("{} of up to {} tokens", s.sequences, s.width));
    line("tokens", fmt::format("{} without padding, {} masked, at most {} per sequence", s.counts.tokens,
                               s.masked, s.max_masked));
    line("sequence lengths", histogram_text(s.sequence_tokens));
  } else {
    line("kind", fmt::format("nystrom shard, format {}; valid, all checksums match", kShardVersion));
    line("documents", fmt::format("{}", s.counts.documents));
    line("sentences", fmt::format("{}", s.counts.sentences));
    line("tokens", fmt::format("{}", s.counts.tokens));
    line("vocabulary",
         fmt::format("{} tokens, tokenizer {}", s.header.vocabulary_size, s.header.tokenizer_sha256));
    for (const auto& source : s.sources)
      line("source", fmt::format("{}: {} documents, {} sentences, {} tokens", source.name,
                                 source.counts.documents, source.counts.sentences, source.counts.tokens));
    line("document lengths", histogram_text(s.document_tokens));
    line("sentence lengths", histogram_text(s.sentence_tokens));
  }
  line("file", size_text(s.file_bytes));
}

void print_model(const ModelConfig& m, const HeadConfig& head) {
  const AttentionConfig& a = m.attention;
  line("head", std::string(entry_of(head.kind).description));
  line("shape",
       fmt::format("{} layers, hidden {}, {} heads, feed-forward {}, vocabulary {}, {} positions", m.layers,
                   m.hidden_size, a.heads, m.intermediate_size, m.vocabulary_size, m.max_positions));
  const AttentionEntry& kind = attention_entry(a.kind);
  const std::string details = kind.details(a);
  line("attention",
       fmt::format("{}{}{}, {}, padding {}", kind.describe(a), details.empty() ? "" : ", ", details,
                   a.taps == 0 ? "no convolution" : fmt::format("convolution kernel size {}", a.taps),
                   name_of(m.padding)));
}

void print_tokenizer(const Tokenizer& tokenizer) {
  if (tokenizer.empty()) return line("tokenizer", "none");
  line("tokenizer", fmt::format("{}, {} tokens, SHA-256 {}", tokenizer.kind(), tokenizer.vocabulary_size(),
                                tokenizer.sha256()));
}

void inspect_checkpoint(const std::string& path) {
  check_foreign_checkpoint(path);
  const CheckpointReader checkpoint(path, false);
  const RunState& state = checkpoint.state();
  line("kind", "checkpoint; valid, its digest matches");
  line("step", fmt::format("{} ({} samples, {} updates, {:.0f} s)", state.step, state.samples, state.updates,
                           state.seconds));
  print_model(checkpoint.model(), checkpoint.head());
  const RunIdentity& run = checkpoint.identity();
  print_tokenizer(run.tokenizer.empty() ? Tokenizer() : Tokenizer::from_bytes(run.tokenizer, path));
  const std::string provenance = provenance_sentence(run.provenance);
  line("written by", provenance.empty() ? "unknown (a version that did not record it)" : provenance);
  std::int64_t values = 0;
  for (const auto& tensor : checkpoint.tensors()) {
    std::int64_t size = 1;
    for (const auto dim : tensor.shape) size *= dim;
    values += size;
  }
  line("weights", fmt::format("{} tensors, {} values", checkpoint.tensors().size(), values));
  line("file", size_text(fs::file_size(path)));
  fmt::print("\nconfiguration of the run:\n{}", printable_lines(run.configuration, kMaxTextFileBytes));
}

void inspect_model_folder(const std::string& path) {
  ModelSource model(path);
  const std::vector<std::string> start =
      model.lacks_convolution() ? model.notes() : std::vector<std::string>();
  model.use_as_it_is();
  line("kind", "Hugging Face folder");
  print_model(model.config(), model.head());
  print_tokenizer(model.tokenizer());
  for (const auto& note : model.notes()) line("note", note);
  for (const auto& note : start) line("note", note);
}

void inspect_tokenizer(const std::string& path) {
  const Tokenizer tokenizer = Tokenizer::read(path);
  line("kind", fmt::format("tokenizer ({})", tokenizer.kind()));
  line("tokens", fmt::format("{}", tokenizer.vocabulary_size()));
  line("SHA-256", tokenizer.sha256());
  const SpecialIds& s = tokenizer.special();
  for (const auto id : s.ids()) line("special", fmt::format("{} {}", id, tokenizer.piece(id)));
}

// Run directory: the last lines of its metrics, and its latest valid checkpoint.
void inspect_run(const std::string& path) {
  line("kind", "run directory");
  const fs::path lines = fs::path(path) / "metrics.jsonl";
  std::ifstream metrics;
  if (fs::is_regular_file(lines)) metrics.open(lines);  // a named pipe would be waited for
  std::string last_step, last_validation;
  for (std::string text; std::getline(metrics, text);)
    (text.find("validation_") != std::string::npos ? last_validation : last_step) = text;
  line("last step", last_step);
  line("last validation", last_validation);
  const CheckpointSearch search = find_newest_checkpoint(fs::path(path) / "checkpoints");
  for (const auto& warning : search.warnings) line("corrupt", warning);
  line("latest checkpoint", search.path.value_or("none"));
  if (search.path) {
    fmt::print("\n");
    inspect_checkpoint(*search.path);
  }
}

/// Decoded sentences of randomly chosen documents.
void print_passages(const fs::path& folder, const Tokenizer& tokenizer) {
  constexpr int kPassages = 10;
  constexpr std::size_t kMaxTokens = 60;
  std::vector<std::string> shards;
  for (const auto& entry : fs::directory_iterator(folder / "train"))
    if (entry.path().extension() == ".h5") shards.push_back(entry.path().string());
  std::sort(shards.begin(), shards.end());
  if (shards.empty()) return;
  check_shards(shards, ShardCheck::kStructure);
  fmt::print("\npassages\n");
  for (std::uint64_t i = 0; i < kPassages; ++i) {
    Random random(1, Purpose::kOrder, i);
    ShardReader reader(shards[random.below(shards.size())]);
    if (reader.header().tokenizer_sha256 != tokenizer.sha256())
      refuse("{} was made with another tokenizer than the one in {}.", reader.path(), folder.string());
    if (reader.counts().documents == 0) continue;
    std::vector<std::uint64_t> document, offsets;
    reader.read_document_offsets(random.below(static_cast<std::uint64_t>(reader.counts().documents)), 2,
                                 document);
    const auto first = document[0] + random.below(document[1] - document[0]);
    reader.read_sentence_offsets(first, std::min<std::uint64_t>(4, document[1] - first) + 1, offsets);
    std::vector<std::int32_t> ids;
    reader.read_tokens(offsets.front(), std::min<std::uint64_t>(kMaxTokens, offsets.back() - offsets.front()),
                       ids);
    fmt::print("  {}\n", printable(tokenizer.decode(ids)));
  }
}

void inspect_prepared(const std::string& path) {
  line("kind", "prepared text");
  fmt::print("{}", manifest_summary(read_file((fs::path(path) / "manifest.json").string(), kAnySize)));
  const fs::path model = fs::path(path) / "tokenizer.model", json = fs::path(path) / "tokenizer.json";
  print_passages(path, Tokenizer::read((fs::exists(model) ? model : json).string()));
}

void inspect_folder(const std::string& path) {
  if (fs::exists(fs::path(path) / "config.json")) return inspect_model_folder(path);
  if (fs::exists(fs::path(path) / "metrics.jsonl")) return inspect_run(path);
  if (fs::exists(fs::path(path) / "manifest.json")) return inspect_prepared(path);
  refuse(
      "{} is a folder, but not a model (no config.json), a run directory (no metrics.jsonl) or prepared text "
      "(no manifest.json).",
      path);
}

bool begins_with(const std::string& path, std::string_view magic) {
  std::string head(magic.size(), '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
  return head == magic;
}

int verify(const std::string& path) {
  const std::vector<FileVerdict> verdicts = verify_files(path);
  std::size_t corrupt = 0;
  for (const FileVerdict& file : verdicts) {
    corrupt += file.problem.empty() ? 0 : 1;
    fmt::print("{:<9}{}: {}\n", file.problem.empty() ? "valid" : "CORRUPT", printable(file.path),
               file.problem.empty() ? file.what : file.problem);
  }
  fmt::print("{} of {} valid\n", verdicts.size() - corrupt, verdicts.size());
  return corrupt == 0 ? kDone : kFailed;
}

int run(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    refuse("{} cannot be read: {}.", path, error ? error.message() : "No such file or directory");
  if (!fs::is_directory(status) && !fs::is_regular_file(status))
    refuse("{} is neither a file nor a folder.", path);
  if (fs::is_directory(status)) {
    inspect_folder(path);
  } else if (is_checkpoint(path)) {
    inspect_checkpoint(path);
  } else if (begins_with(path, "\x89HDF\r\n\x1a\n")) {
    inspect_shard(path);
  } else {
    try {
      inspect_tokenizer(path);
    } catch (const InputError&) {
      refuse("{} is not a shard, a checkpoint or a tokenizer.", path);
    }
  }
  return kDone;
}

}  // namespace

Command inspect_command() {
  auto path = std::make_shared<std::string>();
  auto verify_all = std::make_shared<bool>(false);
  return {
      .name = "inspect",
      .summary = "Describe a shard, checkpoint, tokenizer, model folder, run directory or prepared text.",
      .details =
          "The kind of file is recognized by its content. Shards and checkpoints are read to their end, so "
          "corruption shows.",
      .example =
          "nystrom inspect prepared/train/00000.h5\nnystrom inspect run/checkpoints/step-00001000.h5\n"
          "nystrom inspect --verify run",
      .options =
          [path, verify_all](OptionParser& app) {
            app.add_option("FILE", *path, "File or folder.")->required();
            app.add_flag(
                "--verify", *verify_all,
                "Validate each file (all checkpoints of a run, all shards of prepared text) against its "
                "checksums; exit status 1 if one is corrupt.");
          },
      .run = [path, verify_all](const Invocation&) { return *verify_all ? verify(*path) : run(*path); }};
}

}  // namespace nystrom
