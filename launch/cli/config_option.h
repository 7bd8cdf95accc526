#pragma once
// Options that several commands share: the configuration file, `--resume`, the warning about unused keys.

#include <string>
#include <string_view>

#include "launch/cli/command.h"
#include "launch/cli/log.h"
#include "launch/cli/option_parser.h"
#include "launch/config/command_keys.h"

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

inline void add_takeover_option(OptionParser& app, bool& takeover) {
  app.add_flag("--takeover", takeover,
               "Take over the lock of `run.directory` unconditionally: for a lock whose owner cannot be "
               "checked, of a job that is certainly dead.");
}

/// `command` as unused_keys_sentence takes it.
inline void warn_of_unused_keys(const Log& log, const Config& config, std::string_view command) {
  if (const auto unused = unused_keys_sentence(config, command); !unused.empty()) log.warning(unused);
}

}  // namespace nystrom
