#include "launch/cli/option_parser.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <iterator>

namespace nystrom {
namespace {

CLI::Option* of(void* option) {
  return static_cast<CLI::Option*>(option);
}

std::vector<std::string> alternatives(const std::string& value) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= value.size();) {
    const auto end = std::min(value.find('|', begin), value.size());
    parts.push_back(value.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// Words are typed literally; what the user puts a value for is in capitals.
bool is_word(const std::string& text) {
  return !text.empty() && text.front() >= 'a' && text.front() <= 'z';
}

}  // namespace

std::vector<std::string> OptionEntry::words() const {
  std::vector<std::string> found;
  std::ranges::copy_if(alternatives(value), std::back_inserter(found), is_word);
  return found;
}

bool OptionEntry::closed() const {
  return std::ranges::all_of(alternatives(value), is_word);
}

struct OptionParser::Parser {
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

OptionParser::OptionParser() : parser_(std::make_unique<Parser>()) {
  parser_->app.allow_extras();
  parser_->app.set_help_flag("-h,--help", "Print this help message.");
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

std::vector<OptionEntry> OptionParser::entries() const {
  std::vector<OptionEntry> all;
  for (const CLI::Option* option : parser_->app.get_options()) {
    if (option == parser_->app.get_help_ptr()) continue;
    const bool flag = option->get_expected_max() == 0;
    all.push_back({.name = option->get_positional() ? option->get_name(true) : option->get_name(),
                   .value = flag ? std::string() : option->get_type_name(),
                   .help = option->get_description(),
                   .standard = option->get_default_str(),
                   .required = option->get_required(),
                   .repeated = option->get_expected_max() > 1});
  }
  return all;
}

std::vector<std::string> OptionParser::long_names() const {
  std::vector<std::string> names;
  for (const CLI::Option* each : parser_->app.get_options()) {
    for (const std::string& name : each->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace nystrom
