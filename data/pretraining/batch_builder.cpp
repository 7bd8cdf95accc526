#include "data/pretraining/batch_builder.h"

#include <algorithm>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/core/memory.h"

namespace nystrom {
namespace {

/// The samples of whole steps are in memory: the current ones, those being read, and those read ahead.
void require_memory(const LoaderOptions& options) {
  constexpr double kBytesPerToken = 16;  // id, type, and where it is masked its row and label
  const std::int64_t largest = BatchSizes(options.global_batch, options.batch_schedule).largest();
  const double rows = static_cast<double>(largest) / static_cast<double>(options.ranks);
  const double steps = static_cast<double>(options.prefetch) + 2;
  require_host_memory(
      rows * steps * static_cast<double>(options.samples.sequence_length) * kBytesPerToken,
      fmt::format("`training.global_batch` is {}: reading the sequences of a step ahead", largest),
      "Lower it, or use more ranks.");
}

LoaderOptions checked(const LoaderOptions& options) {
  if (options.global_batch < 1)
    refuse("`training.global_batch` is {}; it must be at least 1.", options.global_batch);
  if (options.micro_batch < 1)
    refuse("`training.micro_batch` is {}; it must be at least 1.", options.micro_batch);
  if (options.samples.sequence_length > std::numeric_limits<std::int32_t>::max() / options.micro_batch)
    refuse("`training.micro_batch` x `data.sequence_length` is {} x {}: too many tokens for one batch.",
           options.micro_batch, options.samples.sequence_length);
  if (!options.one_pass) require_memory(options);
  NYSTROM_CHECK(options.ranks >= 1 && options.rank >= 0 && options.rank < options.ranks, "rank {} of {}",
                options.rank, options.ranks);
  NYSTROM_CHECK(options.batch_schedule.empty() || !options.one_pass, "one pass has batches of one size");
  NYSTROM_CHECK(options.mixture.empty() || !options.one_pass, "a mixture has no end, one pass has");
  NYSTROM_CHECK(options.prefetch >= 0 && options.max_steps >= 0, "prefetch {}, max_steps {}",
                options.prefetch, options.max_steps);
  return options;
}

template <class T>
void append_all(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::pair<std::int64_t, std::int64_t> rows_of_rank(std::int64_t rows, std::int64_t rank, std::int64_t ranks) {
  const std::int64_t each = rows / ranks, more = rows % ranks;
  const std::int64_t begin = rank * each + std::min(rank, more);
  return {begin, begin + each + (rank < more ? 1 : 0)};
}

BatchBuilder::BatchBuilder(const LoaderOptions& options)
    : options_(checked(options)),
      sizes_(options.global_batch, options.batch_schedule),
      source_(open_samples(options.samples)) {
  if (!options.mixture.empty())
    mixture_.emplace(options.mixture, source_->corpora(), options.samples.seed, options.shuffle);
}

std::int64_t BatchBuilder::steps() const {
  if (!options_.one_pass) return 0;
  const auto samples = static_cast<std::int64_t>(source_->samples());
  const std::int64_t all = (samples + options_.global_batch - 1) / options_.global_batch;
  return options_.max_steps > 0 ? std::min(all, options_.max_steps) : all;
}

StepBatch BatchBuilder::build(std::int64_t step, const std::atomic<bool>& stop) {
  NYSTROM_CHECK(step >= 1 && (!options_.one_pass || step <= steps()), "step {} of {}", step, steps());
  const std::int64_t first = sizes_.before(step);
  std::int64_t rows = sizes_.of(step);
  if (options_.one_pass) rows = std::min(rows, static_cast<std::int64_t>(source_->samples()) - first);
  const auto [begin, end] = rows_of_rank(rows, options_.rank, options_.ranks);
  StepBatch batch;
  for (std::int64_t row = begin; row < end && !stop; ++row) {
    if ((row - begin) % options_.micro_batch == 0) batch.micro_batches.emplace_back().offsets.push_back(0);
    append(static_cast<std::uint64_t>(first + row), batch.micro_batches.back());
  }
  return batch;
}

std::vector<SampledCorpus> BatchBuilder::corpora() const {
  std::vector<SampledCorpus> shares;
  const auto corpora = source_->corpora();
  for (std::size_t i = 0; i < corpora.size(); ++i) {
    const auto size = static_cast<double>(corpora[i].size());
    const double share = mixture_ ? mixture_->share(i) : size / static_cast<double>(source_->samples());
    shares.push_back({corpora[i].name(), share, static_cast<std::int64_t>(corpora[i].size())});
  }
  return shares;
}

std::vector<std::pair<std::string, double>> BatchBuilder::epochs_of(std::int64_t samples) const {
  std::vector<std::pair<std::string, double>> epochs;
  for (const SampledCorpus& corpus : corpora())
    epochs.emplace_back(corpus.name,
                        static_cast<double>(samples) * corpus.share / static_cast<double>(corpus.samples));
  return epochs;
}

std::uint64_t BatchBuilder::sample_at(std::uint64_t stream_index) {
  if (mixture_) return (*mixture_)(stream_index);
  const std::uint64_t count = source_->samples();
  const std::uint64_t place = stream_index % count;
  if (!options_.shuffle) return place;
  const std::uint64_t epoch = stream_index / count;
  if (!order_ || order_epoch_ != epoch)
    order_.emplace(options_.samples.seed, epoch, count, source_->blocks());
  order_epoch_ = epoch;
  return (*order_)(place);
}

void BatchBuilder::append(std::uint64_t stream_index, HostBatch& batch) {
  source_->read(sample_at(stream_index), stream_index, sample_);
  const auto first_row = static_cast<std::int32_t>(batch.input_ids.size());
  const auto length = static_cast<std::int32_t>(sample_.ids.size());
  append_all(batch.input_ids, sample_.ids);
  append_all(batch.token_type_ids, sample_.token_types);
  if (options_.pad_to_length) {
    const auto rows = static_cast<std::size_t>(first_row + options_.samples.sequence_length);
    batch.input_ids.resize(rows, options_.samples.special.pad);
    batch.token_type_ids.resize(rows, 0);
  }
  batch.offsets.push_back(static_cast<std::int32_t>(batch.input_ids.size()));
  batch.lengths.push_back(length);
  batch.samples.push_back(static_cast<std::int64_t>(stream_index));
  for (std::int32_t position : sample_.mlm_positions) batch.label_rows.push_back(first_row + position);
  append_all(batch.token_labels, sample_.mlm_labels);
  batch.sequence_labels.push_back(sample_.sop_label);
}

}  // namespace nystrom
