#include "launch/cli/help_text.h"

#include <algorithm>

#include "launch/cli/option_parser.h"
#include "launch/cli/version.h"

namespace nystrom {
namespace {

constexpr std::size_t kLeft = 26;  // column of the descriptions of options

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// A name in the left column and its description to the right, or below where it is long.
std::string row(const std::string& left, const std::string& text, std::size_t columns, std::size_t from) {
  std::string line = "  " + left;
  const std::size_t width = width_of(line);
  line += width + 2 > from ? "\n" + std::string(from, ' ') : std::string(from - width, ' ');
  return line + wrapped(text, columns, from, from) + "\n";
}

std::string help_of(const OptionEntry& option) {
  std::string text = option.help;
  if (!option.standard.empty()) text += fmt::format(" [default: {}]", option.standard);
  if (option.required && !option.positional()) text += " [required]";
  return text;
}

std::string left_of(const OptionEntry& option) {
  if (option.positional() || option.flag()) return option.name;
  return option.name + " " + option.value;
}

std::string section(const CommandEntry& entry, std::string_view title, bool positional, std::size_t columns) {
  std::string text;
  for (const OptionEntry& option : entry.options)
    if (option.positional() == positional) text += row(left_of(option), help_of(option), columns, kLeft);
  return text.empty() ? text : fmt::format("\n{}:\n{}", title, text);
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent, std::size_t at) {
  std::string out;
  bool fresh = true;  // this line is empty so far
  for (std::size_t begin = 0; begin < text.size();) {
    if (text[begin] == '\n') {
      out += "\n" + std::string(indent, ' ');
      at = indent, fresh = true, ++begin;
      continue;
    }
    if (text[begin] == ' ') {
      ++begin;
      continue;
    }
    const auto end = std::min(text.find_first_of(" \n", begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const std::size_t width = width_of(word);
    if (!fresh && at + 1 + width > columns) {
      out += "\n" + std::string(indent, ' ');
      at = indent, fresh = true;
    }
    if (!fresh) out += ' ', ++at;
    out += word;
    at += width, fresh = false, begin = end;
  }
  return out;
}

std::string usage_text(const CommandEntry& entry) {
  std::string text = "nystrom " + entry.command.name;
  for (const OptionEntry& option : entry.options) {
    const std::string name = option.name + (option.repeated ? "..." : "");
    if (option.positional())
      text += option.required ? " " + name : " [" + name + "]";
    else if (option.required)
      text += fmt::format(" {} {}", option.name, option.value);
  }
  return text + " [OPTIONS]";
}

std::string program_help(std::size_t columns) {
  std::string text = wrapped(
      fmt::format(
          "nystrom {}: pretraining of Nystromformers, transformer encoders with attention linear in the "
          "sequence length.",
          program_version()),
      columns);
  text += "\n\nUsage: nystrom COMMAND [OPTIONS]\n\nCommands:\n";
  for (const Command& command : all_commands()) text += row(command.name, command.summary, columns, 13);
  text += "\nOptions:\n";
  for (const ProgramOption& option : program_options())
    text +=
        row(option.value.empty() ? std::string(option.name) : fmt::format("{} {}", option.name, option.value),
            std::string(option.help), columns, 36);
  text +=
      "\nExample:\n"
      "  nystrom prepare my.yaml && mpirun -n 2 nystrom pretrain my.yaml --set training.steps=1000\n"
      "\nExit status:\n"
      "  0  Done.\n"
      "  1  The work failed.\n"
      "  2  The input or the configuration was refused.\n"
      "  3  The run was stopped on request; the same command resumes it.\n";
  return text;
}

std::string command_help(const CommandEntry& entry, std::size_t columns) {
  const Command& command = entry.command;
  std::string text = wrapped(command.summary, columns) + "\n";
  if (!command.details.empty()) text += wrapped(command.details, columns) + "\n";
  text += "\nUsage: " + wrapped(usage_text(entry), columns, 7, 7) + "\n";
  text += section(entry, "Arguments", true, columns);
  text += section(entry, "Options", false, columns);
  text += row("-h, --help", "Print this help message.", columns, kLeft);
  text += "\nExample:\n  " + command.example;
  for (auto at = text.find('\n', text.size() - command.example.size()); at != std::string::npos;
       at = text.find('\n', at + 1))
    text.insert(at + 1, "  ");
  return text + "\n";
}

}  // namespace nystrom
