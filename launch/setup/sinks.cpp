#include "launch/setup/sinks.h"

#include <memory>

#include "kernels/core/json.h"
#include "launch/cli/version.h"
#include "trainer/metrics/prometheus_file.h"
#include "trainer/metrics/report_command.h"

namespace nystrom {
namespace {

/// Numbers and true or false as such, all else as text.
nlohmann::json typed(const std::string& value) {
  nlohmann::json json = try_parse_json<nlohmann::json>(value);
  return json.is_number() || json.is_boolean() ? json : nlohmann::json(value);
}

/// Members of the first report, without the braces of an object.
std::string about(const Config& config, const Settings& values) {
  nlohmann::json settings = nlohmann::json::object();
  for (const auto& [key, value] : values) settings[key] = typed(value);
  const nlohmann::ordered_json members{
      {"run", config.run.directory}, {"version", program_version()}, {"configuration", std::move(settings)}};
  const std::string text = members.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return text.substr(1, text.size() - 2);
}

}  // namespace

void add_sinks(Observers& observers, const Config& config, const Settings& values, const Log& log, int rank) {
  if (rank != 0) return;
  const auto warn = [&log](const std::string& sentence) { log.warning(sentence); };
  if (!config.run.on_report.empty())
    observers.add(std::make_unique<ReportCommand>(
        ReportCommandOptions{.command = config.run.on_report, .about = about(config, values), .warn = warn}));
  if (!config.run.metrics_file.empty())
    observers.add(std::make_unique<PrometheusFile>(config.run.metrics_file, config.run.directory, warn));
}

}  // namespace nystrom
