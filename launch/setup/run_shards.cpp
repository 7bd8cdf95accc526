#include "launch/setup/run_shards.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "data/glob.h"
#include "data/shards/shard_reader.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "launch/setup/task_setup.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

void add(ShardTotals& totals, const ShardReader& shard) {
  totals.documents += shard.counts().documents;
  totals.tokens += shard.counts().tokens;
  for (const auto& corpus : shard.header().sources)
    if (std::ranges::find(totals.corpora, corpus) == totals.corpora.end()) totals.corpora.push_back(corpus);
}

ShardTotals totals_of(const std::vector<std::string>& files, const std::string& first) {
  const bool first_is_ours = shard_kind(first) == ShardKind::kNystrom;
  const std::string tokenizer = first_is_ours ? ShardReader(first).header().tokenizer_sha256 : "";
  ShardTotals totals{.files = std::ssize(files)};
  for (const auto& file : files) {
    const bool ours = shard_kind(file) == ShardKind::kNystrom;
    if (ours != first_is_ours)
      refuse("{} and {} are shards of different formats; name shards of one format.", first, file);
    if (!ours) continue;
    const ShardReader shard(file);
    if (shard.header().tokenizer_sha256 != tokenizer)
      refuse("{} and {} were made with different tokenizers; prepare them with the same one.", first, file);
    add(totals, shard);
  }
  return totals;
}

std::string folders_of(const std::vector<std::string>& files) {
  constexpr std::size_t kMaxListed = 3;
  std::vector<std::string> folders;
  for (const auto& file : files) {
    const fs::path parent = fs::path(file).parent_path();
    const std::string folder = parent.empty() ? "." : parent.string();
    if (std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
  }
  const std::size_t rest = folders.size() - std::min(folders.size(), kMaxListed);
  folders.resize(folders.size() - rest);
  return fmt::format("{}{}", fmt::join(folders, ", "), rest > 0 ? fmt::format(" and {} more", rest) : "");
}

std::string text_member(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "lines (my-text/*.txt)", with the paths of the preparation's manifest where that is next to the shards.
std::vector<std::string> with_paths(std::vector<std::string> corpora, const std::string& shard) {
  const fs::path manifest = fs::path(shard).parent_path() / ".." / "manifest.json";
  const auto json = try_parse_json<nlohmann::json>(try_read_file(manifest.string()).value_or(""));
  if (!json.is_object() || !json.contains("sources")) return corpora;
  for (const auto& source : json["sources"]) {
    const auto found = std::ranges::find(corpora, text_member(source, "name"));
    const std::string path = text_member(source, "path");
    if (found != corpora.end() && !path.empty()) *found += fmt::format(" ({})", path);
  }
  return corpora;
}

// "Training shards: my-data/train, 1 shard, 13100 documents, 2279813 tokens; corpora: books, wikipedia."
std::string shards_sentence(std::string_view what, const std::vector<std::string>& files,
                            const ShardTotals& totals) {
  std::string text = fmt::format("{} shards: {}, {} shard{}", what, folders_of(files), files.size(),
                                 files.size() == 1 ? "" : "s");
  if (totals.documents > 0) text += fmt::format(", {} documents, {} tokens", totals.documents, totals.tokens);
  if (!totals.corpora.empty())
    text += fmt::format("; corpora: {}", fmt::join(with_paths(totals.corpora, files.front()), ", "));
  return text + ".";
}

bool lies_below(const std::string& file, const std::string& directory) {
  std::error_code ignored;
  const fs::path path = fs::weakly_canonical(file, ignored);
  fs::path above = fs::weakly_canonical(directory, ignored);
  if (!above.has_filename()) above = above.parent_path();  // "my-data/"
  return std::mismatch(above.begin(), above.end(), path.begin(), path.end()).first == above.end();
}

// A copied configuration whose output was changed and whose shards were not.
void warn_of_other_text(const std::string& directory, std::string_view key,
                        const std::vector<std::string>& files, std::vector<std::string>& warnings) {
  const auto is_inside = [&](const std::string& file) { return lies_below(file, directory); };
  if (directory.empty() || files.empty() || std::ranges::any_of(files, is_inside)) return;
  warnings.push_back(
      fmt::format("`{}` names {}, outside of `output.directory` ({}): this run does not read the text that "
                  "`prepare` writes there. Remove the key to use that text.",
                  key, files.front(), directory));
}

}  // namespace

void use_prepared_shards(Config& config) {
  if (pretrains_on_task(config)) return;
  if (config.output.directory.empty() || !config.data.shards.empty()) return;
  const fs::path directory = escaped_pattern(config.output.directory);
  config.data.shards = {(directory / "train" / "*.h5").string()};
  const std::string held_out = (directory / "validation" / "*.h5").string();
  if (!config.gives("data.validation") && !expand_glob(held_out).empty()) config.data.validation = {held_out};
}

std::vector<std::string> training_files(const Config& config) {
  const std::vector<std::string>& patterns = config.data.shards;
  if (!config.gives("data.shards") && patterns.size() == 1 && expand_glob(patterns.front()).empty())
    refuse("{} has no training shards; run `nystrom prepare` first, or set `data.shards`.",
           config.output.directory);
  return expand_globs(patterns, "data.shards");
}

ShardsReport report_shards(const Config& config, const std::string& first,
                           const std::vector<std::string>& training,
                           const std::vector<std::string>& validation) {
  ShardsReport report;
  const auto totals = [&](std::string_view split, std::string_view key,
                          const std::vector<std::string>& files) {
    if (files.empty()) return ShardTotals();
    ShardTotals found = totals_of(files, first);
    report.notes.push_back(shards_sentence(split, files, found));
    warn_of_other_text(config.output.directory, key, files, report.warnings);
    return found;
  };
  report.training = totals("Training", "data.shards", training);
  report.validation = totals("Validation", "data.validation", validation);
  return report;
}

}  // namespace nystrom
