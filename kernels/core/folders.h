#pragma once
// Folders that are about to be written to, checked without writing.

#include <cstdint>
#include <string>

namespace nystrom {

/// The path itself, or the nearest of its parents that exists; absolute.
[[nodiscard]] std::string nearest_existing(const std::string& path);

/// Why nothing can be written to the folder, or why it cannot be made where it does not exist: the system's
/// reason, as far as can be determined without trying. Empty: it can.
[[nodiscard]] std::string why_not_writable(const std::string& folder);

/// Bytes that this user may still write to the file system of the path, or of its nearest parent that exists;
/// 0 if that is unknown.
[[nodiscard]] std::uint64_t free_disk_bytes(const std::string& path);

}  // namespace nystrom
