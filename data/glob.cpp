#include "data/glob.h"

#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "kernels/core/check.h"

namespace nystrom {
namespace fs = std::filesystem;

namespace {

/// Frees what glob(3) allocated.
struct GlobResult : glob_t {
  GlobResult() : glob_t{} {}
  ~GlobResult() { globfree(this); }
  GlobResult(const GlobResult&) = delete;
  GlobResult& operator=(const GlobResult&) = delete;
};

/// Only what is there but cannot be read ends the search: silence would lose text.
int on_error(const char* /*path*/, int error) {
  return error != ENOENT && error != ENOTDIR ? 1 : 0;
}

}  // namespace

std::vector<std::string> expand_glob(const std::string& pattern) {
  std::error_code ignored;
  if (fs::exists(pattern, ignored)) return {pattern};
  GlobResult found;
  switch (::glob(pattern.c_str(), GLOB_NOSORT, on_error, &found)) {
    case 0:
      break;
    case GLOB_NOMATCH:
      return {};
    case GLOB_ABORTED:
      refuse("{}: a folder that this pattern goes through cannot be read ({}).", pattern,
             std::strerror(errno));
    default:
      fail("{}: no memory to list what this pattern matches.", pattern);
  }
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> expand_globs(const std::vector<std::string>& patterns, const std::string& key) {
  std::vector<std::string> paths;
  std::set<std::string> seen;
  for (const auto& pattern : patterns) {
    const auto matches = expand_glob(pattern);
    if (matches.empty())
      refuse("{}: nothing matches {}. Check the path; it is relative to the working directory.", key,
             pattern);
    for (const auto& path : matches) {
      if (seen.insert(path).second) paths.push_back(path);
    }
  }
  return paths;
}

std::vector<std::string> files_below(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<std::string> files;
  fs::recursive_directory_iterator entry(path, fs::directory_options::follow_directory_symlink, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    // A folder that links back to its own parent would be walked until the path is too long.
    if (entry.depth() > 64)
      refuse("{}: folders lie more than 64 deep. Is there a link that points back up?",
             entry->path().string());
    if (entry->is_regular_file(error)) files.push_back(entry->path().string());
    error.clear();
  }
  if (error) refuse("{}: a folder in it cannot be read ({}).", path, error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace nystrom
