#pragma once
// A human-readable summary of a manifest; launch/report/preparation.h makes a page of it.

#include <string>

namespace nystrom {

/// For a terminal, printable: sources with what was kept and dropped, splits, and how long the documents are.
/// Throws InputError if it is not a manifest.
std::string manifest_summary(const std::string& manifest);

}  // namespace nystrom
