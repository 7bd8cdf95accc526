#pragma once
// What the configuration's reader says to a text that it refuses; "accepted" where it does not.

#include <string>

#include "kernels/core/check.h"
#include "launch/config/config.h"

namespace nystrom::config_test {

inline std::string refusal(const std::string& yaml) {
  try {
    (void)read_config_text(yaml, "run.yaml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

inline std::string refused_override(const std::string& text) {
  try {
    (void)read_config("", {text});
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace nystrom::config_test
