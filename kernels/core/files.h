#pragma once
// Files that are either whole or not there: write under a temporary name, then publish.

#include <string>

namespace nystrom {

/// A name beside `path` that nobody can guess: "<path>.tmp-<16 hex digits>".
[[nodiscard]] std::string temporary_name(const std::string& path);

/// True for names that `temporary_name` gives: what a killed process left behind.
[[nodiscard]] bool is_temporary_name(const std::string& path);

/// Flushes `temporary` to the disk, gives it the name `path` (replacing what had it) and flushes the folder.
/// Throws Error, with the system's reason.
void publish_file(const std::string& temporary, const std::string& path);

}  // namespace nystrom
