// Command line: CLI11 parses, the sentences are ours.

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "kernels/core/check.h"
#include "launch/cli/command.h"
#include "launch/cli/completion.h"
#include "launch/cli/help_text.h"
#include "launch/cli/manual_page.h"
#include "launch/cli/messages.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/quiet.h"
#include "launch/cli/stage_progress.h"
#include "launch/cli/terminal.h"
#include "launch/cli/version.h"
#include "launch/config/config.h"
#include "launch/config/suggestion.h"
#include "trainer/comm/launcher.h"

namespace nystrom {
namespace {

constexpr std::array kProgramOptions = {
    ProgramOption{"--help", "", "Show this text; `nystrom COMMAND --help` lists the options of a command."},
    ProgramOption{"--version", "", "Print the version and the commit."},
    ProgramOption{"--help-config", "", "Print all configuration keys, in Markdown."},
    ProgramOption{"--help-schema", "", "Print the JSON Schema of the configuration, for editors."},
    ProgramOption{"--help-messages", "", "Print the messages of jobs with causes and actions, in Markdown."},
    ProgramOption{"--help-completion", "bash|zsh|fish", "Print the completion script of a shell."},
    ProgramOption{"--help-man", "", "Print the manual page, in the language of man(7)."},
};

/// Options that every command has.
struct CommonOptions {
  Invocation invocation;
  bool quiet = false;
};

void add_common_options(OptionParser& app, CommonOptions& common) {
  app.add_option("--set", common.invocation.overrides,
                 "Override a configuration key, as in `training.steps=1000`; may be repeated.")
      ->one_value()
      ->type_name("KEY=VALUE");
  app.add_flag("--quiet", common.quiet,
               "Print only warnings and errors on stderr, no notes and no progress.");
}

CommandEntry entry_of(const Command& command) {
  OptionParser app;
  CommonOptions common;
  command.options(app);
  add_common_options(app, common);
  return {command, app.entries()};
}

[[noreturn]] void refuse_option(const OptionParser& app, const std::string& given,
                                const std::string& command) {
  const std::string option = given.substr(0, given.find('='));
  if (option == "--dry-run") refuse("`nystrom {}` has no option `--dry-run`; use `nystrom check`.", command);
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
  OptionParser app;
  command.options(app);
  CommonOptions common;
  add_common_options(app, common);
  try {
    app.parse(arguments);
  } catch (const OptionParser::CallForHelp&) {
    fmt::print("{}", command_help(entry_of(command), help_columns()));
    return kDone;
  } catch (const std::runtime_error& error) {
    if (!app.remaining().empty()) refuse_option(app, app.remaining().front(), command.name);
    refuse("nystrom {}: {}. See `nystrom {} --help`.", command.name, error.what(), command.name);
  }
  take_overrides(app, command.name, common.invocation.overrides);
  if (common.quiet) set_quiet();
  static StageProgress stages;  // outlives all of them
  if (launched_rank() == 0) show_stages(&stages);
  return command.run(common.invocation);
}

}  // namespace

std::vector<CommandEntry> command_table() {
  std::vector<CommandEntry> table;
  for (const Command& command : all_commands()) table.push_back(entry_of(command));
  return table;
}

std::span<const ProgramOption> program_options() {
  return kProgramOptions;
}

int run_command_line(const std::vector<std::string>& arguments) {
  const std::string first = arguments.empty() ? "--help" : arguments.front();
  if (first == "--help" || first == "-h" || first == "help") {
    fmt::print("{}", program_help(help_columns()));
    return arguments.empty() ? kRefused : kDone;
  }
  const std::pair<std::string_view, std::string (*)()> printed[] = {
      {"--version", [] { return fmt::format("nystrom {}\n", program_version()); }},
      {"--help-config", configuration_document},
      {"--help-schema", configuration_schema},
      {"--help-messages", messages_document},
      {"--help-man", manual_page}};
  for (const auto& [name, text] : printed) {
    if (first != name) continue;
    fmt::print("{}", text());
    return kDone;
  }
  if (first == "--help-completion") {
    if (arguments.size() != 2) refuse("`--help-completion` needs a shell: bash, zsh or fish.");
    fmt::print("{}", completion_script(arguments[1]));
    return kDone;
  }
  std::vector<std::string> names;
  for (const ProgramOption& option : kProgramOptions) names.emplace_back(option.name);
  for (const Command& command : all_commands()) {
    if (command.name == first) return run_command(command, {arguments.begin() + 1, arguments.end()});
    names.push_back(command.name);
  }
  if (const auto near = suggestion(first, names))
    refuse("Unknown command `{}`; did you mean `{}`? See `nystrom --help`.", first, *near);
  refuse("Unknown command `{}`; see `nystrom --help`.", first);
}

}  // namespace nystrom
