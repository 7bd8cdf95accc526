#pragma once
// Shared data next to a checkout.

#include <cstdlib>
#include <filesystem>
#include <string>

namespace nystrom::testing {

/// A folder of the data next to a checkout (`NYSTROM_SHARED`, or `../shared` of the source folder,
/// in which tests run); empty where there is none, and then the test says that it was skipped.
inline std::filesystem::path shared_folder(const std::string& name) {
  const char* given = std::getenv("NYSTROM_SHARED");
  const auto path = std::filesystem::path(given != nullptr ? given : "../shared") / name;
  return std::filesystem::is_directory(path) ? path : std::filesystem::path{};
}

}  // namespace nystrom::testing
