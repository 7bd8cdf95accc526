#include "data/preparation/manifest.h"

#include <filesystem>

#include "data/preparation/prepare_directory.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "kernels/core/sha256.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr const char* kFormat = "nystrom preparation";
constexpr int kVersion = 2;
constexpr std::size_t kFilesListed = 256;  // more are summed up in one hash

// Paths may be any bytes; JSON's strings may not.
std::string dumped(const OrderedJson& json) {
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

OrderedJson special_json(const Tokenizer& tokenizer) {
  const auto& s = tokenizer.special();
  const auto entry = [&tokenizer](std::int32_t id) {
    return OrderedJson{{"id", id}, {"piece", tokenizer.piece(id)}};
  };
  return {{"bos", entry(s.bos)},
          {"pad", entry(s.pad)},
          {"eos", entry(s.eos)},
          {"unk", entry(s.unk)},
          {"mask", entry(s.mask)}};
}

OrderedJson tokenizer_options(const PrepareTokenizer& tokenizer) {
  if (!tokenizer.path.empty()) return {{"path", tokenizer.path}};
  const auto& t = tokenizer.training;
  return {{"kind", t.kind},
          {"vocabulary_size", t.vocabulary_size},
          {"lowercase", t.lowercase},
          {"character_coverage", t.character_coverage},
          {"sample_bytes", tokenizer.sample_bytes},
          {"special_tokens",
           {{"bos", t.names.bos},
            {"pad", t.names.pad},
            {"eos", t.names.eos},
            {"unk", t.names.unk},
            {"mask", t.names.mask}}},
          {"special_ids",
           {{"bos", t.ids.bos},
            {"pad", t.ids.pad},
            {"eos", t.ids.eos},
            {"unk", t.ids.unk},
            {"mask", t.ids.mask}}}};
}

OrderedJson options_json(const PrepareOptions& options) {
  OrderedJson corpora = OrderedJson::array();
  for (const auto& spec : options.corpora) {
    OrderedJson entry{
        {"kind", spec.kind}, {"path", spec.path}, {"field", spec.field}, {"encoding", spec.encoding}};
    for (const auto& [name, drops] : {std::pair{"disambiguation", spec.drop_disambiguation},
                                      {"lists", spec.drop_lists},
                                      {"stubs", spec.drop_stubs}}) {
      if (drops) entry[name] = "drop";
    }
    if (spec.language != CorpusSpec().language) entry["language"] = spec.language;
    corpora.push_back(std::move(entry));
  }
  const auto& cleaning = options.cleaning;
  return {{"seed", options.seed},
          {"corpus", std::move(corpora)},
          {"tokenizer", tokenizer_options(options.tokenizer)},
          {"normalization", options.normalization},
          {"cleaning",
           {{"minimum_characters", cleaning.minimum_characters},
            {"duplicate_documents", cleaning.duplicate_documents},
            {"duplicate_paragraphs", cleaning.duplicate_paragraphs},
            {"near_duplicates", cleaning.near_duplicates},
            {"decontaminate", cleaning.decontaminate},
            {"keep_dropped", cleaning.keep_dropped},
            {"skip_damaged", cleaning.skip_damaged},
            {"expansion_limit", cleaning.expansion_limit}}},
          {"output",
           {{"shard_tokens", options.shard_tokens},
            {"validation_fraction", options.validation_fraction},
            {"test_fraction", options.test_fraction}}}};
}

OrderedJson reasons_json(const Reasons& reasons) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [reason, count] : reasons) {
    if (count != 0) json[reason] = count;
  }
  return json;
}

OrderedJson files_json(const SourceAccount& source) {
  std::int64_t bytes = 0;
  Sha256 hash;
  OrderedJson list = OrderedJson::array();
  for (const auto& file : source.files) {
    bytes += file.bytes;
    hash.update(file.sha256 + "\n");
    if (source.files.size() > kFilesListed) continue;
    const auto documents = source.stats.file_documents.find(file.path);
    list.push_back({{"path", file.path},
                    {"bytes", file.bytes},
                    {"sha256", file.sha256},
                    {"documents", documents == source.stats.file_documents.end() ? 0 : documents->second}});
  }
  OrderedJson json{{"count", source.files.size()}, {"bytes", bytes}, {"sha256", hash.hex()}};
  if (!list.empty()) json["list"] = std::move(list);
  return json;
}

OrderedJson counts_json(const ShardCounts& counts) {
  return {{"documents", counts.documents}, {"sentences", counts.sentences}, {"tokens", counts.tokens}};
}

OrderedJson source_json(const SourceAccount& source, const ManifestContent& content, std::size_t index) {
  const SourceStats& stats = source.stats;
  ShardCounts counts;
  for (const auto& split : content.splits) {
    counts.sentences += split.by_source[index].sentences;
    counts.tokens += split.by_source[index].tokens;
  }
  OrderedJson json{
      {"name", source.name},
      {"kind", source.spec.kind},
      {"path", source.spec.path},
      {"files", files_json(source)},
      {"documents", stats.documents},
      {"documents_dropped", reasons_json(stats.documents_dropped)},
      {"paragraphs_dropped", reasons_json(stats.paragraphs_dropped)},
      {"sentences", counts.sentences},
      {"tokens", counts.tokens},
      {"bytes", stats.bytes_kept},
      {"characters",
       {{"in", stats.characters_in},
        {"kept", stats.characters_kept},
        {"dropped", reasons_json(stats.characters_dropped)}}},
      {"replaced", {{"invalid_bytes", stats.repairs.invalid_bytes}, {"nul_bytes", stats.repairs.nul_bytes}}}};
  if (!stats.damage.empty()) json["damage"] = stats.damage;
  return json;
}

OrderedJson split_json(const SplitResult& split, const std::vector<SourceAccount>& sources) {
  OrderedJson json = counts_json(split.total());
  OrderedJson by_source = OrderedJson::object();
  for (std::size_t i = 0; i < sources.size(); ++i)
    by_source[sources[i].name] = counts_json(split.by_source[i]);
  json["by_source"] = std::move(by_source);
  json["document_tokens"] = {{"by_power_of_two", split.document_tokens.bins},
                             {"longest", split.document_tokens.longest}};
  OrderedJson shards = OrderedJson::array();
  for (const auto& shard : split.shards) {
    OrderedJson entry{{"file", shard.file}, {"bytes", shard.bytes}, {"sha256", shard.sha256}};
    entry.update(counts_json(shard.counts));
    shards.push_back(std::move(entry));
  }
  json["shards"] = std::move(shards);
  return json;
}

SplitCounts split_counts(const OrderedJson& splits, const char* name) {
  if (!splits.contains(name)) return {};
  const auto& split = splits.at(name);
  return {split.at("documents"), split.at("sentences"), split.at("tokens"),
          static_cast<std::int64_t>(split.at("shards").size())};
}

void check_files(const OrderedJson& manifest, const fs::path& folder) {
  for (const auto& [name, split] : manifest.at("splits").items()) {
    for (const auto& shard : split.at("shards")) {
      const fs::path file = shard.at("file").get<std::string>();
      if (file != file.filename() || fs::path(name) != fs::path(name).filename())
        refuse("The manifest of {} names {}, which is not in its folder. Prepare again.", folder.string(),
               (fs::path(name) / file).string());
      const fs::path path = folder / name / file;
      std::error_code error;
      const auto size = fs::file_size(path, error);
      if (error || size != shard.at("bytes").get<std::uint64_t>()) {
        refuse("{} is listed in the manifest but {}. Remove the output directory and prepare again.",
               path.string(), error ? "is not there" : "has another size");
      }
    }
  }
}

}  // namespace

std::string options_text(const PrepareOptions& options) {
  return dumped(options_json(options));
}
std::string special_tokens_text(const Tokenizer& tokenizer) {
  return dumped(special_json(tokenizer));
}

std::string manifest_text(const ManifestContent& content) {
  const auto& tokenizer = content.tokenizer;
  OrderedJson sources = OrderedJson::array();
  for (std::size_t i = 0; i < content.sources.size(); ++i)
    sources.push_back(source_json(content.sources[i], content, i));
  OrderedJson splits = OrderedJson::object();
  for (std::size_t i = 0; i < content.splits.size(); ++i) {
    if (content.splits.at(i).total().documents > 0)
      splits[kSplitNames.at(i)] = split_json(content.splits.at(i), content.sources);
  }
  return dumped({{"format", kFormat},
                 {"version", kVersion},
                 {"tool", "nystrom " NYSTROM_VERSION},
                 {"options", options_json(content.options)},
                 {"tokenizer",
                  {{"kind", tokenizer.kind()},
                   {"file", content.tokenizer_file},
                   {"sha256", tokenizer.sha256()},
                   {"vocabulary_size", tokenizer.vocabulary_size()},
                   {"special_tokens", special_json(tokenizer)},
                   {"training_sentences", content.sample_sentences}}},
                 {"sources", std::move(sources)},
                 {"splits", std::move(splits)}});
}

PrepareReport report_of_manifest(const std::string& text, const std::string& path,
                                 const std::string& options) {
  const auto manifest = try_parse_json<OrderedJson>(text);
  if (manifest.is_discarded() || !manifest.is_object() || !manifest.contains("format") ||
      manifest.at("format") != kFormat) {
    refuse("{} is not a manifest of nystrom prepare. Give another `output.directory`, or remove that one.",
           path);
  }
  try {
    const auto found = differences(manifest.at("options").dump(), options);
    if (!found.empty()) {
      refuse(
          "{} is of a preparation with other options: {}. Give another `output.directory`, or remove that one.",
          path, fmt::join(found, "; "));
    }
    check_files(manifest, fs::path(path).parent_path());
    PrepareReport report;
    report.already_done = true;
    report.train = split_counts(manifest.at("splits"), "train");
    report.validation = split_counts(manifest.at("splits"), "validation");
    report.test = split_counts(manifest.at("splits"), "test");
    report.vocabulary_size = manifest.at("tokenizer").at("vocabulary_size");
    report.tokenizer_sha256 = manifest.at("tokenizer").at("sha256");
    report.manifest = path;
    return report;
  } catch (const OrderedJson::exception& error) {
    refuse("{} is corrupt ({}). Remove the output directory and prepare again.", path, error.what());
  }
}

}  // namespace nystrom
