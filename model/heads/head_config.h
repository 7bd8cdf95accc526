#pragma once
// Kind of a network's head, and its number of labels.

#include <cstdint>

#include "kernels/core/names.h"

namespace nystrom {

enum class HeadKind {
  kPretraining,             ///< masked language model and sentence order
  kMaskedLm,                ///< masked language model alone
  kSequenceClassification,  ///< one prediction per sequence, of HeadConfig::problem
  kTokenClassification,     ///< one class per labelled token
  kQuestionAnswering,       ///< first and last token of the answer
  kMultipleChoice,          ///< one of a question's sequences
  kPairClassification,      ///< one class per pair of sequences
  kEmbedding                ///< one vector per sequence
};

/// What a sequence classification's logits mean; transformers' `problem_type`.
enum class Problem {
  kSingleLabel,  ///< one of `labels` classes: softmax cross-entropy
  kMultiLabel,   ///< each of `labels` classes or not: sigmoid cross-entropy
  kRegression    ///< `labels` numbers: mean squared error
};

template <>
struct EnumNames<Problem> {
  static constexpr Named<Problem> kAll[] = {{Problem::kSingleLabel, "single_label"},
                                            {Problem::kMultiLabel, "multi_label"},
                                            {Problem::kRegression, "regression"}};
};

struct HeadConfig {
  HeadKind kind = HeadKind::kPretraining;
  std::int64_t labels = 2;  ///< classifications of sequences, tokens and pairs; fixed in the other kinds
  Problem problem = Problem::kSingleLabel;

  HeadConfig() = default;
  HeadConfig(HeadKind k) : kind(k) {}  // NOLINT(google-explicit-constructor): a kind is enough for most
  HeadConfig(HeadKind k, std::int64_t n, Problem p = Problem::kSingleLabel)
      : kind(k), labels(n), problem(p) {}
  bool operator==(const HeadConfig&) const = default;
};

}  // namespace nystrom
