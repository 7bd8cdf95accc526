// Last stage: shards are planned from the blocks' counts, then written independently.

#include <algorithm>
#include <filesystem>
#include <map>

#include "data/preparation/blocks/token_block.h"
#include "data/preparation/stages.h"
#include "data/shards/shard.h"
#include "kernels/core/check.h"
#include "kernels/core/sha256.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

/// Documents [first, last) of one split of a block.
struct DocumentRange {
  std::size_t block = 0;
  Split side = Split::kTrain;
  std::size_t first = 0, last = 0;
};

struct PlannedShard {
  Split split = Split::kTrain;
  std::string file;
  std::vector<DocumentRange> ranges;
  ShardCounts counts;
};

using Place = std::pair<std::size_t, std::size_t>;  // block, index among its training documents

class Plan {
 public:
  Plan(const StageContext& context, const std::vector<BlockName>& blocks)
      : context_(context), blocks_(blocks) {
    for (auto& split : by_source_) split.resize(context.options.corpora.size());
    Stage stage("planning shards", 2 * static_cast<double>(blocks.size()));
    find_moves(stage);
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      const auto counts = read_token_counts(blocks[block].in(context.staging, "tokens"));
      for (std::size_t side = 0; side < counts.size(); ++side) {
        for (std::size_t d = 0; d < counts.at(side).size(); ++d)
          add(block, static_cast<Split>(side), d, counts.at(side)[d]);
      }
      stage.advance();
    }
  }

  [[nodiscard]] std::vector<PlannedShard>& shards() { return shards_; }
  [[nodiscard]] const LengthHistogram& lengths(std::size_t split) const { return lengths_.at(split); }
  [[nodiscard]] const std::vector<ShardCounts>& by_source(std::size_t split) const {
    return by_source_.at(split);
  }

 private:
  void find_moves(Stage& stage) {
    const auto& options = context_.options;
    EmptySides<Place> empty(options.validation_fraction, options.test_fraction);
    for (std::size_t block = 0; block < blocks_.size(); ++block) {
      const auto counts = read_token_counts(blocks_[block].in(context_.staging, "tokens"));
      for (std::size_t side = 0; side < counts.size(); ++side) {
        for (std::size_t d = 0; d < counts.at(side).size(); ++d)
          empty.add(static_cast<Split>(side), counts.at(side)[d].hash, {block, d});
      }
      stage.advance();
    }
    for (const auto& [place, split] : empty.moves()) moves_[place] = split;
  }

  void add(std::size_t block, Split side, std::size_t index, const TokenCounts& document) {
    Split split = side;
    if (const auto move = moves_.find({block, index}); side == Split::kTrain && move != moves_.end())
      split = move->second;
    const auto s = static_cast<std::size_t>(split);
    auto& open = open_.at(s);
    const auto tokens = static_cast<std::int64_t>(document.tokens);
    if (open == 0 || shards_[open - 1].counts.tokens + tokens > context_.options.shard_tokens) {
      shards_.push_back({split, fmt::format("{:05}.h5", files_.at(s)++), {}, {}});
      open = shards_.size();
    }
    auto& shard = shards_[open - 1];
    auto* range = shard.ranges.empty() ? nullptr : &shard.ranges.back();
    if (range != nullptr && range->block == block && range->side == side && range->last == index)
      ++range->last;
    else
      shard.ranges.push_back({block, side, index, index + 1});
    for (auto* counts : {&shard.counts, &by_source_.at(s)[blocks_[block].source]}) {
      counts->documents += 1;
      counts->sentences += document.sentences;
      counts->tokens += tokens;
    }
    lengths_.at(s).add(tokens);
  }

  const StageContext& context_;
  const std::vector<BlockName>& blocks_;
  std::map<Place, Split> moves_;
  std::vector<PlannedShard> shards_;
  std::array<std::size_t, 3> open_{}, files_{};  // shard that is filled (index + 1); how many each split has
  std::array<std::vector<ShardCounts>, 3> by_source_;
  std::array<LengthHistogram, 3> lengths_;
};

void write_shard(const StageContext& context, const std::vector<BlockName>& blocks, const ShardHeader& header,
                 const PlannedShard& shard, const std::string& path, Stage& stage) {
  ShardWriter writer(path, header);
  for (const auto& range : shard.ranges) {
    const auto documents =
        read_token_documents(blocks[range.block].in(context.staging, "tokens"), range.side);
    const std::int64_t before = writer.counts().tokens;
    for (std::size_t d = range.first; d < range.last; ++d)
      writer.add_document(static_cast<std::int64_t>(blocks[range.block].source), documents.at(d).sentences);
    stage.advance(static_cast<double>(writer.counts().tokens - before));
  }
  NYSTROM_CHECK(writer.counts() == shard.counts, "{}: other counts than planned", path);
  writer.finish();
}

}  // namespace

std::array<SplitResult, 3> write_shards(const StageContext& context, const std::vector<BlockName>& blocks,
                                        const Tokenizer& tokenizer, const std::vector<std::string>& sources) {
  Plan plan(context, blocks);
  const ShardHeader header{tokenizer.vocabulary_size(), tokenizer.special(), tokenizer.sha256(), sources};
  auto& shards = plan.shards();
  const auto path_of = [&](const PlannedShard& shard) {
    return fs::path(context.staging) / kSplitNames.at(static_cast<std::size_t>(shard.split)) / shard.file;
  };
  for (const auto& shard : shards) {
    std::error_code error;
    fs::create_directories(path_of(shard).parent_path(), error);
    if (error) fail("{} cannot be made: {}.", path_of(shard).parent_path().string(), error.message());
  }
  std::vector<std::int64_t> sizes;
  for (const auto& shard : shards) sizes.push_back(shard.counts.tokens);
  const auto mine = context.group.share_of(sizes);
  {
    double tokens = 0;  // in the shards of this rank
    for (std::size_t i = 0; i < sizes.size(); ++i) tokens += mine[i] ? static_cast<double>(sizes[i]) : 0;
    Stage stage("writing shards", tokens);
    parallel_for_each(context.threads, shards.size(), [&](std::size_t i, int) {
      const auto path = path_of(shards[i]).string();
      if (!mine[i]) return;
      if (fs::exists(path))
        stage.advance(static_cast<double>(sizes[i]));
      else
        write_shard(context, blocks, header, shards[i], path, stage);
    });
    context.group.barrier();
  }
  std::array<SplitResult, 3> results;
  std::vector<WrittenShard> written(shards.size());
  if (context.group.rank == 0) {
    Stage stage("hashing shards", static_cast<double>(shards.size()));
    parallel_for_each(context.threads, shards.size(), [&](std::size_t i, int) {
      const auto path = path_of(shards[i]).string();
      written[i] = {shards[i].file, static_cast<std::int64_t>(fs::file_size(path)), sha256_of_file(path),
                    shards[i].counts};
      stage.advance();
    });
  }
  for (std::size_t i = 0; i < shards.size(); ++i)
    results.at(static_cast<std::size_t>(shards[i].split)).shards.push_back(written[i]);
  for (std::size_t split = 0; split < results.size(); ++split) {
    results.at(split).by_source = plan.by_source(split);
    results.at(split).document_tokens = plan.lengths(split);
  }
  return results;
}

}  // namespace nystrom
