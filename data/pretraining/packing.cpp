#include "data/pretraining/packing.h"

#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace nystrom {
namespace {

SampleStart start_at(std::uint64_t token, std::uint64_t sentence) {
  return {static_cast<std::uint32_t>(token), static_cast<std::uint32_t>(sentence)};
}

}  // namespace

std::uint64_t target_length(const PackingOptions& options, std::uint64_t index) {
  constexpr std::uint64_t kMinLength = 2;
  if (options.short_probability <= 0) return options.capacity;
  Random random(options.seed, Purpose::kSampleLength, index);
  if (random.uniform() >= options.short_probability) return options.capacity;
  return kMinLength + random.below(options.capacity - kMinLength + 1);
}

SamplePacker::SamplePacker(const PackingOptions& options, bool pairs, std::uint64_t first_sample)
    : options_(options), pairs_(pairs), first_sample_(first_sample) {
  NYSTROM_CHECK(options.capacity >= 2, "samples of {} tokens", options.capacity);
}

void SamplePacker::begin_document(std::uint32_t source) {
  place_document();
  source_ = source;
}

void SamplePacker::add_sentence(std::uint64_t sentence, std::uint64_t first_token, std::uint64_t end_token) {
  document_.push_back({sentence, first_token, end_token});
}

PackedSamples SamplePacker::finish() {
  place_document();
  end_sample();
  return std::move(packed_);
}

void SamplePacker::place_document() {
  if (document_.empty()) return;
  packed_.documents.push_back(start_at(document_.front().first, document_.front().index));
  if (joins()) {
    used_ += 1 + document_.back().end - document_.front().first;
    ++documents_;
  } else {
    if (packed_.sources.empty() || packed_.sources.back().source != source_)
      packed_.sources.push_back({packed_.starts.size(), source_});
    bool first = true;
    for (const auto& sentence : document_) {
      if (!std::exchange(first, false) && appends(sentence)) {
        ++boundaries_;
      } else {
        begin_sample(sentence.first, sentence.index);
        while (options_.pairs == PairStyle::kExact && sentence.end - start_ > options_.capacity)
          begin_sample(start_ + options_.capacity, sentence.index);
      }
      used_ = sentence.end - start_;
    }
  }
  document_.clear();
}

// Appends the current document to the current sample.
bool SamplePacker::joins() const {
  if (options_.packing != Packing::kDocuments || packed_.starts.empty()) return false;
  const std::uint64_t length = document_.back().end - document_.front().first;
  return packed_.sources.back().source == source_ && used_ < target_ &&
         used_ + 1 + length <= options_.capacity;
}

bool SamplePacker::appends(const Sentence& sentence) const {
  if (used_ >= target_) return false;
  return options_.pairs == PairStyle::kOriginal || sentence.end - start_ <= options_.capacity;
}

void SamplePacker::begin_sample(std::uint64_t token, std::uint64_t sentence) {
  end_sample();
  target_ = target_length(options_, first_sample_ + packed_.starts.size());
  packed_.starts.push_back(start_at(token, sentence));
  start_ = token;
  used_ = 0;
  boundaries_ = 0;
  documents_ = 1;
}

void SamplePacker::end_sample() {
  if (packed_.starts.empty()) return;
  const bool pair = pairs_ && documents_ == 1 && boundaries_ > 0;
  packed_.special_tokens += static_cast<std::int64_t>(pair ? 3 : 1 + documents_);
}

}  // namespace nystrom
