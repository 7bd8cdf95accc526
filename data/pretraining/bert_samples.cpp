#include "data/pretraining/bert_samples.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {

BertSamples::BertSamples(const SampleOptions& options)
    : sequence_length_(options.sequence_length),
      vocabulary_size_(options.vocabulary_size),
      labels_(options.pairs),
      cache_(std::max<std::size_t>(options.cache_bytes, 5 * kWindowBytes / 2)),  // two windows, at their seam
      first_sample_{0} {
  std::uint64_t stored = 0;
  bool wide = false;
  Stage stage("opening the shards", static_cast<double>(options.shards.size()));
  for (const auto& path : options.shards) {
    auto reader = std::make_unique<BertShardReader>(path, &cache_);
    first_sample_.push_back(first_sample_.back() + reader->sequences());
    max_masked_ = std::max(max_masked_, static_cast<std::int64_t>(reader->max_masked()));
    stored += reader->stored_bytes();
    wide = wide || static_cast<std::int64_t>(reader->width()) > sequence_length_;
    shards_.add(std::move(reader));
    stage.advance();
  }
  // Rows wider than the sequence length may still hold sequences that are not: look before the run begins.
  if (wide || stored <= options.verify_bytes) read_through(options);
}

void BertSamples::read_through(const SampleOptions& options) {
  Sample sample;
  tokens_ = 0;
  for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
    BertShardReader& reader = shards_.use(shard);
    for (std::uint64_t row = 0; row < reader.sequences(); ++row) {
      reader.read(row, sequence_length_, options.vocabulary_size, sample);
      tokens_ += static_cast<std::int64_t>(sample.ids.size());
    }
  }
}

Blocks BertSamples::blocks() const {
  Blocks blocks;
  std::uint64_t row_bytes = 1;
  for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
    const BertShardReader& reader = shards_.peek(shard);
    for (std::uint64_t row = 0; row < reader.sequences(); row += reader.block_rows())
      blocks.begins.push_back(first_sample_[shard] + row);
    row_bytes = std::max(row_bytes, 6 * reader.width() + 8 * reader.max_masked());
  }
  blocks.begins.push_back(first_sample_.back());
  blocks.window = kWindowBytes / row_bytes + 1;
  return blocks;
}

std::vector<std::string> BertSamples::warnings() const {
  if (!labels_) return {};
  return {fmt::format(
      "{}: NVIDIA's BERT shards label random next sentences (`next_sentence_labels`), not swapped "
      "ones, and are used as sentence-order labels. Set `objective.sop_weight` to 0 unless you want "
      "that.",
      shards_.peek(0).path())};
}

void BertSamples::read(std::uint64_t index, std::uint64_t, Sample& sample) {
  const auto after = std::upper_bound(first_sample_.begin(), first_sample_.end(), index);
  const auto shard = static_cast<std::size_t>(after - first_sample_.begin()) - 1;
  shards_.use(shard).read(index - first_sample_[shard], sequence_length_, vocabulary_size_, sample);
  if (!labels_) sample.sop_label = -1;
}

}  // namespace nystrom
