#include "model/sequence_cuts.h"

#include <algorithm>

#include "model/attention/registry.h"

namespace nystrom {
namespace {

/// Rows at whose multiples a sequence of this many rows is split; 0: nowhere.
class CutRows {
 public:
  CutRows(const ModelConfig& config, int ranks)
      : config_(config.attention), entry_(attention_entry(config.attention.kind)), ranks_(ranks) {}

  [[nodiscard]] std::int64_t operator()(std::int64_t rows) const {
    return entry_.cut_rows(config_, rows, ranks_);
  }

 private:
  const AttentionConfig& config_;
  const AttentionEntry& entry_;
  int ranks_;
};

std::string kinds_that_can() {
  std::string names;
  for (const AttentionEntry& entry : attention_registry())
    if (entry.cut_rows != nullptr) names += fmt::format("{}{}", names.empty() ? "" : " or ", entry.name);
  return names;
}

/// The largest n <= longest with rows(n) <= most; rows never fall.
std::int64_t longest_with(const CutRows& rows, std::int64_t longest, std::int64_t most) {
  std::int64_t low = 0, high = longest + 1;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (rows(middle) <= most ? low : high) = middle;
  }
  return low;
}

}  // namespace

void check_sequence_ranks(const ModelConfig& config, int ranks) {
  if (attention_entry(config.attention.kind).cut_rows == nullptr)
    refuse(
        "`communication.sequence_ranks` is {}, but `model.attention.kind` is {}, which computes every sequence on "
        "one rank: choose {}, or set the former to 1.",
        ranks, config.attention.kind, kinds_that_can());
  if (config.attention.pinv_init == PinvInit::kBatchMax)
    refuse(
        "`communication.sequence_ranks` is {}, but with `model.attention.pinv_init: batch_max` the sequences of a "
        "micro-batch share one scale, which only one rank can know: choose per_matrix, or set the former to 1.",
        ranks);
  if (config.padding == Padding::kHuggingFace)
    refuse(
        "`communication.sequence_ranks` is {}, but `model.attention.padding` is huggingface, whose padding cannot "
        "be shared among ranks: choose exact, or set the former to 1.",
        ranks);
}

std::vector<std::int64_t> sequence_cuts(const ModelConfig& config, std::span<const std::int32_t> offsets,
                                        int ranks) {
  const CutRows cut_rows(config, ranks);
  const std::int64_t tokens = offsets.back();
  const auto nearest = [](std::int64_t wanted, std::int64_t low, std::int64_t high) {
    return wanted - low <= high - wanted ? low : high;
  };
  std::vector<std::int64_t> cuts{0};
  for (int rank = 1; rank < ranks; ++rank) {
    const std::int64_t wanted = tokens * rank / ranks;
    const auto after = std::ranges::upper_bound(offsets.subspan(1), wanted);
    if (after == offsets.end()) {  // only where there is no token
      cuts.push_back(tokens);
      continue;
    }
    const std::int64_t begin = *(after - 1), rows = *after - begin, step = cut_rows(rows);
    const std::int64_t low = step == 0 ? 0 : (wanted - begin) / step * step;
    const std::int64_t high = step == 0 ? rows : std::min(low + step, rows);
    cuts.push_back(nearest(wanted, begin + low, begin + high));
  }
  cuts.push_back(tokens);
  return cuts;
}

BatchLimits span_limits(const ModelConfig& config, const BatchLimits& whole, int ranks) {
  const CutRows cut_rows(config, ranks);
  const std::int64_t step = cut_rows(whole.longest);
  // What is never cut is at most as long as a piece of the longest, or has no place to be cut.
  const std::int64_t piece =
      std::max(std::min(step, whole.longest), longest_with(cut_rows, whole.longest, 0));
  BatchLimits span = whole;
  span.split = true;
  span.tokens = std::min(whole.tokens, (whole.tokens + ranks - 1) / ranks + piece);
  if (whole.sequences == 1 && step > 0) {
    // Pieces of one sequence: their number divided by the ranks, for the longest of each size of pieces.
    const auto most_of = [&](std::int64_t rows) {
      const std::int64_t size = cut_rows(rows);
      if (size == 0) return rows;
      return std::min(rows, ((rows + size - 1) / size + ranks - 1) / ranks * size);
    };
    const std::int64_t shorter = longest_with(cut_rows, whole.longest, step - 1);
    span.tokens = std::min(span.tokens, std::max(most_of(whole.longest), most_of(shorter)));
    span.tokens = std::max(span.tokens, longest_with(cut_rows, whole.longest, 0));
  }
  span.labels = std::min(whole.labels, span.tokens);
  return span;
}

}  // namespace nystrom
