#include "launch/report/text_sample.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <span>

#include "data/glob.h"
#include "data/shards/shard_check.h"
#include "data/shards/shard_reader.h"
#include "data/tokenizer/tokenizer.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/philox.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kDocuments = 400, kMaxShards = 32;
constexpr std::uint64_t kTokens = 256, kPassageTokens = 60;  // of a document
constexpr std::size_t kPassages = 8, kPieces = 60;

std::vector<std::string> training_shards(const std::string& directory) {
  std::vector<std::string> shards;
  for (const std::string& file : files_below((fs::path(directory) / "train").string()))
    if (file.ends_with(".h5")) shards.push_back(file);
  std::ranges::sort(shards);
  if (shards.size() > kMaxShards) shards.resize(kMaxShards);
  return shards;
}

Tokenizer tokenizer_in(const std::string& directory) {
  const fs::path folder = directory;
  for (const char* name : {"tokenizer.model", "tokenizer.json"})
    if (file_exists((folder / name).string())) return Tokenizer::read((folder / name).string());
  refuse("{} has no tokenizer.", directory);
}

/// The first tokens of a document.
std::vector<std::int32_t> first_tokens(ShardReader& shard, std::uint64_t document) {
  std::vector<std::uint64_t> sentences, begin, end;
  shard.read_document_offsets(document, 2, sentences);
  shard.read_sentence_offsets(sentences[0], 1, begin);
  shard.read_sentence_offsets(sentences[1], 1, end);
  std::vector<std::int32_t> ids;
  shard.read_tokens(begin[0], std::min(kTokens, end[0] - begin[0]), ids);
  return ids;
}

std::int64_t words_in(const std::string& text) {
  std::int64_t words = 0;
  bool within = false;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\t';
    words += !blank && !within ? 1 : 0;
    within = !blank;
  }
  return words;
}

std::int64_t characters_in(const std::string& text) {
  return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

class Sampler {
 public:
  explicit Sampler(const std::string& directory) : tokenizer_(tokenizer_in(directory)) {}

  void add(const std::vector<std::int32_t>& ids) {
    const std::string text = tokenizer_.decode(ids);
    ++sample_.documents;
    sample_.tokens += std::ssize(ids);
    sample_.words += words_in(text);
    sample_.characters += characters_in(text);
    sample_.unknown += std::ranges::count(ids, tokenizer_.special().unk);
    for (const std::int32_t id : ids) ++counts_[id];
    if (sample_.passages.size() == kPassages) return;
    const std::span<const std::int32_t> all(ids);
    const bool is_cut = ids.size() > kPassageTokens;
    sample_.passages.push_back(
        tokenizer_.decode(all.first(std::min<std::size_t>(kPassageTokens, ids.size()))) +
        (is_cut ? " …" : ""));
  }

  [[nodiscard]] const Tokenizer& tokenizer() const { return tokenizer_; }

  [[nodiscard]] SampleStatistics finish() {
    std::vector<std::pair<std::int64_t, std::int32_t>> order;  // -count, id
    for (const auto& [id, count] : counts_) order.emplace_back(-count, id);
    std::ranges::sort(order);
    order.resize(std::min(order.size(), kPieces));
    for (const auto& [count, id] : order) sample_.pieces.emplace_back(tokenizer_.piece(id), -count);
    return std::move(sample_);
  }

 private:
  Tokenizer tokenizer_;
  std::map<std::int32_t, std::int64_t> counts_;
  SampleStatistics sample_;
};

}  // namespace

SampleStatistics sample_text(const std::string& directory, ShardsOf whose) {
  const std::vector<std::string> shards = training_shards(directory);
  if (shards.empty()) return {};
  if (whose == ShardsOf::kAnybody) check_shards(shards, ShardCheck::kStructure);
  Sampler sampler(directory);
  std::uint64_t number = 0;
  Stage stage("sampling the text", static_cast<double>(shards.size()));
  for (const std::string& path : shards) {
    ShardReader shard(path);
    if (shard.header().tokenizer_sha256 != sampler.tokenizer().sha256())
      refuse("{} was made with another tokenizer than the one in {}.", path, directory);
    const auto documents = static_cast<std::uint64_t>(shard.counts().documents);
    const std::uint64_t wanted = kDocuments / shards.size();
    Random random(1, Purpose::kOrder, number++);
    for (std::uint64_t i = 0; i < std::min(wanted, documents); ++i)
      sampler.add(first_tokens(shard, documents > wanted ? random.below(documents) : i));
    stage.advance();
  }
  return sampler.finish();
}

}  // namespace nystrom
