#pragma once
// The argument CONFIG.yaml that several commands have.

#include <CLI/CLI.hpp>
#include <string>

#include "launch/cli/command.h"
#include "launch/config/config.h"

namespace nystrom {

inline void add_config_argument(CLI::App& app, std::string& path, bool required) {
  app.add_option("CONFIG", path, "the configuration, a YAML file (docs/configuration.md)")
      ->required(required);
}

inline void add_resume_option(CLI::App& app, std::string& resume) {
  app.add_option("--resume", resume,
                 "auto: go on from the newest checkpoint, if any; never: begin anew; or a checkpoint")
      ->type_name("auto|never|PATH");
}

}  // namespace nystrom
