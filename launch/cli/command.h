#pragma once
// Command of the program `nystrom`: one file in launch/commands/ and one row in launch/cli/commands.cpp.
//
//   Command greet_command() {
//     struct Options { std::string name; };
//     auto options = std::make_shared<Options>();
//     return {.name = "greet",
//             .summary = "Say hello.",
//             .example = "nystrom greet --name Ada",
//             .options = [=](OptionParser& app) { app.add_option("--name", options->name, "A name."); },
//             .run = [=](const Invocation&) { fmt::print("hello {}\n", options->name); return kDone; }};
//   }

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

class OptionParser;

/// Exit statuses: scripts rely on them.
enum ExitStatus : int {
  kDone = 0,
  kFailed = 1,   ///< the work failed
  kRefused = 2,  ///< the input or the configuration was refused
  kStopped = 3,  ///< stopped on request; the same command resumes
};

/// Options that every command has.
struct Invocation {
  std::vector<std::string> overrides;  ///< `--set key=value`, in the order of the command line
};

struct Command {
  std::string name;
  std::string summary;  ///< one sentence, for the list of commands
  std::string details;  ///< further sentences for the command's own --help; may be empty
  std::string example;  ///< one or more command lines
  std::function<void(OptionParser&)> options;
  std::function<int(const Invocation&)> run;  ///< returns the exit status; main() prints what it throws
};

/// All commands, in the order of `nystrom --help`.
std::vector<Command> all_commands();

struct OptionEntry;

/// A command as help, completion and manual page show it.
struct CommandEntry {
  Command command;
  std::vector<OptionEntry> options;  ///< its own, then `--set`
};

/// Options of the program itself, which are given instead of a command.
struct ProgramOption {
  std::string_view name, value, help;  ///< `value`: the words of its argument, "bash|zsh|fish", or empty
};

std::vector<CommandEntry> command_table();
std::span<const ProgramOption> program_options();

/// Runs a command line, without the program's name, and returns the exit status. Throws InputError for an
/// unknown command or option, and whatever the command throws.
int run_command_line(const std::vector<std::string>& arguments);

}  // namespace nystrom
