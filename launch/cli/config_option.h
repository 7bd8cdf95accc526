#pragma once
// Options that several commands share: the configuration file, `--resume`.

#include <string>

#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/config/config.h"

namespace nystrom {

inline void add_config_argument(OptionParser& app, std::string& path, bool required) {
  app.add_option("CONFIG", path, "Configuration, a YAML file (docs/configuration.md).")->required(required);
}

inline void add_resume_option(OptionParser& app, std::string& resume) {
  app.add_option(
         "--resume", resume,
         "auto: resume from the latest valid checkpoint, if any. never: start a new run. PATH: resume from "
         "that checkpoint.")
      ->type_name("auto|never|PATH");
}

}  // namespace nystrom
