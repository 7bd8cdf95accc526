#pragma once
// Version of the program, with the commit that it was built from.

namespace nystrom {

/// "0.1.0 (96b7927)", or "0.1.0" where the sources are not a git checkout. cmake/WriteVersion.cmake writes
/// the definition during the build.
const char* program_version();

}  // namespace nystrom
