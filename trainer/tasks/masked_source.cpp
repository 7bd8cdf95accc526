#include "trainer/tasks/masked_source.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "data/pretraining/permutation.h"
#include "trainer/tasks/task_source.h"

namespace nystrom {
namespace {

Masker masker_for(const MaskedSourceOptions& options) {
  constexpr std::int32_t kNone = -1;
  const auto mask = static_cast<std::int32_t>(options.vocabulary);
  const SpecialIds special{.bos = kNone, .pad = 0, .eos = kNone, .unk = kNone, .mask = mask};
  return {options.masking, special, options.vocabulary + 1, {}, options.seed};
}

}  // namespace

MaskedSource::MaskedSource(const MaskedSourceOptions& options)
    : options_(options), sizes_(options.global_batch, options.batch_schedule), masker_(masker_for(options)) {
  NYSTROM_CHECK(sequences() > 0 && options.global_batch > 0 && options.micro_batch > 0,
                "{} sequences in batches of {} and {}", sequences(), options.global_batch,
                options.micro_batch);
}

std::int64_t MaskedSource::batches() const {
  if (!options_.one_pass) return INT64_MAX;
  const std::int64_t all = (sequences() + options_.global_batch - 1) / options_.global_batch;
  return options_.max_batches > 0 ? std::min(all, options_.max_batches) : all;
}

BatchLimits MaskedSource::limits() const {
  std::vector<std::int64_t> tokens;
  for (std::size_t i = 0; i < options_.split->sequence_count(); ++i)
    tokens.push_back(options_.split->size_of(i).tokens);
  const std::int64_t share = (sizes_.largest() + options_.ranks - 1) / options_.ranks;
  const std::int64_t rows = std::min({options_.micro_batch, share, sequences()});
  std::ranges::sort(tokens, std::greater{});
  tokens.resize(static_cast<std::size_t>(rows));
  BatchLimits limits{.sequences = rows, .longest = tokens.front()};
  for (const std::int64_t n : tokens) {
    limits.tokens += n;
    limits.labels += masker_.count(n);
  }
  return limits;
}

std::vector<std::pair<std::string, double>> MaskedSource::epochs_of(std::int64_t batches) const {
  return {{options_.split->name(),
           static_cast<double>(sizes_.before(batches + 1)) / static_cast<double>(sequences())}};
}

const StepBatch& MaskedSource::read(std::int64_t index) {
  const std::int64_t begin = sizes_.before(index + 1);
  std::int64_t rows = sizes_.of(index + 1);
  if (options_.one_pass) rows = std::min(rows, sequences() - begin);
  const std::int64_t first = begin + rows * options_.rank / options_.ranks;
  const std::int64_t last = begin + rows * (options_.rank + 1) / options_.ranks;
  batch_.micro_batches.clear();
  for (std::int64_t at = first; at < last; ++at) {
    if ((at - first) % options_.micro_batch == 0) batch_.micro_batches.emplace_back().offsets.push_back(0);
    append(at, batch_.micro_batches.back());
  }
  return batch_;
}

void MaskedSource::append(std::int64_t stream_index, HostBatch& to) {
  const auto count = static_cast<std::uint64_t>(sequences()), at = static_cast<std::uint64_t>(stream_index);
  const bool shuffled = options_.shuffle && !options_.one_pass;
  const std::uint64_t place =
      shuffled ? Permutation(options_.seed, at / count, count)(at % count) : at % count;
  TaskSequence sequence = options_.split->sequence(place);
  sequence.values.clear();
  masker_.apply(at, sequence.ids, sequence.label_rows, sequence.labels);
  append_sequence(sequence, stream_index, to);
  to.sequence_labels.push_back(-1);
}

double unigram_entropy(const TaskSplit& split) {
  std::map<std::int32_t, double> counts;
  double all = 0, sum = 0;
  for (std::size_t i = 0; i < split.sequence_count(); ++i)
    for (const std::int32_t id : split.sequence(i).ids) {
      ++counts[id];
      ++all;
    }
  for (const auto& [id, count] : counts) sum += count * std::log(count);
  return all > 0 ? std::log(all) - sum / all : 0;
}

}  // namespace nystrom
