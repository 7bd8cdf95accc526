#pragma once
// A curve in a line of text.

#include <cstddef>
#include <string>
#include <vector>

namespace nystrom {

/// "▂▃▅█": the means of at most `columns` equal parts of the finite values, from the least to the largest.
/// Empty without such values.
[[nodiscard]] std::string sparkline(const std::vector<double>& values, std::size_t columns);

}  // namespace nystrom
