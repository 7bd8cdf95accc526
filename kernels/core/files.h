#pragma once
// Whole files: read into a string, and written atomically (under a temporary name, then published).

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace nystrom {

inline constexpr std::uint64_t kMaxTextFileBytes = 64U << 20U;
inline constexpr std::uint64_t kAnySize = std::numeric_limits<std::uint64_t>::max();

/// The content of a file (also of a pipe), to its end. Throws InputError, naming the file, if it cannot be
/// opened or read, is a folder or has more than `max_bytes`.
[[nodiscard]] std::string read_file(const std::string& path, std::uint64_t max_bytes = kMaxTextFileBytes);

/// The content of a file that may be absent; nullopt if it cannot be opened or read.
[[nodiscard]] std::optional<std::string> try_read_file(const std::string& path);

/// Writes `content` atomically: under the name `path` there is all of it or what was there before. Throws
/// Error, naming the file and the system's reason; no temporary file is left then.
void write_file(const std::string& path, std::string_view content);

/// A name beside `path` that nobody can guess: "<path>.tmp-<16 hex digits>".
[[nodiscard]] std::string temporary_name(const std::string& path);

/// True for names that `temporary_name` gives: files left behind by a killed process.
[[nodiscard]] bool is_temporary_name(const std::string& path);

/// Flushes `temporary` to the disk, gives it the name `path` (replacing what had it) and flushes the folder.
/// Throws Error, with the system's reason.
void publish_file(const std::string& temporary, const std::string& path);

}  // namespace nystrom
