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

/// Only what exists but cannot be read ends the search: to ignore it would lose text.
int on_error(const char* /*path*/, int error) {
  return error != ENOENT && error != ENOTDIR ? 1 : 0;
}

/// What glob(3) finds; `pattern` is the user's, for messages.
std::vector<std::string> matches_of(const std::string& part, const std::string& pattern) {
  GlobResult found;
  switch (::glob(part.c_str(), GLOB_NOSORT, on_error, &found)) {
    case 0:
      return {found.gl_pathv, found.gl_pathv + found.gl_pathc};
    case GLOB_NOMATCH:
      return {};
    case GLOB_ABORTED:
      refuse("{}: a folder that this pattern goes through cannot be read ({}).", pattern,
             std::strerror(errno));
    default:
      fail("{}: no memory to list what this pattern matches.", pattern);
  }
}

/// The paths that begin with `before`, which exists (or is empty), and continue as `part`, which is itself
/// where it exists. (A part with its slashes: "/", "runs", "*.h5".)
std::vector<std::string> continued(const std::string& before, const std::string& part,
                                   const std::string& pattern) {
  std::error_code ignored;
  if (fs::exists(before + part, ignored)) return {before + part};
  return matches_of(escaped_pattern(before) + part, pattern);
}

}  // namespace

std::vector<std::string> expand_glob(const std::string& pattern) {
  std::vector<std::string> paths{""};
  for (std::size_t begin = 0; begin < pattern.size();) {
    // A part includes the slashes after it, so that it names a folder where the path continues.
    const std::size_t name_end = std::min(pattern.find('/', begin), pattern.size());
    const std::size_t end = std::min(pattern.find_first_not_of('/', name_end), pattern.size());
    std::vector<std::string> longer;
    for (const std::string& before : paths)
      for (std::string& path : continued(before, pattern.substr(begin, end - begin), pattern))
        longer.push_back(std::move(path));
    paths = std::move(longer);
    begin = end;
  }
  if (pattern.empty()) paths.clear();
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool is_left_over(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  return name.starts_with('.') || name.ends_with('~') ||
         (name.size() > 1 && name.starts_with('#') && name.ends_with('#'));
}

std::string escaped_pattern(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern;
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
      refuse("{}: folders are nested more than 64 deep. Is there a link that points back up?",
             entry->path().string());
    if (entry->is_regular_file(error)) files.push_back(entry->path().string());
    error.clear();
  }
  if (error) refuse("{}: a folder in it cannot be read ({}).", path, error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace nystrom
