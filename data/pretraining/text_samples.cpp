#include "data/pretraining/text_samples.h"

#include <algorithm>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

std::uint64_t capacity_of(const SampleOptions& options) {
  const std::int64_t special = options.pairs ? 3 : 2;
  if (options.sequence_length < special + 2)
    refuse("`data.sequence_length` is {}: too short for special tokens and text.", options.sequence_length);
  return static_cast<std::uint64_t>(options.sequence_length - special);
}

PackingOptions packing_of(const SampleOptions& options) {
  const double probability = options.short_sequence_probability;
  if (!(probability >= 0 && probability <= 1))
    refuse("`data.short_sequence_probability` is {}; it must be from 0 to 1.", probability);
  const PairStyle pairs = options.pairs ? options.pair_style : PairStyle::kExact;
  if (pairs == PairStyle::kOriginal && options.packing == Packing::kDocuments)
    refuse(
        "`data.pairs: original` cannot be combined with `data.packing: documents`: its pairs come from one "
        "document. Leave out one of them.");
  return {.capacity = capacity_of(options),
          .short_probability = probability,
          .packing = options.packing,
          .pairs = pairs,
          .seed = options.seed};
}

// Random tokens come from the tokenizer's vocabulary, which may be smaller than the model's.
Masker make_masker(const SampleOptions& options) {
  const ShardReader first(options.shards.front());
  return {options.masking, options.special, first.header().vocabulary_size, options.starts_word,
          options.seed};
}

/// Until both together have at most `most` tokens: one off the longer's front or back.
void truncate(std::span<const std::int32_t>& a, std::span<const std::int32_t>& b, std::size_t max_tokens,
              Random& random) {
  while (a.size() + b.size() > max_tokens) {
    auto& longer = a.size() > b.size() ? a : b;
    longer = random.below(2) == 0 ? longer.subspan(1) : longer.first(longer.size() - 1);
  }
}

}  // namespace

TextSamples::TextSamples(const SampleOptions& options)
    : packing_(packing_of(options)),
      pairs_(options.pairs),
      special_(options.special),
      seed_(options.seed),
      cache_(options.cache_bytes),
      masker_(make_masker(options)),
      first_sample_{0} {
  std::uint64_t stored = 0;
  Stage stage("opening the shards", 2 * static_cast<double>(options.shards.size()));
  for (const auto& path : options.shards) {
    auto reader = std::make_unique<ShardReader>(path, &cache_);
    check_compatible(*reader, options);
    add_shard(*reader);
    stored += reader->stored_bytes();
    shards_.add(std::move(reader));
    stage.advance();
  }
  if (packing_.pairs == PairStyle::kOriginal) tokens_ = -1;  // they differ from epoch to epoch
  if (stored > options.verify_bytes) return;
  for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
    shards_.use(shard).scan_tokens([](auto) {});
    stage.advance();
  }
}

void TextSamples::check_compatible(const ShardReader& reader, const SampleOptions& options) const {
  const ShardHeader& header = reader.header();
  if (header.vocabulary_size > options.vocabulary_size)
    refuse(
        "{} has a vocabulary of {} tokens, the model one of {}. Set `model.vocabulary_size` to at least {}.",
        reader.path(), header.vocabulary_size, options.vocabulary_size, header.vocabulary_size);
  if (!options.tokenizer_sha256.empty() && header.tokenizer_sha256 != options.tokenizer_sha256)
    refuse(
        "{} was made with another tokenizer (SHA-256 {}) than the one given ({}). Prepare it again with that "
        "one.",
        reader.path(), header.tokenizer_sha256, options.tokenizer_sha256);
  if (shards_.size() > 0) {
    const ShardReader& first = shards_.peek(0);
    if (header.tokenizer_sha256 != first.header().tokenizer_sha256 ||
        header.vocabulary_size != first.header().vocabulary_size || header.special != first.header().special)
      refuse("{} and {} were made with different tokenizers. Prepare them with the same one.", first.path(),
             reader.path());
  }
  if (header.special != options.special)
    refuse("{} has other special tokens than the tokenizer given. Prepare it again with that one.",
           reader.path());
  constexpr std::int64_t kMax = std::numeric_limits<std::uint32_t>::max();
  if (reader.counts().tokens > kMax || reader.counts().sentences > kMax)
    refuse("{} holds more than {} tokens. Prepare it again with a smaller `output.shard_tokens`.",
           reader.path(), kMax);
}

void TextSamples::add_shard(const ShardReader& reader) {
  const std::uint64_t before = first_sample_.back();
  SamplePacker packer(packing_, pairs_, before);
  SourceCursor sources = reader.sources();
  std::uint64_t documents = 0;
  reader.scan_sentences(
      [&](std::uint64_t document, std::uint64_t sentence, std::uint64_t first, std::uint64_t end) {
        if (document == documents) {
          packer.begin_document(static_cast<std::uint32_t>(sources.next()));
          ++documents;
        }
        packer.add_sentence(sentence, first, end);
      });
  const PackedSamples packed = packer.finish();
  add_corpora(reader, packed);
  const SampleStart end{static_cast<std::uint32_t>(reader.counts().tokens),
                        static_cast<std::uint32_t>(reader.counts().sentences)};
  starts_.insert(starts_.end(), packed.starts.begin(), packed.starts.end());
  starts_.push_back(end);
  first_sample_.push_back(before + packed.starts.size());
  if (packing_.packing == Packing::kDocuments || packing_.pairs == PairStyle::kOriginal) {
    first_document_.push_back(documents_.size());
    documents_.insert(documents_.end(), packed.documents.begin(), packed.documents.end());
    documents_.push_back(end);
  }
  tokens_ += reader.counts().tokens + packed.special_tokens;
}

void TextSamples::add_corpora(const ShardReader& reader, const PackedSamples& packed) {
  for (std::size_t i = 0; i < packed.sources.size(); ++i) {
    const std::string& name = reader.header().sources.at(packed.sources[i].source);
    auto corpus = std::ranges::find(corpora_, name, &CorpusSamples::name);
    if (corpus == corpora_.end()) corpus = corpora_.insert(corpora_.end(), CorpusSamples(name));
    const std::uint64_t first = packed.sources[i].first_sample;
    const std::uint64_t end =
        i + 1 < packed.sources.size() ? packed.sources[i + 1].first_sample : packed.starts.size();
    corpus->add(first_sample_.back() + first, end - first);
  }
}

void TextSamples::read(std::uint64_t index, std::uint64_t key, Sample& sample) {
  const auto after = std::upper_bound(first_sample_.begin(), first_sample_.end(), index);
  const auto shard = static_cast<std::size_t>(after - first_sample_.begin()) - 1;
  const SampleStart start = starts_[index + shard], end = starts_[index + shard + 1];
  ShardReader& reader = shards_.use(shard);
  text_.clear();
  reader.read_tokens(start.token, end.token - start.token, text_);
  sample.sop_label = -1;
  if (packing_.packing != Packing::kDocuments || !write_documents(shard, start, end, sample)) {
    boundaries_.clear();
    if (pairs_) read_boundaries(reader, start, end);
    if (packing_.pairs == PairStyle::kOriginal)
      write_original_pair(shard, index, start, key, sample);
    else
      write_exact_pair(start, key, sample);
  }
  masker_.apply(key, sample.ids, sample.mlm_positions, sample.mlm_labels);
}

void TextSamples::read_boundaries(ShardReader& reader, const SampleStart& start, const SampleStart& end) {
  reader.read_sentence_offsets(std::uint64_t{start.sentence} + 1, end.sentence - start.sentence, boundaries_);
  while (!boundaries_.empty() && boundaries_.back() >= end.token) boundaries_.pop_back();
}

std::span<const SampleStart> TextSamples::documents_of(std::size_t shard) const {
  const std::uint64_t begin = first_document_[shard];
  const std::uint64_t end =
      shard + 1 < first_document_.size() ? first_document_[shard + 1] : documents_.size();
  return std::span(documents_).subspan(begin, end - begin);  // with the shard's end
}

// Of several documents each ends with its own token. False if there is only one.
bool TextSamples::write_documents(std::size_t shard, const SampleStart& start, const SampleStart& end,
                                  Sample& sample) {
  const auto documents = documents_of(shard);
  auto next = std::ranges::upper_bound(documents, start.token, {}, &SampleStart::token);
  if (next->token >= end.token) return false;
  sample.ids.assign(1, special_.bos);
  std::uint32_t token = start.token;
  for (; token < end.token; ++next) {
    const std::uint32_t until = std::min(next->token, end.token);
    sample.ids.insert(sample.ids.end(), text_.begin() + (token - start.token),
                      text_.begin() + (until - start.token));
    sample.ids.push_back(special_.eos);
    token = until;
  }
  sample.token_types.assign(sample.ids.size(), 0);
  return true;
}

/// `<s> A </s> B </s>`, or `<s> A </s>` where B is empty.
void TextSamples::write_pair(Ids a, Ids b, Sample& sample) const {
  sample.ids.assign(1, special_.bos);
  sample.ids.insert(sample.ids.end(), a.begin(), a.end());
  sample.ids.push_back(special_.eos);
  sample.token_types.assign(sample.ids.size(), 0);
  if (b.empty()) return;
  sample.ids.insert(sample.ids.end(), b.begin(), b.end());
  sample.ids.push_back(special_.eos);
  sample.token_types.resize(sample.ids.size(), 1);
}

void TextSamples::write_exact_pair(const SampleStart& start, std::uint64_t key, Sample& sample) {
  Ids a(text_), b;
  if (!boundaries_.empty()) {
    Random random(seed_, Purpose::kSentenceOrder, key);
    const std::uint64_t cut = boundaries_[random.below(boundaries_.size())] - start.token;
    b = a.subspan(cut);
    a = a.first(cut);
    sample.sop_label = static_cast<std::int32_t>(random.below(2));
    if (sample.sop_label == 1) std::swap(a, b);
  }
  write_pair(a, b, sample);
}

void TextSamples::write_original_pair(std::size_t shard, std::uint64_t index, const SampleStart& start,
                                      std::uint64_t key, Sample& sample) {
  Random random(seed_, Purpose::kSentenceOrder, key);
  Ids a(text_), b;
  sample.sop_label = 0;
  if (!boundaries_.empty()) {
    const std::uint64_t cut = boundaries_[random.below(boundaries_.size())] - start.token;
    b = a.subspan(cut);
    a = a.first(cut);
  } else {
    sample.sop_label = 1;
    read_other(shard, start, target_length(packing_, index), random);
    b = other_;
  }
  if (random.below(2) == 1) {
    sample.sop_label = 1;
    std::swap(a, b);
  }
  truncate(a, b, packing_.capacity, random);
  write_pair(a, b, sample);
}

// Sentences of the sample's document from one drawn at random on, until they and the sample's reach the
// target.
void TextSamples::read_other(std::size_t shard, const SampleStart& start, std::uint64_t target,
                             Random& random) {
  const auto documents = documents_of(shard);
  const auto next = std::ranges::upper_bound(documents, start.token, {}, &SampleStart::token);
  const std::uint64_t first = (next - 1)->sentence, end = next->sentence;
  const std::uint64_t drawn = first + random.below(end - first);
  const std::uint64_t wanted = target > text_.size() ? target - text_.size() : 1;
  ShardReader& reader = shards_.use(shard);
  // A sentence has at least one token, so this many are enough.
  boundaries_.clear();
  reader.read_sentence_offsets(drawn, std::min(wanted, end - drawn) + 1, boundaries_);
  const auto reached = std::ranges::lower_bound(boundaries_, boundaries_.front() + wanted);
  const std::uint64_t last = reached == boundaries_.end() ? boundaries_.back() : *reached;
  other_.clear();
  reader.read_tokens(boundaries_.front(), last - boundaries_.front(), other_);
}

}  // namespace nystrom
