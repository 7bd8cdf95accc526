#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/preparation/report.h"
#include "data/shards/inspect.h"
#include "data/shards/shard_check.h"
#include "data/shards/shard_reader.h"
#include "data/tokenizer/tokenizer.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "kernels/core/philox.h"
#include "kernels/core/printable.h"
#include "kernels/tensor/buffer.h"
#include "launch/chart/sparkline.h"
#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/models/file_verification.h"
#include "launch/models/model_source.h"
#include "launch/picture/attention_page.h"
#include "launch/setup/provenance.h"
#include "launch/setup/run_overview.h"
#include "model/attention/registry.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

struct Options {
  std::string path;
  bool verify = false, json = false, configuration = false;
  std::string attention, output = "attention.html";
  std::int64_t layer = -1, head = -1, landmarks = 0;
};

void print_json(const OrderedJson& json) {
  fmt::print("{}\n", json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

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

OrderedJson as_json(const ShardSummary& s) {
  OrderedJson json{{"kind", "shard"},
                   {"format", s.kind == ShardKind::kBert ? "bert" : "nystrom"},
                   {"file_bytes", s.file_bytes}};
  json["tokens"] = s.counts.tokens;
  if (s.kind == ShardKind::kBert) {
    json.update(OrderedJson{{"sequences", s.sequences}, {"width", s.width}, {"masked", s.masked}});
    return json;
  }
  json.update(OrderedJson{{"documents", s.counts.documents},
                          {"sentences", s.counts.sentences},
                          {"vocabulary_size", s.header.vocabulary_size},
                          {"tokenizer_sha256", s.header.tokenizer_sha256},
                          {"longest_document", s.document_tokens.longest},
                          {"longest_sentence", s.sentence_tokens.longest}});
  OrderedJson sources = OrderedJson::object();
  for (const auto& source : s.sources)
    sources[source.name] = {{"documents", source.counts.documents},
                            {"sentences", source.counts.sentences},
                            {"tokens", source.counts.tokens}};
  json["sources"] = std::move(sources);
  return json;
}

void inspect_shard(const Options& options) {
  const std::string& path = options.path;
  check_shards(std::span(&path, 1), ShardCheck::kAll);  // a crash of the HDF5 library becomes a sentence
  const ShardSummary s = summarize_shard(path);
  if (options.json) return print_json(as_json(s));
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

OrderedJson model_json(const ModelConfig& m, const HeadConfig& head) {
  const AttentionConfig& a = m.attention;
  return {{"head", entry_of(head.kind).name},
          {"attention", attention_entry(a.kind).name},
          {"layers", m.layers},
          {"hidden_size", m.hidden_size},
          {"heads", a.heads},
          {"intermediate_size", m.intermediate_size},
          {"vocabulary_size", m.vocabulary_size},
          {"max_positions", m.max_positions},
          {"convolution", a.taps}};
}

OrderedJson tokenizer_json(const Tokenizer& tokenizer) {
  if (tokenizer.empty()) return {};
  return {{"kind", tokenizer.kind()},
          {"vocabulary_size", tokenizer.vocabulary_size()},
          {"sha256", tokenizer.sha256()}};
}

void print_tokenizer(const Tokenizer& tokenizer) {
  if (tokenizer.empty()) return line("tokenizer", "none");
  line("tokenizer", fmt::format("{}, {} tokens, SHA-256 {}", tokenizer.kind(), tokenizer.vocabulary_size(),
                                tokenizer.sha256()));
}

std::int64_t values_of(const CheckpointReader& checkpoint) {
  std::int64_t values = 0;
  for (const auto& tensor : checkpoint.tensors()) {
    std::int64_t size = 1;
    for (const auto dim : tensor.shape) size *= dim;
    values += size;
  }
  return values;
}

Tokenizer tokenizer_of(const CheckpointReader& checkpoint, const std::string& path) {
  const RunIdentity& run = checkpoint.identity();
  return run.tokenizer.empty() ? Tokenizer() : Tokenizer::from_bytes(run.tokenizer, path);
}

OrderedJson checkpoint_json(const std::string& path) {
  const CheckpointReader checkpoint(path, false);
  const RunState& state = checkpoint.state();
  return {{"kind", "checkpoint"},
          {"path", path},
          {"step", state.step},
          {"samples", state.samples},
          {"updates", state.updates},
          {"seconds", state.seconds},
          {"model", model_json(checkpoint.model(), checkpoint.head())},
          {"tokenizer", tokenizer_json(tokenizer_of(checkpoint, path))},
          {"provenance", try_parse_json<OrderedJson>(checkpoint.identity().provenance)},
          {"tensors", checkpoint.tensors().size()},
          {"values", values_of(checkpoint)},
          {"file_bytes", fs::file_size(path)}};
}

/// What a checkpoint says besides its step.
void print_checkpoint(const CheckpointReader& checkpoint, const std::string& path) {
  print_model(checkpoint.model(), checkpoint.head());
  print_tokenizer(tokenizer_of(checkpoint, path));
  const std::string provenance = provenance_sentence(checkpoint.identity().provenance);
  line("written by", provenance.empty() ? "unknown (a version that did not record it)" : provenance);
  line("weights", fmt::format("{} tensors, {} values", checkpoint.tensors().size(), values_of(checkpoint)));
  line("file", size_text(fs::file_size(path)));
}

void print_configuration(const CheckpointReader& checkpoint) {
  fmt::print("\nconfiguration of the run:\n{}",
             printable_lines(checkpoint.identity().configuration, kMaxTextFileBytes));
}

void inspect_checkpoint(const Options& options) {
  const std::string& path = options.path;
  check_foreign_checkpoint(path);
  if (options.json) return print_json(checkpoint_json(path));
  const CheckpointReader checkpoint(path, false);
  const RunState& state = checkpoint.state();
  line("kind", "checkpoint; valid, its digest matches");
  line("step", fmt::format("{} ({} samples, {} updates, {:.0f} s)", state.step, state.samples, state.updates,
                           state.seconds));
  print_checkpoint(checkpoint, path);
  print_configuration(checkpoint);
}

void inspect_model_folder(const Options& options) {
  ModelSource model(options.path);
  const std::vector<std::string> start =
      model.lacks_convolution() ? model.notes() : std::vector<std::string>();
  model.use_as_it_is();
  if (options.json)
    return print_json({{"kind", "model"},
                       {"path", options.path},
                       {"model", model_json(model.config(), model.head())},
                       {"tokenizer", tokenizer_json(model.tokenizer())}});
  line("kind", "Hugging Face folder");
  print_model(model.config(), model.head());
  print_tokenizer(model.tokenizer());
  for (const auto& note : model.notes()) line("note", note);
  for (const auto& note : start) line("note", note);
}

void inspect_tokenizer(const Options& options) {
  const Tokenizer tokenizer = Tokenizer::read(options.path);
  if (options.json) {
    OrderedJson json{{"kind", "tokenizer"}};
    json.update(OrderedJson{{"tokenizer", tokenizer_json(tokenizer)}});
    return print_json(json);
  }
  line("kind", fmt::format("tokenizer ({})", tokenizer.kind()));
  line("tokens", fmt::format("{}", tokenizer.vocabulary_size()));
  line("SHA-256", tokenizer.sha256());
  const SpecialIds& s = tokenizer.special();
  for (const auto id : s.ids()) line("special", fmt::format("{} {}", id, tokenizer.piece(id)));
}

std::string losses_text(const RunOverview& run) {
  std::string text, parts;
  double tokens = 0;
  for (const auto& [key, value] : run.newest) {
    if (key == "loss") text = fmt::format("{:.4f}", value);
    if (key.ends_with("_loss"))
      parts += fmt::format("{}{} {:.4f}", parts.empty() ? "" : ", ", key.substr(0, key.size() - 5), value);
    if (key == "tokens_per_second") tokens = value;
  }
  if (!parts.empty()) text += " (" + parts + ")";
  return tokens > 0 ? text + fmt::format(", {:.0f} tokens/s", tokens) : text;
}

void print_overview(const RunOverview& run) {
  constexpr std::size_t kSparkline = 50;
  line("kind",
       fmt::format("run directory; {}", run.condition == RunCondition::kSilent
                                            ? "its job is silent: killed, or hanging (`nystrom doctor --job`)"
                                            : std::string(word_of(run.condition))));
  if (!run.started.empty()) line("started", run.started);
  std::string progress = fmt::format("{}", run.step);
  if (run.steps > 0)
    progress +=
        fmt::format(" of {} ({:.0f} %)", run.steps,
                    std::floor(100.0 * static_cast<double>(run.step) / static_cast<double>(run.steps)));
  progress += fmt::format(", {}", days_text(run.seconds));
  if (run.seconds_left > 0) progress += fmt::format(", {} left", days_text(run.seconds_left));
  line("step", progress);
  if (!run.newest.empty()) line("loss", losses_text(run));
  if (run.losses.size() > 1)
    line("", fmt::format("{:.4g} {} {:.4g}", run.losses.front(), sparkline(run.losses, kSparkline),
                         run.losses.back()));
  if (run.validation) line("validation", text_of(*run.validation));
  if (run.best && run.best->step != run.validation->step) line("best", text_of(*run.best));
}

// Run directory: how far and how well, and its latest valid checkpoint.
void inspect_run(const Options& options) {
  const RunOverview run = read_run_overview(options.path);
  const CheckpointSearch search = find_newest_checkpoint(fs::path(options.path) / "checkpoints");
  if (search.path) check_foreign_checkpoint(*search.path);
  if (options.json) {
    OrderedJson json = as_json(run);
    json["corrupt"] = search.warnings;
    json["checkpoint"] = search.path ? checkpoint_json(*search.path) : OrderedJson();
    return print_json(json);
  }
  print_overview(run);
  for (const auto& warning : search.warnings) line("corrupt", warning);
  line("latest checkpoint", search.path.value_or("none"));
  if (!search.path) return;
  const CheckpointReader checkpoint(*search.path, false);
  print_checkpoint(checkpoint, *search.path);
  if (options.configuration) print_configuration(checkpoint);
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

void inspect_prepared(const Options& options) {
  const std::string manifest = read_file((fs::path(options.path) / "manifest.json").string(), kAnySize);
  if (options.json) {
    OrderedJson json{{"kind", "prepared"}, {"path", options.path}};
    json["manifest"] = parse_json<OrderedJson>(options.path + "/manifest.json", manifest);
    return print_json(json);
  }
  line("kind", "prepared text");
  fmt::print("{}", manifest_summary(manifest));
  const fs::path folder = options.path, model = folder / "tokenizer.model", json = folder / "tokenizer.json";
  print_passages(folder, Tokenizer::read((fs::exists(model) ? model : json).string()));
}

void inspect_folder(const Options& options) {
  const fs::path path = options.path;
  if (fs::exists(path / "config.json")) return inspect_model_folder(options);
  if (fs::exists(path / "metrics.jsonl")) return inspect_run(options);
  if (fs::exists(path / "manifest.json")) return inspect_prepared(options);
  refuse(
      "{} is a folder, but not a model (no config.json), a run directory (no metrics.jsonl) or prepared text "
      "(no manifest.json).",
      options.path);
}

bool begins_with(const std::string& path, std::string_view magic) {
  std::string head(magic.size(), '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
  return head == magic;
}

int verify(const Options& options) {
  const std::vector<FileVerdict> verdicts = verify_files(options.path);
  std::size_t corrupt = 0;
  if (options.json) {
    OrderedJson files = OrderedJson::array();
    for (const FileVerdict& file : verdicts) {
      corrupt += file.problem.empty() ? 0 : 1;
      files.push_back({{"path", file.path},
                       {"valid", file.problem.empty()},
                       {"what", file.what},
                       {"problem", file.problem}});
    }
    print_json({{"valid", corrupt == 0}, {"files", std::move(files)}});
    return corrupt == 0 ? kDone : kFailed;
  }
  for (const FileVerdict& file : verdicts) {
    corrupt += file.problem.empty() ? 0 : 1;
    fmt::print("{:<9}{}: {}\n", file.problem.empty() ? "valid" : "CORRUPT", printable(file.path),
               file.problem.empty() ? file.what : file.problem);
  }
  fmt::print("{} of {} valid\n", verdicts.size() - corrupt, verdicts.size());
  return corrupt == 0 ? kDone : kFailed;
}

/// A number of a layer or a head; -1: not given.
std::optional<std::size_t> chosen(std::int64_t number, std::int64_t of, const char* option) {
  if (number == -1) return std::nullopt;
  if (number < 0 || number >= of)
    refuse("inspect: `{}` is {}; the model has 0 to {}.", option, number, of - 1);
  return static_cast<std::size_t>(number);
}

int draw_attention(const Options& options) {
  ModelSource source(options.path);
  source.use_as_it_is();
  const ModelConfig& model = source.config();
  const auto layer = chosen(options.layer, model.layers, "--layer"),
             head = chosen(options.head, model.attention.heads, "--head");
  if (options.landmarks < 0)
    refuse("inspect: `--landmarks` is {}; it must be at least 1.", options.landmarks);
  AttentionPicture picture = attention_picture(source, options.attention, options.landmarks);
  picture.layer = layer;
  picture.head = head;
  write_file(options.output, attention_page(picture));
  fmt::print("{} was written.\n", options.output);
  return kDone;
}

int run(const Options& options) {
  const std::string& path = options.path;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    refuse("{} cannot be read: {}.", path, error ? error.message() : "No such file or directory");
  if (!fs::is_directory(status) && !fs::is_regular_file(status))
    refuse("{} is neither a file nor a folder.", path);
  if (fs::is_directory(status)) {
    inspect_folder(options);
  } else if (is_checkpoint(path)) {
    inspect_checkpoint(options);
  } else if (begins_with(path, "\x89HDF\r\n\x1a\n")) {
    inspect_shard(options);
  } else {
    try {
      inspect_tokenizer(options);
    } catch (const InputError&) {
      refuse("{} is not a shard, a checkpoint or a tokenizer.", path);
    }
  }
  return kDone;
}

}  // namespace

Command inspect_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "inspect",
      .summary = "Describe a shard, checkpoint, tokenizer, model folder, run directory or prepared text.",
      .details =
          "The kind of file is recognized by its content. Shards and checkpoints are read completely, so "
          "corruption shows. Of a run directory it shows whether a job runs there, how far it is, its losses and its "
          "latest checkpoint. With `--attention` it draws the attention of a model on a text: tokens and their "
          "landmarks, the three kernels, Nystrom against exact softmax attention, by layer and head.",
      .example =
          "nystrom inspect prepared/train/00000.h5\nnystrom inspect run/checkpoints/step-00001000.h5\n"
          "nystrom inspect run --json\nnystrom inspect --verify run\n"
          "nystrom inspect run --attention 'A text of some length.' --landmarks 8",
      .options =
          [options](OptionParser& app) {
            app.add_option("FILE", options->path, "File or folder.")->required();
            app.add_flag(
                "--verify", options->verify,
                "Validate each file (all checkpoints of a run, all shards of prepared text) against its "
                "checksums; exit status 1 if one is corrupt.");
            app.add_flag("--json", options->json, "Print one line of JSON instead.");
            app.add_flag("--configuration", options->configuration,
                         "Of a run directory, print its configuration too.");
            app.add_option("--attention", options->attention,
                           "Of a model: draw its attention for this text, to `--output`.");
            app.add_option("--layer", options->layer, "The layer to draw enlarged, from 0; by default any.");
            app.add_option("--head", options->head,
                           "The head to draw enlarged, from 0; by default the one with the largest error.");
            app.add_option("--landmarks", options->landmarks, "Number of landmarks; by default the model's.");
            app.add_option("--output", options->output, "HTML file to write.")->capture_default_str();
          },
      .run =
          [options](const Invocation&) {
            if (!options->attention.empty()) return draw_attention(*options);
            return options->verify ? verify(*options) : run(*options);
          }};
}

}  // namespace nystrom
