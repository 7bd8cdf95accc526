#pragma once
// A human-readable report of a manifest.

#include <string>

namespace nystrom {

/// For a terminal, printable: sources with what was kept and dropped, splits, and how long the documents are.
/// Throws InputError if it is not a manifest.
std::string manifest_summary(const std::string& manifest);

/// The same as one HTML file that needs no network.
std::string manifest_report(const std::string& manifest);

}  // namespace nystrom
