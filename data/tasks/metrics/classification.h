#pragma once
// Metrics of classes, as scikit-learn defines them; where it warns and returns 0 for an undefined one, NaN is
// returned here.

#include <cstdint>
#include <span>

namespace nystrom {

/// Share of entries that agree. NaN without entries.
[[nodiscard]] double accuracy(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted);

/// 2 TP / (2 TP + FP + FN) of class `positive`; NaN where no entry, true or predicted, has it.
[[nodiscard]] double f1_of_class(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted,
                                 std::int32_t positive);

/// Mean of f1_of_class over the classes that occur, true or predicted. NaN without entries.
[[nodiscard]] double f1_macro(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted);

/// Matthews' correlation of two or more classes (Gorodkin 2004); NaN where all truths, or all predictions,
/// are of one class.
[[nodiscard]] double matthews_correlation(std::span<const std::int32_t> truth,
                                          std::span<const std::int32_t> predicted);

}  // namespace nystrom
