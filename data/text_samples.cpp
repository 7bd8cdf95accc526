#include "data/text_samples.h"

#include <algorithm>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace nystrom {
namespace {

std::uint64_t capacity_of(const SampleOptions& options) {
  const std::int64_t special = options.pairs ? 3 : 2;
  if (options.sequence_length < special + 2)
    refuse("data.sequence_length is {}: too short for special tokens and text", options.sequence_length);
  return static_cast<std::uint64_t>(options.sequence_length - special);
}

// Random tokens come from the tokenizer's vocabulary, which may be smaller than the model's.
Masker make_masker(const SampleOptions& options) {
  const ShardReader first(options.shards.front());
  return {options.masking, options.special, first.header().vocabulary_size, options.starts_word,
          options.seed};
}

}  // namespace

TextSamples::TextSamples(const SampleOptions& options)
    : capacity_(capacity_of(options)),
      pairs_(options.pairs),
      special_(options.special),
      seed_(options.seed),
      cache_(options.cache_bytes),
      masker_(make_masker(options)),
      first_sample_{0} {
  std::uint64_t stored = 0;
  for (const auto& path : options.shards) {
    auto reader = std::make_unique<ShardReader>(path, &cache_);
    check_compatible(*reader, options);
    add_shard(*reader, pairs_ ? 3 : 2);
    stored += reader->stored_bytes();
    shards_.add(std::move(reader));
  }
  if (stored > options.verify_bytes) return;
  for (std::size_t shard = 0; shard < shards_.size(); ++shard) shards_.use(shard).scan_tokens([](auto) {});
}

void TextSamples::check_compatible(const ShardReader& reader, const SampleOptions& options) const {
  const ShardHeader& header = reader.header();
  if (header.vocabulary_size > options.vocabulary_size)
    refuse("{} has a vocabulary of {} tokens, the model one of {}: set model.vocabulary_size to at least {}",
           reader.path(), header.vocabulary_size, options.vocabulary_size, header.vocabulary_size);
  if (!options.tokenizer_sha256.empty() && header.tokenizer_sha256 != options.tokenizer_sha256)
    refuse(
        "{} was made with another tokenizer (SHA-256 {}) than the one given ({}): prepare it again with that "
        "one",
        reader.path(), header.tokenizer_sha256, options.tokenizer_sha256);
  if (shards_.size() > 0) {
    const ShardReader& first = shards_.peek(0);
    if (header.tokenizer_sha256 != first.header().tokenizer_sha256 ||
        header.vocabulary_size != first.header().vocabulary_size || header.special != first.header().special)
      refuse("{} and {} were made with different tokenizers; prepare them with one", first.path(),
             reader.path());
  }
  if (header.special != options.special)
    refuse("{} has other special tokens than the tokenizer given; prepare it again with that one",
           reader.path());
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (reader.counts().tokens > kMost || reader.counts().sentences > kMost)
    refuse("{} holds more than {} tokens; prepare it again with a smaller output.shard_tokens", reader.path(),
           kMost);
}

void TextSamples::add_shard(const ShardReader& reader, std::uint64_t special_tokens) {
  const auto begin = [&](std::uint64_t token, std::uint64_t sentence) {
    starts_.push_back({static_cast<std::uint32_t>(token), static_cast<std::uint32_t>(sentence)});
  };
  constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t document_now = kNone, start = 0, boundaries = 0, specials = 0;
  const auto close = [&] { specials += boundaries > 0 ? special_tokens : 2; };
  reader.scan_sentences(
      [&](std::uint64_t document, std::uint64_t sentence, std::uint64_t first, std::uint64_t end) {
        if (document == document_now && end - start <= capacity_) {
          ++boundaries;
          return;
        }
        if (document_now != kNone) close();
        document_now = document;
        start = first;
        boundaries = 0;
        begin(start, sentence);
        while (end - start > capacity_) {
          close();
          start += capacity_;
          begin(start, sentence);
        }
      });
  if (document_now != kNone) close();
  const std::uint64_t shard = first_sample_.size() - 1;
  first_sample_.push_back(starts_.size() - shard);  // `shard` ends stand before these
  begin(static_cast<std::uint64_t>(reader.counts().tokens),
        static_cast<std::uint64_t>(reader.counts().sentences));
  tokens_ += reader.counts().tokens + static_cast<std::int64_t>(specials);
}

void TextSamples::read(std::uint64_t index, std::uint64_t key, Sample& sample) {
  const auto after = std::upper_bound(first_sample_.begin(), first_sample_.end(), index);
  const auto shard = static_cast<std::size_t>(after - first_sample_.begin()) - 1;
  const Start start = starts_[index + shard], end = starts_[index + shard + 1];
  ShardReader& reader = shards_.use(shard);
  text_.clear();
  reader.read_tokens(start.token, end.token - start.token, text_);

  boundaries_.clear();
  if (pairs_) read_boundaries(reader, start, end);
  auto a_begin = text_.begin(), a_end = text_.end(), b_begin = text_.end(), b_end = text_.end();
  sample.sop_label = -1;
  if (!boundaries_.empty()) {
    Random random(seed_, Purpose::kSentenceOrder, key);
    const std::uint64_t cut = boundaries_[random.below(boundaries_.size())] - start.token;
    a_end = b_begin = text_.begin() + static_cast<std::ptrdiff_t>(cut);
    sample.sop_label = static_cast<std::int32_t>(random.below(2));
    if (sample.sop_label == 1) {
      std::swap(a_begin, b_begin);
      std::swap(a_end, b_end);
    }
  }
  sample.ids.assign(1, special_.bos);
  sample.ids.insert(sample.ids.end(), a_begin, a_end);
  sample.ids.push_back(special_.eos);
  sample.token_types.assign(sample.ids.size(), 0);
  if (b_begin != b_end) {
    sample.ids.insert(sample.ids.end(), b_begin, b_end);
    sample.ids.push_back(special_.eos);
    sample.token_types.resize(sample.ids.size(), 1);
  }
  masker_.apply(key, sample.ids, sample.mlm_positions, sample.mlm_labels);
}

void TextSamples::read_boundaries(ShardReader& reader, const Start& start, const Start& end) {
  reader.read_sentence_offsets(std::uint64_t{start.sentence} + 1, end.sentence - start.sentence, boundaries_);
  while (!boundaries_.empty() && boundaries_.back() >= end.token) boundaries_.pop_back();
}

}  // namespace nystrom
