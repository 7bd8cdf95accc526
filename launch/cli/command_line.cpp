// Command line: CLI11 parses, the sentences are ours.

#include <algorithm>
#include <stdexcept>

#include "kernels/core/check.h"
#include "launch/cli/command.h"
#include "launch/cli/messages.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/version.h"
#include "launch/config/config.h"
#include "launch/config/suggestion.h"

namespace nystrom {
namespace {

std::string overview() {
  std::string text = fmt::format(
      "nystrom {}: pretraining of Nystromformers, transformer encoders with attention linear in the sequence "
      "length.\n\n"
      "Usage: nystrom COMMAND [OPTIONS]\n\nCommands:\n",
      program_version());
  for (const Command& command : all_commands())
    text += fmt::format("  {:<10} {}\n", command.name, command.summary);
  text +=
      "\nOptions:\n"
      "  --help           Show this text; `nystrom COMMAND --help` lists the options of a command.\n"
      "  --version        Print the version and the commit that it was built from.\n"
      "  --help-config    Print all configuration keys, in Markdown.\n"
      "  --help-schema    Print the JSON Schema of the configuration, for editors.\n"
      "  --help-messages  Print the messages of jobs with cause and action, in Markdown.\n"
      "\nExample:\n"
      "  nystrom prepare my.yaml && mpirun -n 2 nystrom pretrain my.yaml --set training.steps=1000\n"
      "\nExit status:\n"
      "  0  Done.\n"
      "  1  The work failed.\n"
      "  2  The input or the configuration was refused.\n"
      "  3  The run was stopped on request; the same command resumes it.\n";
  return text;
}

std::string example_text(const Command& command) {
  std::string text = "Example:\n";
  for (std::size_t begin = 0; begin < command.example.size();) {
    const auto end = std::min(command.example.find('\n', begin), command.example.size());
    text += "  " + command.example.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return text;
}

[[noreturn]] void refuse_option(const OptionParser& app, const std::string& given,
                                const std::string& command) {
  const std::string option = given.substr(0, given.find('='));
  if (option == "--dry-run")
    refuse("`nystrom {}` has no option `--dry-run`; `nystrom check` tells what a start would come to.",
           command);
  if (!option.starts_with('-') && option.size() < given.size())
    refuse("`nystrom {}` does not take the argument {}; write `--set {}` to set a key.", command, given,
           given);
  if (!option.starts_with('-'))
    refuse("`nystrom {}` does not take the argument {}; see `nystrom {} --help`.", command, given, command);
  if (const auto near = suggestion(option, app.long_names()))
    refuse("`nystrom {}` has no option `{}`; did you mean `{}`? See `nystrom {} --help`.", command, option,
           *near, command);
  refuse("`nystrom {}` has no option `{}`; see `nystrom {} --help`.", command, option, command);
}

// Bare `key=value` arguments belong to the `--set` before them: `--set a=1 b=2` sets both.
void take_overrides(const OptionParser& app, const std::string& command,
                    std::vector<std::string>& overrides) {
  for (const std::string& rest : app.remaining()) {
    const auto equals = rest.find('=');
    const bool key =
        !overrides.empty() && equals != std::string::npos && equals > 0 &&
        std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
          return c == '.' || c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        });
    if (!key) refuse_option(app, rest, command);
    overrides.push_back(rest);
  }
}

int run_command(const Command& command, const std::vector<std::string>& arguments) {
  OptionParser app(command.details.empty() ? command.summary : command.summary + "\n" + command.details,
                   "nystrom " + command.name, example_text(command));
  command.options(app);
  Invocation invocation;
  app.add_option("--set", invocation.overrides,
                 "Override a configuration key, as in `training.steps=1000`; may be repeated.")
      ->one_value()
      ->type_name("KEY=VALUE");
  try {
    app.parse(arguments);
  } catch (const OptionParser::CallForHelp&) {
    fmt::print("{}", app.help());
    return kDone;
  } catch (const std::runtime_error& error) {
    if (!app.remaining().empty()) refuse_option(app, app.remaining().front(), command.name);
    refuse("nystrom {}: {}. See `nystrom {} --help`.", command.name, error.what(), command.name);
  }
  take_overrides(app, command.name, invocation.overrides);
  return command.run(invocation);
}

}  // namespace

int run_command_line(const std::vector<std::string>& arguments) {
  const std::string first = arguments.empty() ? "--help" : arguments.front();
  if (first == "--help" || first == "-h" || first == "help") {
    fmt::print("{}", overview());
    return arguments.empty() ? kRefused : kDone;
  }
  if (first == "--version") {
    fmt::print("nystrom {}\n", program_version());
    return kDone;
  }
  if (first == "--help-config") {
    fmt::print("{}", configuration_document());
    return kDone;
  }
  if (first == "--help-schema") {
    fmt::print("{}", configuration_schema());
    return kDone;
  }
  if (first == "--help-messages") {
    fmt::print("{}", messages_document());
    return kDone;
  }
  std::vector<std::string> names{"--help", "--version", "--help-config", "--help-schema", "--help-messages"};
  for (const Command& command : all_commands()) {
    if (command.name == first) return run_command(command, {arguments.begin() + 1, arguments.end()});
    names.push_back(command.name);
  }
  if (const auto near = suggestion(first, names))
    refuse("There is no command `{}`; did you mean `{}`? See `nystrom --help`.", first, *near);
  refuse("There is no command `{}`; see `nystrom --help`.", first);
}

}  // namespace nystrom
