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

/// Whether this name exists, behind links. False where that cannot be determined: a link that leads
/// to itself, a folder that may not be entered. Throws nothing, as the standard library's does.
[[nodiscard]] bool file_exists(const std::string& path) noexcept;

/// The content of a regular file. Throws InputError, naming the file, if it cannot be opened or read, is
/// something else (a folder; a named pipe, which would be waited for) or has more than `max_bytes`.
[[nodiscard]] std::string read_file(const std::string& path, std::uint64_t max_bytes = kMaxTextFileBytes);

/// The same of a file that the user named, which may be a pipe: it is read to its end.
[[nodiscard]] std::string read_file_or_pipe(const std::string& path,
                                            std::uint64_t max_bytes = kMaxTextFileBytes);

/// The content of a regular file that may be absent; nullopt if it cannot be opened or read, or has more than
/// `max_bytes`.
[[nodiscard]] std::optional<std::string> try_read_file(const std::string& path,
                                                       std::uint64_t max_bytes = kAnySize);

/// Refuses (InputError) a file of a folder that others made if it is a link out of that folder, which could
/// lead to any file of its reader. What Hugging Face's cache links to may be outside: a file in a folder
/// `blobs` whose name is a digest.
void refuse_link_out_of(const std::string& folder, const std::string& path);

/// Writes `content` atomically: under the name `path` there is all of it or what was there before. Throws
/// Error, naming the file and the system's reason; no temporary file is left then.
void write_file(const std::string& path, std::string_view content);

/// A name in the folder of `path` that nobody can guess: "<path>.tmp-<16 hex digits>".
[[nodiscard]] std::string temporary_name(const std::string& path);

/// True for names that `temporary_name` gives: files left behind by a killed process.
[[nodiscard]] bool is_temporary_name(const std::string& path);

/// Flushes `temporary` to the disk, gives it the name `path` (replacing what had it) and flushes the folder.
/// Throws Error, with the system's reason.
void publish_file(const std::string& temporary, const std::string& path);

/// The same for a file that must not replace another. Throws InputError, and `temporary` stays, if something
/// has come under the name `path` meanwhile.
void publish_new_file(const std::string& temporary, const std::string& path);

}  // namespace nystrom
