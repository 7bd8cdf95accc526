#pragma once
// Report of a grid: its table, and a heat map of the score that selects the best point.

#include <string>

namespace nystrom {

/// The content of <main> of a directory with a grid.json; all that comes from files is escaped. Throws
/// InputError, naming the file, where it is damaged.
[[nodiscard]] std::string grid_body(const std::string& directory);

/// Has it a grid.json?
[[nodiscard]] bool is_grid_directory(const std::string& directory);

}  // namespace nystrom
