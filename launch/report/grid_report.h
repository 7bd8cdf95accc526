#pragma once
// The page of a grid: its table, and a picture of the score that chose the best point.

#include <string>

namespace nystrom {

/// The content of <main> of a directory with a grid.json; all that comes from files is escaped. Throws
/// InputError, naming the file, where it is damaged.
[[nodiscard]] std::string grid_body(const std::string& directory);

/// Has it a grid.json?
[[nodiscard]] bool is_grid_directory(const std::string& directory);

}  // namespace nystrom
