#pragma once
// What a manifest says, for people.

#include <string>

namespace nystrom {

/// For a terminal, printable: sources with what was kept and dropped, splits, and how long the documents are.
/// Throws InputError for what is no manifest.
std::string manifest_summary(const std::string& manifest);

/// The same as one HTML file that needs no network.
std::string manifest_report(const std::string& manifest);

}  // namespace nystrom
