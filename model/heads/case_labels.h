#pragma once
// Labels of a reference case (`nystrom verify`): each head reads those that it learns from.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nystrom {

/// A case's sequences: a rectangle with padding.
struct CaseShape {
  std::int64_t sequences = 0, length = 0;  ///< B, T
  std::int64_t vocabulary_size = 0;
  std::span<const std::int32_t> lengths = {};  ///< [B] real tokens
};

/// As in BatchArrays, but with a label for every token.
struct CaseLabels {
  std::vector<std::int32_t> token_labels = {};  ///< [B, T], else empty; negative: none
  std::vector<std::int32_t> sequence_labels = {}, sequence_ends = {};
  std::vector<float> sequence_values = {};
};

/// The group `inputs` of a case file. Every call refuses (InputError) a dataset that is missing or of another
/// size.
class CaseInputs {
 public:
  virtual ~CaseInputs() = default;
  CaseInputs() = default;
  CaseInputs(const CaseInputs&) = delete;
  CaseInputs& operator=(const CaseInputs&) = delete;

  /// Labels below `classes`; negative: none. Refuses others.
  [[nodiscard]] virtual std::vector<std::int32_t> labels(const std::string& name, std::int64_t count,
                                                         std::int64_t classes) const = 0;
  [[nodiscard]] virtual std::vector<float> numbers(const std::string& name, std::int64_t count) const = 0;
  /// Length of a dataset of one dimension.
  [[nodiscard]] virtual std::int64_t count(const std::string& name) const = 0;
  [[nodiscard]] virtual const std::string& path() const = 0;
};

}  // namespace nystrom
