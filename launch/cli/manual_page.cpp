#include "launch/cli/manual_page.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "launch/cli/command.h"
#include "launch/cli/help_text.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/version.h"

namespace nystrom {
namespace {

/// Text of a line: backslashes and hyphens are escaped, `code` is bold, a line break is a new paragraph's.
std::string roff(std::string_view text) {
  std::string out;
  bool bold = false;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '`')
      out += (bold = !bold) ? "\\fB" : "\\fR";
    else
      out += c;
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  for (auto at = out.find('\n'); at != std::string::npos; at = out.find('\n', at + 1))
    if (at + 1 < out.size() && (out[at + 1] == '.' || out[at + 1] == '\'')) out.insert(at + 1, "\\&");
  return out;
}

std::string bold(std::string_view text) {
  return "\\fB" + roff(text) + "\\fR";
}
std::string italic(std::string_view text) {
  return "\\fI" + roff(text) + "\\fR";
}

std::string tagged(const std::string& tag, std::string_view text) {
  return ".TP\n" + tag + "\n" + roff(text) + "\n";
}

std::string tag_of(const OptionEntry& option) {
  if (option.positional()) return italic(option.name);
  return option.flag() ? bold(option.name) : bold(option.name) + " " + italic(option.value);
}

std::string command_text(const CommandEntry& entry) {
  const Command& command = entry.command;
  std::string text = ".SS " + roff(usage_text(entry)) + "\n" + roff(command.summary) + "\n";
  if (!command.details.empty()) text += roff(command.details) + "\n";
  for (const OptionEntry& option : entry.options) {
    if (option.name == "--set") continue;
    std::string help = option.help;
    if (!option.standard.empty()) help += fmt::format(" Default: {}.", option.standard);
    text += tagged(tag_of(option), help);
  }
  return text + ".PP\n.nf\n" + roff(command.example) + "\n.fi\n";
}

struct Entry {
  std::string_view name, text;
};

constexpr Entry kStatus[] = {{"0", "Done."},
                             {"1", "The work failed."},
                             {"2", "The input or the configuration was refused."},
                             {"3", "The run was stopped on request; the same command resumes it."}};

constexpr Entry kEnvironment[] = {
    {"OMP_NUM_THREADS", "Threads of a rank, unless `run.threads` is set."},
    {"OMP_WAIT_POLICY", "`active`: waiting threads spin, for a machine that runs nothing else."},
    {"NYSTROM_BIND", "`share`: each rank binds itself to its share of the cores. `nystrom-mpirun` sets it."},
    {"NYSTROM_HOSTFILE", "For `nystrom-mpirun`: Open MPI's host file, for ranks on several machines."},
    {"NYSTROM_END_SECONDS", "For `nystrom-mpirun`: how long a job without ranks may go on."},
};

constexpr Entry kManualFiles[] = {
    {"run.directory/metrics.jsonl", "One JSON object a report."},
    {"run.directory/checkpoints/", "Checkpoints, from which the same command resumes."},
    {"run.directory/stop", "A file of this name stops the run after its step, with a checkpoint."},
};

template <std::size_t N>
std::string section(const char* title, const Entry (&entries)[N]) {
  std::string text = fmt::format(".SH {}\n", title);
  for (const Entry& entry : entries) text += tagged(bold(entry.name), entry.text);
  return text;
}

}  // namespace

std::string manual_page() {
  std::string version = program_version();
  version = version.substr(0, version.find(' '));
  std::string text = fmt::format(
      ".\\\" Made by `nystrom --help-man`.\n.TH NYSTROM 1 \"\" \"nystrom {}\" \"User Commands\"\n"
      ".SH NAME\nnystrom \\- pretraining of Nystromformers\n"
      ".SH SYNOPSIS\n\\fBnystrom\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.br\n"
      "\\fBnystrom\\-mpirun\\fR \\fIRANKS\\fR \\fBnystrom\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\n",
      version);
  text += roff(
      "Pretrains Nystromformers, transformer encoders with attention linear in the sequence length: from raw text to a "
      "tokenizer, HDF5 shards, a training run over MPI that resumes to the same bits, fine-tuning, prediction, and "
      "models for Hugging Face transformers.\n");
  text += ".SH OPTIONS\n";
  for (const ProgramOption& option : program_options())
    text += tagged(option.value.empty() ? bold(option.name) : bold(option.name) + " " + italic(option.value),
                   option.help);
  text +=
      tagged(bold("--set") + " " + italic("KEY=VALUE"),
             "Of each command: overrides a configuration key, as in `training.steps=1000`; may be repeated. "
             "`nystrom --help-config` prints all keys.");
  text += ".SH COMMANDS\n";
  for (const CommandEntry& entry : command_table()) text += command_text(entry);
  text +=
      section("EXIT STATUS", kStatus) + section("ENVIRONMENT", kEnvironment) + section("FILES", kManualFiles);
  text += ".SH EXAMPLES\n.nf\nnystrom prepare my.yaml\nnystrom\\-mpirun 2 nystrom pretrain my.yaml\n.fi\n";
  return text + ".SH SEE ALSO\n\\fBmpirun\\fR(1)\n";
}

}  // namespace nystrom
