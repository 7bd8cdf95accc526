#include "launch/cli/completion.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/config/config.h"

namespace nystrom {
namespace {

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

/// The first sentence, without its full stop, for descriptions.
std::string first_sentence(const std::string& help) {
  std::string text = help.substr(0, help.find(". "));
  if (text.ends_with('.')) text.pop_back();
  return replaced(std::move(text), "`", "");
}

std::string key_words() {
  std::string text;
  for (const auto& key : configuration_keys()) text += (text.empty() ? "" : " ") + key + "=";
  return text;
}

/// The options that have names.
std::vector<OptionEntry> named(const CommandEntry& entry) {
  std::vector<OptionEntry> options;
  for (const OptionEntry& option : entry.options)
    if (!option.positional()) options.push_back(option);
  return options;
}

std::string command_names() {
  std::string names;
  for (const Command& command : all_commands()) names += (names.empty() ? "" : " ") + command.name;
  return names;
}

// ---- bash

constexpr std::string_view kBashHead =
    R"(# Completion of nystrom for bash, made by `nystrom --help-completion bash`.
_nystrom() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} options= words=
  # `=` is a separate word to bash: --option=value, KEY=VALUE.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
)";

constexpr std::string_view kBashTail = R"(  if [[ -z $words && $current == -* ]]; then
    words=$options
  fi
  # Without words, files are completed.
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
  return 0
}
complete -o default -F _nystrom nystrom
)";

std::string words_of(const OptionEntry& option, const std::string& keys) {
  if (option.name == "--set") return keys;
  std::string text;
  for (const auto& word : option.words()) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string bash_script() {
  std::string text(kBashHead), first = command_names(), options, values;
  for (const ProgramOption& option : program_options()) {
    first += " " + std::string(option.name);
    if (!option.value.empty())
      values += fmt::format("    \"{} {}\") words='{}' ;;\n", option.name, option.name,
                            replaced(std::string(option.value), "|", " "));
  }
  text += "  local keys='" + key_words() + "'\n  case $command in\n";
  for (const CommandEntry& entry : command_table()) {
    std::string names;
    for (const OptionEntry& option : named(entry)) {
      names += option.name + " ";
      const std::string words = words_of(option, "$keys");
      if (words == "$keys") continue;
      if (!words.empty())
        values += fmt::format("    \"{} {}\") words='{}' ;;\n", entry.command.name, option.name, words);
    }
    options += fmt::format("    {}) options='{}--help' ;;\n", entry.command.name, names);
  }
  text += options + "  esac\n  case \"$command $previous\" in\n" + values +
          "    *\" --set\") words=$keys ;;\n  esac\n";
  text += "  if (( COMP_CWORD == 1 )); then\n    words='" + first + "'\n  fi\n";
  return text + std::string(kBashTail);
}

// ---- zsh

std::string zsh_quoted(std::string text) {
  for (const char* special : {"\\", "[", "]", ":"})
    text = replaced(text, special, std::string("\\") + special);
  return replaced(text, "'", "'\\''");
}

std::string zsh_value(const OptionEntry& option) {
  const std::string name = zsh_quoted(option.value.empty() ? option.name : option.value);
  if (option.name == "--set") return ":" + name + ":_nystrom_keys";
  std::string words;
  for (const auto& word : option.words()) words += (words.empty() ? "" : " ") + word;
  if (words.empty()) return ":" + name + ":_files";
  if (option.closed()) return fmt::format(":{}:({})", name, words);
  return fmt::format(":{}:{{compadd {}; _files}}", name, words);
}

std::string zsh_script() {
  std::string text =
      "#compdef nystrom\n# Completion of nystrom for zsh, made by `nystrom --help-completion zsh`.\n"
      "_nystrom_keys() {\n  compadd -S '' -- " +
      key_words() + "\n}\n_nystrom() {\n  local -a commands=(\n";
  for (const Command& command : all_commands())
    text += fmt::format("    '{}:{}'\n", command.name, zsh_quoted(first_sentence(command.summary)));
  text += "  )\n  local -a options=(\n";
  for (const ProgramOption& option : program_options())
    text += fmt::format("    '{}:{}'\n", option.name, zsh_quoted(first_sentence(std::string(option.help))));
  text +=
      "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands -- options\n    return\n  fi\n"
      "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n";
  for (const ProgramOption& option : program_options())
    if (!option.value.empty())
      text +=
          fmt::format("    {}) compadd {} ;;\n", option.name, replaced(std::string(option.value), "|", " "));
  for (const CommandEntry& entry : command_table()) {
    text += fmt::format("    {}) _arguments", entry.command.name);
    for (const OptionEntry& option : named(entry))
      text += fmt::format(" \\\n      '{}{}[{}]{}'", option.repeated ? "*" : "", option.name,
                          zsh_quoted(first_sentence(option.help)), option.flag() ? "" : zsh_value(option));
    text += " \\\n      '(- *)'{-h,--help}'[Print this help message]' '*:file:_files' ;;\n";
  }
  return text + "  esac\n}\n_nystrom \"$@\"\n";
}

// ---- fish

std::string fish_quoted(const std::string& text) {
  return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string fish_script() {
  std::string text = "# Completion of nystrom for fish, made by `nystrom --help-completion fish`.\n";
  for (const Command& command : all_commands())
    text += fmt::format("complete -c nystrom -n __fish_use_subcommand -f -a {} -d {}\n", command.name,
                        fish_quoted(first_sentence(command.summary)));
  for (const ProgramOption& option : program_options()) {
    text += fmt::format("complete -c nystrom -n __fish_use_subcommand -f -l {} -d {}", option.name.substr(2),
                        fish_quoted(first_sentence(std::string(option.help))));
    if (!option.value.empty())
      text += fmt::format(" -x -a {}", fish_quoted(replaced(std::string(option.value), "|", " ")));
    text += "\n";
  }
  text += "set -l keys " + key_words() + "\n";
  for (const CommandEntry& entry : command_table()) {
    const std::string condition =
        fish_quoted(fmt::format("__fish_seen_subcommand_from {}", entry.command.name));
    for (const OptionEntry& option : named(entry)) {
      text += fmt::format("complete -c nystrom -n {} -l {} -d {}", condition, option.name.substr(2),
                          fish_quoted(first_sentence(option.help)));
      std::string words;
      for (const auto& word : option.words()) words += (words.empty() ? "" : " ") + word;
      if (option.name == "--set")
        text += " -x -a \"$keys\"";
      else if (!option.flag())
        text += (option.closed() ? " -x" : " -r -F") + (words.empty() ? "" : " -a " + fish_quoted(words));
      text += "\n";
    }
  }
  return text;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  refuse("`--help-completion` is {}; it must be bash, zsh or fish.", shell);
}

}  // namespace nystrom
