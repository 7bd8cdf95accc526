#include <CLI/CLI.hpp>
#include <memory>

#include "kernels/core/check.h"
#include "launch/command.h"

namespace nystrom {

Command finetune_command() {
  auto config = std::make_shared<std::string>();
  return {.name = "finetune",
          .summary = "train a pretrained model on a labelled task (not built yet)",
          .details = "",
          .example = "nystrom finetune configs/sst2.yaml --set model.from=run/checkpoints/step-00001000.h5",
          .options = [config](CLI::App& app) { app.add_option("CONFIG", *config, "the YAML file"); },
          .run = [](const Invocation&) -> int {
            refuse("finetune is not built yet; this version pretrains, evaluates and fills masks");
          }};
}

}  // namespace nystrom
