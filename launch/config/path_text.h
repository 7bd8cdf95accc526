#pragma once
// Paths in a configuration as a shell would read them: `~` and `${VARIABLE}`.

#include <string>

namespace nystrom {

/// `~` or `~/...` at the beginning becomes the home folder, and `${NAME}` anywhere the value of that variable
/// of the environment. Everything else stays: `$NAME`, `~user`, `./~`. Throws InputError with the rest of a
/// sentence, "names ${X}, which is not set in the environment", for a variable that is not set or no name,
/// and for a home folder that is not known.
[[nodiscard]] std::string expanded_path(const std::string& text);

/// The same for an option of the command line ("--resume"), refused with a whole sentence that names it.
[[nodiscard]] std::string expanded_option(std::string_view option, const std::string& text);

}  // namespace nystrom
