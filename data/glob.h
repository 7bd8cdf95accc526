#pragma once
// Glob patterns to paths, in an order that does not depend on locale or file system.

#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

/// The files and folders that `pattern` names (`*`, `?`, `[...]`; `~` and `**` mean nothing special), sorted
/// bytewise. Each part of the path that exists as it is written is itself: `runs [1]/*.h5` are the files of
/// the folder "runs [1]". Empty if nothing matches. Throws InputError if a folder on the way cannot be read.
std::vector<std::string> expand_glob(const std::string& pattern);

/// The same for several patterns, each path once, in the order of the patterns. Throws InputError, naming
/// `key` (the configuration key that they come from), for a pattern that matches nothing.
std::vector<std::string> expand_globs(const std::vector<std::string>& patterns, const std::string& key);

/// True for files that are not the user's own: hidden ones (".x"), and those that editors leave ("x~",
/// "#x#", ".x.swp").
[[nodiscard]] bool is_left_over(const std::string& path);

/// `text`, escaped so that as a part of a pattern it matches only itself.
[[nodiscard]] std::string escaped_pattern(std::string_view text);

/// All regular files at or below `path`, sorted bytewise by path. Links to files and folders are followed.
/// Throws InputError if a folder cannot be read.
std::vector<std::string> files_below(const std::string& path);

}  // namespace nystrom
