#pragma once
// The argument CONFIG.yaml that several commands have.

#include <CLI/CLI.hpp>
#include <string>

#include "launch/command.h"
#include "launch/config.h"

namespace nystrom {

inline void add_config_argument(CLI::App& app, std::string& path, bool required) {
  app.add_option("CONFIG", path, "the configuration, a YAML file (docs/configuration.md)")
      ->required(required);
}

}  // namespace nystrom
