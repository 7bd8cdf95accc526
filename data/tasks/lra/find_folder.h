#pragma once
// Finds a dataset's folder at or below a path.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace nystrom::lra {

struct Wanted {
  std::string what;      ///< "ListOps", for messages
  std::string contents;  ///< "basic_train.tsv, basic_val.tsv and basic_test.tsv"
  std::function<bool(const std::filesystem::path& folder)> matches;
  /// Files that may exist twice: if they are equal in all matching folders, the first folder is taken.
  std::vector<std::string> key_files = {};
  std::string hint = {};  ///< a sentence for whoever meets several
};

/// The one folder at or below `path` that matches, searched down to five levels. Refuses a path that does not
/// exist or has none, and one with several, naming them.
[[nodiscard]] std::filesystem::path find_folder(const std::string& path, const Wanted& wanted);

}  // namespace nystrom::lra
