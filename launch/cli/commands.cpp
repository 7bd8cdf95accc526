// List of commands. A new command needs its file in launch/commands/, a declaration and a row here.

#include "launch/cli/command.h"

namespace nystrom {

Command prepare_command();
Command check_command();
Command pretrain_command();
Command finetune_command();
Command evaluate_command();
Command predict_command();
Command convert_command();
Command verify_command();
Command inspect_command();
Command doctor_command();
Command bench_command();
Command lra_command();
Command table_command();
Command report_command();
Command watch_command();

std::vector<Command> all_commands() {
  // clang-format off
  return {
      prepare_command(),  check_command(),   pretrain_command(), finetune_command(),
      evaluate_command(), predict_command(), convert_command(),  verify_command(),
      inspect_command(),  doctor_command(),  bench_command(),
      lra_command(),      table_command(),   report_command(),   watch_command(),
  };
  // clang-format on
}

}  // namespace nystrom
