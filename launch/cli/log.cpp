#include "launch/cli/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace nystrom {

Log::Log(int rank)
    : logger_(
          std::make_unique<spdlog::logger>("nystrom", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_pattern("%H:%M:%S %v");
  logger_->set_level(rank == 0 ? spdlog::level::info : spdlog::level::off);
  logger_->flush_on(spdlog::level::info);
}
Log::~Log() = default;

void Log::note(const std::string& sentence) const {
  logger_->info("{}", sentence);
}
void Log::warning(const std::string& sentence) const {
  logger_->warn("warning: {}", sentence);
}

}  // namespace nystrom
