#include "data/shards/inspect.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>

#include "data/shards/bert_shard_reader.h"
#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

constexpr std::int64_t kAnyLength = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kAnyVocabulary = std::int64_t{1} << 24U;  // bounds what a corrupt id can cost

void summarize_text(ShardSummary& summary) {
  const ShardReader reader(summary.path);
  summary.header = reader.header();
  summary.counts = reader.counts();
  for (const auto& name : summary.header.sources) summary.sources.push_back({name, {}});
  reader.scan_tokens([](auto) {});
  SourceCursor sources = reader.sources();
  std::uint64_t document_now = 0;
  std::int64_t document_tokens = 0;
  ShardCounts* counts = nullptr;
  const auto end_document = [&] {
    if (document_tokens > 0) summary.document_tokens.add(document_tokens);
    document_tokens = 0;
  };
  reader.scan_sentences([&](std::uint64_t document, std::uint64_t, std::uint64_t first, std::uint64_t end) {
    if (counts == nullptr || document != document_now) {
      end_document();
      document_now = document;
      counts = &summary.sources[sources.next()].counts;
      ++counts->documents;
    }
    const auto tokens = static_cast<std::int64_t>(end - first);
    document_tokens += tokens;
    ++counts->sentences;
    counts->tokens += tokens;
    summary.sentence_tokens.add(tokens);
  });
  end_document();
}

void summarize_bert(ShardSummary& summary) {
  ChunkCache cache(ShardReader::kOwnCacheBytes);
  BertShardReader reader(summary.path, &cache);
  summary.sequences = static_cast<std::int64_t>(reader.sequences());
  summary.width = static_cast<std::int64_t>(reader.width());
  summary.max_masked = static_cast<std::int64_t>(reader.max_masked());
  Sample sample;
  for (std::uint64_t row = 0; row < reader.sequences(); ++row) {
    reader.read(row, kAnyLength, kAnyVocabulary, sample);
    const auto tokens = std::ssize(sample.ids);
    summary.counts.tokens += tokens;
    summary.masked += std::ssize(sample.mlm_labels);
    summary.sequence_tokens.add(tokens);
  }
}

void count_text(const std::string& path, std::vector<std::uint64_t>& counts) {
  const ShardReader reader(path);
  const auto vocabulary = static_cast<std::size_t>(reader.header().vocabulary_size);
  if (counts.size() < vocabulary) counts.resize(vocabulary, 0);
  reader.scan_tokens([&](std::span<const std::int32_t> ids) {
    for (std::int32_t id : ids) ++counts[static_cast<std::size_t>(id)];
  });
  for (std::int32_t id : reader.header().special.ids()) counts[static_cast<std::size_t>(id)] = 0;
}

void count_bert(const std::string& path, std::vector<std::uint64_t>& counts) {
  ChunkCache cache(ShardReader::kOwnCacheBytes);
  BertShardReader reader(path, &cache);
  Sample sample;
  for (std::uint64_t row = 0; row < reader.sequences(); ++row) {
    reader.read(row, kAnyLength, kAnyVocabulary, sample);
    for (std::int32_t label : sample.mlm_labels) {
      const auto id = static_cast<std::size_t>(label);
      if (counts.size() <= id) counts.resize(id + 1, 0);
      ++counts[id];
    }
  }
}

}  // namespace

void LengthHistogram::add(std::int64_t length) {
  const auto bin = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(length)) - 1);
  if (bins.size() <= bin) bins.resize(bin + 1, 0);
  ++bins[bin];
  longest = std::max(longest, length);
}

ShardSummary summarize_shard(const std::string& path) {
  ShardSummary summary;
  summary.path = path;
  summary.kind = shard_kind(path);
  summary.file_bytes = std::filesystem::file_size(path);
  const Stage stage(fmt::format("reading {}", path));
  if (summary.kind == ShardKind::kNystrom)
    summarize_text(summary);
  else
    summarize_bert(summary);
  return summary;
}

std::vector<std::uint64_t> count_tokens(const std::vector<std::string>& shards) {
  std::vector<std::uint64_t> counts;
  Stage stage("counting tokens", static_cast<double>(shards.size()));
  for (const auto& path : shards) {
    if (shard_kind(path) == ShardKind::kNystrom)
      count_text(path, counts);
    else
      count_bert(path, counts);
    stage.advance();
  }
  return counts;
}

double entropy_of(const std::vector<std::uint64_t>& counts) {
  double total = 0, sum = 0;
  for (std::uint64_t count : counts) total += static_cast<double>(count);
  for (std::uint64_t count : counts) {
    if (count == 0) continue;
    const double p = static_cast<double>(count) / total;
    sum -= p * std::log(p);
  }
  return sum;
}

double unigram_entropy(const std::vector<std::string>& shards) {
  return entropy_of(count_tokens(shards));
}

}  // namespace nystrom
