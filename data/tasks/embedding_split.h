#pragma once
// Rows of an anchor, a text that matches it and optionally one that does not, each encoded as a separate
// sequence; or pairs with a similarity score. The outputs of a row are its vectors, concatenated.

#include <optional>

#include "data/tasks/metrics/retrieval.h"
#include "data/tasks/task.h"

namespace nystrom {

struct EmbeddingExample {
  std::string id;  ///< in predictions; empty: the row's number, from 0
  std::string anchor, text;
  std::optional<std::string> negative = {};  ///< in all examples of a split, or in none
  std::optional<double> score = {};
};

/// How a split is evaluated.
enum class EmbeddingScores {
  kRetrieval,   ///< anchors are queries, all other texts documents; equal texts are one
  kCorrelation  ///< of the cosines of pairs with their scores
};

class EmbeddingSplit final : public TaskSplit {
 public:
  EmbeddingSplit(std::string name, const TaskInfo& info, EmbeddingScores scores,
                 const std::vector<EmbeddingExample>& examples, const TextEncoder& encoder);

  using TaskSplit::note;
  void add_note(std::string sentence) { notes_.push_back(std::move(sentence)); }

  [[nodiscard]] std::vector<Score> score(const Outputs& outputs) const override;
  /// The cosine of each row, and the rank of its text among the documents, or its score.
  [[nodiscard]] PredictionTable predictions(const Outputs& outputs) const override;
  [[nodiscard]] std::vector<std::array<double, 2>> points(const Outputs& outputs) const override;

  /// Rows that share their anchor or text with another row.
  [[nodiscard]] std::int64_t rows_with_shared_texts() const;

 private:
  // Of the first `size` components; 0: all.
  [[nodiscard]] std::vector<double> cosines(const Outputs& outputs, std::size_t size) const;
  [[nodiscard]] Relevance ranks(const Outputs& outputs, std::size_t size) const;
  void add_scores(const Outputs& outputs, std::size_t size, std::vector<Score>& scores) const;
  [[nodiscard]] std::size_t width(const Outputs& outputs) const;

  TaskInfo info_;
  EmbeddingScores by_;
  std::vector<std::string> ids_;
  std::vector<double> scores_;  // of correlation: one each row, or none
  // Retrieval: equal texts are one query or one document.
  std::vector<std::size_t> query_of_, document_of_;                // of each row
  std::vector<std::size_t> query_sequences_, document_sequences_;  // first sequence of each
  Relevance relevant_;                                             // documents of each query
};

/// Names of the metrics; by default the first selects the best checkpoint.
[[nodiscard]] std::vector<std::string> embedding_metrics(EmbeddingScores scores);

}  // namespace nystrom
