#include "launch/cli/option_parser.h"

#include <CLI/CLI.hpp>
#include <deque>

namespace nystrom {
namespace {

CLI::Option* of(void* option) {
  return static_cast<CLI::Option*>(option);
}

}  // namespace

struct OptionParser::Parser {
  Parser(const std::string& description, const std::string& program) : app(description, program) {}

  Option* keep(CLI::Option* option) { return &options.emplace_back(option); }

  CLI::App app;
  std::deque<Option> options;
};

OptionParser::Option* OptionParser::Option::required(bool required) {
  of(option_)->required(required);
  return this;
}

OptionParser::Option* OptionParser::Option::type_name(const std::string& name) {
  of(option_)->type_name(name);
  return this;
}

OptionParser::Option* OptionParser::Option::capture_default_str() {
  of(option_)->capture_default_str();
  return this;
}

OptionParser::Option* OptionParser::Option::positive() {
  of(option_)->check(CLI::PositiveNumber);
  return this;
}

OptionParser::Option* OptionParser::Option::one_value() {
  of(option_)->allow_extra_args(false);
  return this;
}

OptionParser::OptionParser(const std::string& description, const std::string& program,
                           const std::string& footer)
    : parser_(std::make_unique<Parser>(description, program)) {
  parser_->app.allow_extras();
  parser_->app.set_help_flag("-h,--help", "Print this help message.");
  parser_->app.footer(footer);
}

OptionParser::~OptionParser() = default;

OptionParser::Option* OptionParser::add_option(const std::string& name, std::string& value,
                                               const std::string& help) {
  return parser_->keep(parser_->app.add_option(name, value, help));
}

OptionParser::Option* OptionParser::add_option(const std::string& name, std::int64_t& value,
                                               const std::string& help) {
  return parser_->keep(parser_->app.add_option(name, value, help));
}

OptionParser::Option* OptionParser::add_option(const std::string& name, std::optional<std::int64_t>& value,
                                               const std::string& help) {
  return parser_->keep(parser_->app.add_option(name, value, help));
}

OptionParser::Option* OptionParser::add_option(const std::string& name, double& value,
                                               const std::string& help) {
  return parser_->keep(parser_->app.add_option(name, value, help));
}

OptionParser::Option* OptionParser::add_option(const std::string& name, std::vector<std::string>& values,
                                               const std::string& help) {
  return parser_->keep(parser_->app.add_option(name, values, help));
}

OptionParser::Option* OptionParser::add_flag(const std::string& name, bool& value, const std::string& help) {
  return parser_->keep(parser_->app.add_flag(name, value, help));
}

void OptionParser::parse(const std::vector<std::string>& arguments) {
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them last first
  try {
    parser_->app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    throw CallForHelp();
  }
}

std::vector<std::string> OptionParser::remaining() const {
  return parser_->app.remaining();
}

std::string OptionParser::help() const {
  return parser_->app.help();
}

std::vector<std::string> OptionParser::long_names() const {
  std::vector<std::string> names;
  for (const CLI::Option* each : parser_->app.get_options()) {
    for (const std::string& name : each->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace nystrom
