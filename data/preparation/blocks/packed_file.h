#pragma once
// Files of several compressed sections, written as a whole.

#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

/// Writes the sections, each compressed (Zstandard, with a checksum). Atomic:
/// see write_file. Throws Error with the system's reason.
void write_packed_file(const std::string& path, const std::vector<std::string_view>& sections);

/// One section, without reading those after it. Throws Error, naming the file, if it is corrupt.
std::string read_packed_section(const std::string& path, std::size_t section);

}  // namespace nystrom
