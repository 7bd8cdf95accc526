#include "launch/config/path_text.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

std::string home_folder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
  const passwd* user = ::getpwuid(::getuid());
  if (user == nullptr || user->pw_dir == nullptr || *user->pw_dir == '\0')
    refuse("begins with ~, but there is no home folder (HOME is not set); write the path in full");
  return user->pw_dir;
}

std::string value_of(const std::string& name) {
  const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
  if (value == nullptr) refuse("names ${{{}}}, which is not set in the environment", name);
  return value;
}

}  // namespace

std::string expanded_path(const std::string& text) {
  std::string path = text;
  for (auto at = path.find("${"); at != std::string::npos; at = path.find("${", at)) {
    const auto end = path.find('}', at);
    if (end == std::string::npos) refuse("has ${{ without }}");
    const std::string value = value_of(path.substr(at + 2, end - at - 2));
    path.replace(at, end + 1 - at, value);
    at += value.size();
  }
  if (text == "~" || text.starts_with("~/")) path.replace(0, 1, home_folder());
  return path;
}

std::string expanded_option(std::string_view option, const std::string& text) {
  try {
    return expanded_path(text);
  } catch (const InputError& error) {
    refuse("`{}` ({}) {}.", option, text, error.what());
  }
}

}  // namespace nystrom
