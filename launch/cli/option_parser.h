#pragma once
// Option parser: the options that a command declares, parsed by CLI11, whose headers are included by
// option_parser.cpp alone.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nystrom {

/// What help, completion and manual page say of an option.
struct OptionEntry {
  std::string name;      ///< "--model", or "FILE" where it is known by its place
  std::string value;     ///< "PATH", "auto|never|PATH"; empty: a flag
  std::string help;      ///< sentences
  std::string standard;  ///< the default; empty: none, or given in `help`
  bool required = false, repeated = false;

  [[nodiscard]] bool positional() const { return !name.starts_with('-'); }
  [[nodiscard]] bool flag() const { return value.empty() && !positional(); }
  /// The words that the value may be, of "auto|never|PATH" `auto` and `never`.
  [[nodiscard]] std::vector<std::string> words() const;
  /// Is it one of words(), and nothing else?
  [[nodiscard]] bool closed() const;
};

/// Named as in CLI11. Bound variables are set by parse() and must outlive it.
class OptionParser {
 public:
  class Option {
   public:
    explicit Option(void* option) : option_(option) {}
    Option* required(bool required = true);
    Option* type_name(const std::string& name);
    Option* capture_default_str();  ///< the help names the variable's value as the default
    Option* positive();             ///< refuses numbers that are not above zero
    Option* one_value();            ///< each value has its own name before it: `--set a=1 --set b=2`

   private:
    void* option_;
  };

  /// Ended by `--help`: not an error.
  struct CallForHelp {};

  OptionParser();
  ~OptionParser();
  OptionParser(const OptionParser&) = delete;
  OptionParser& operator=(const OptionParser&) = delete;

  Option* add_option(const std::string& name, std::string& value, const std::string& help);
  Option* add_option(const std::string& name, std::int64_t& value, const std::string& help);
  Option* add_option(const std::string& name, std::optional<std::int64_t>& value, const std::string& help);
  Option* add_option(const std::string& name, double& value, const std::string& help);
  Option* add_option(const std::string& name, std::vector<std::string>& values, const std::string& help);
  Option* add_flag(const std::string& name, bool& value, const std::string& help);

  /// Throws CallForHelp; and std::runtime_error with CLI11's sentence. remaining() is set even so.
  void parse(const std::vector<std::string>& arguments);
  [[nodiscard]] std::vector<std::string> remaining() const;   ///< what is not declared, in its order
  [[nodiscard]] std::vector<OptionEntry> entries() const;     ///< in the order of their declaration
  [[nodiscard]] std::vector<std::string> long_names() const;  ///< `--model`, `--input`, ...

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace nystrom
