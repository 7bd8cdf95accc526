#include "data/tasks/embedding_split.h"

#include <algorithm>
#include <map>

#include "data/tasks/scores.h"
#include "data/tasks/sequence_answer.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// Numbers distinct texts in order of first appearance.
class Numbering {
 public:
  /// `sequence`: index of the text's sequence; `firsts` gets that of each new text.
  std::size_t number(const std::string& text, std::size_t sequence, std::vector<std::size_t>& firsts) {
    const auto [entry, is_new] = numbers_.try_emplace(text, numbers_.size());
    if (is_new) firsts.push_back(sequence);
    return entry->second;
  }

 private:
  std::map<std::string, std::size_t> numbers_;
};

/// Marks rows whose number another row has too, and counts all that are marked.
std::int64_t mark_shared(const std::vector<std::size_t>& numbers, std::size_t distinct,
                         std::vector<bool>& is_shared) {
  std::vector<std::int64_t> counts(distinct);
  for (const std::size_t number : numbers) ++counts[number];
  for (std::size_t row = 0; row < numbers.size(); ++row)
    if (counts[numbers[row]] > 1) is_shared[row] = true;
  return std::ranges::count(is_shared, true);
}

}  // namespace

std::vector<std::string> embedding_metrics(EmbeddingScores scores) {
  if (scores == EmbeddingScores::kCorrelation) return {"spearmanr", "pearson"};
  return {"ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100"};
}

EmbeddingSplit::EmbeddingSplit(std::string name, const TaskInfo& info, EmbeddingScores scores,
                               const std::vector<EmbeddingExample>& examples, const TextEncoder& encoder)
    : TaskSplit(std::move(name), !examples.empty() && examples.front().negative ? 3 : 2),
      info_(info),
      by_(scores) {
  EncodingCounts counts;
  Numbering queries, documents;
  const auto add = [&](const std::string& text) {
    sequences_.push_back(encoder.single(text, counts));
    return sequences_.size() - 1;
  };
  for (const EmbeddingExample& example : examples) {
    ids_.push_back(example.id.empty() ? std::to_string(ids_.size()) : example.id);
    const std::size_t anchor = add(example.anchor), text = add(example.text);
    query_of_.push_back(queries.number(example.anchor, anchor, query_sequences_));
    document_of_.push_back(documents.number(example.text, text, document_sequences_));
    relevant_.resize(query_sequences_.size());
    std::vector<std::size_t>& relevant = relevant_[query_of_.back()];
    if (std::ranges::find(relevant, document_of_.back()) == relevant.end())
      relevant.push_back(document_of_.back());
    if (example.negative) {
      const std::size_t negative = add(*example.negative);
      (void)documents.number(*example.negative, negative, document_sequences_);
    }
    if (example.score) scores_.push_back(*example.score);
  }
  labelled_ = !examples.empty() && (by_ == EmbeddingScores::kRetrieval || scores_.size() == examples.size());
  note(counts, encoder.max_length());
}

std::int64_t EmbeddingSplit::rows_with_shared_texts() const {
  std::vector<bool> is_shared(ids_.size());
  (void)mark_shared(query_of_, query_sequences_.size(), is_shared);
  return mark_shared(document_of_, document_sequences_.size(), is_shared);
}

std::size_t EmbeddingSplit::width(const Outputs& outputs) const {
  NYSTROM_CHECK(outputs.size() == ids_.size(), "{} outputs of {} rows", outputs.size(), ids_.size());
  return ids_.empty() ? 1 : outputs[0].size() / static_cast<std::size_t>(choices_);
}

std::vector<double> EmbeddingSplit::cosines(const Outputs& outputs, std::size_t size) const {
  std::vector<double> cosines;
  const std::size_t whole = width(outputs);
  for (std::size_t row = 0; row < ids_.size(); ++row) {
    UnitVectors pair(size == 0 ? whole : size);
    pair.add(outputs[row].first(whole));
    pair.add(outputs[row].subspan(whole, whole));
    cosines.push_back(static_cast<double>(cosine(pair[0], pair[1])));
  }
  return cosines;
}

Relevance EmbeddingSplit::ranks(const Outputs& outputs, std::size_t size) const {
  const std::size_t whole = width(outputs), row_sequences = static_cast<std::size_t>(choices_);
  const auto vectors_of = [&](const std::vector<std::size_t>& sequences) {
    UnitVectors vectors(size == 0 ? whole : size);
    for (const std::size_t at : sequences)
      vectors.add(outputs[at / row_sequences].subspan(at % row_sequences * whole, whole));
    return vectors;
  };
  return ranks_of(vectors_of(query_sequences_), vectors_of(document_sequences_), relevant_);
}

/// `size` 0: all metrics, of whole vectors; otherwise the first metric, of truncated ones.
void EmbeddingSplit::add_scores(const Outputs& outputs, std::size_t size, std::vector<Score>& scores) const {
  std::vector<std::string> metrics = embedding_metrics(by_);
  if (size > 0) metrics.resize(1);
  const std::string prefix = size > 0 ? fmt::format("size_{}_", size) : "";
  if (by_ == EmbeddingScores::kCorrelation) {
    for (Score& score : value_scores(metrics, scores_, cosines(outputs, size)))
      scores.push_back({prefix + score.name, score.value, std::move(score.why)});
    return;
  }
  const Relevance found = ranks(outputs, size);
  const auto value = [&found](const std::string& metric) {
    if (metric == "ndcg_at_10") return ndcg_at(10, found);
    if (metric == "mrr_at_10") return reciprocal_rank_at(10, found);
    return recall_at(metric == "recall_at_1" ? 1 : metric == "recall_at_10" ? 10 : 100, found);
  };
  for (const std::string& metric : metrics) scores.push_back({prefix + metric, value(metric)});
}

std::vector<Score> EmbeddingSplit::score(const Outputs& outputs) const {
  std::vector<Score> scores;
  add_scores(outputs, 0, scores);
  for (const std::int64_t size : info_.sizes)
    if (static_cast<std::size_t>(size) < width(outputs))
      add_scores(outputs, static_cast<std::size_t>(size), scores);
  return scores;
}

PredictionTable EmbeddingSplit::predictions(const Outputs& outputs) const {
  const bool correlates = by_ == EmbeddingScores::kCorrelation;
  PredictionTable table{{"id", "cosine"}, {}};
  if (labelled_) table.columns.emplace_back(correlates ? "score" : "rank");
  const std::vector<double> similar = cosines(outputs, 0);
  const Relevance ranked = correlates ? Relevance() : ranks(outputs, 0);
  for (std::size_t row = 0; row < ids_.size(); ++row) {
    std::vector<std::string> cells{ids_[row], number_text(static_cast<float>(similar[row]))};
    if (labelled_ && correlates) cells.push_back(number_text(static_cast<float>(scores_[row])));
    if (labelled_ && !correlates) {
      const auto& documents = relevant_[query_of_[row]];
      const auto at = std::ranges::find(documents, document_of_[row]) - documents.begin();
      cells.push_back(std::to_string(ranked[query_of_[row]][static_cast<std::size_t>(at)]));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::vector<std::array<double, 2>> EmbeddingSplit::points(const Outputs& outputs) const {
  std::vector<std::array<double, 2>> points;
  if (!labelled_ || by_ != EmbeddingScores::kCorrelation) return points;
  const std::vector<double> similar = cosines(outputs, 0);
  for (std::size_t row = 0; row < similar.size(); ++row) points.push_back({scores_[row], similar[row]});
  return points;
}

}  // namespace nystrom
