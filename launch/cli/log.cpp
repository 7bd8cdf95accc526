#include "launch/cli/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "kernels/core/printable.h"
#include "launch/cli/quiet.h"

namespace nystrom {

Log::Log(int rank, const std::string& directory)
    : logger_(
          std::make_unique<spdlog::logger>("nystrom", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_pattern("%H:%M:%S %v");
  logger_->set_level(rank == 0 ? spdlog::level::info : spdlog::level::off);
  logger_->flush_on(spdlog::level::info);
  if (rank == 0 && !directory.empty()) file_ = std::make_unique<LogFile>(directory);
}
Log::~Log() = default;

void Log::note(const std::string& sentence) const {
  report(printable(sentence));
}
void Log::warning(const std::string& sentence) const {
  const std::string shown = printable(sentence);
  print_warning(shown);
  if (file_) file_->add("warning: " + shown);
}
void Log::report(const std::string& lines) const {
  const std::string shown = printable_lines(lines);
  print_note(shown);
  if (file_) file_->add(shown);
}
void Log::print_note(const std::string& sentence) const {
  if (!is_quiet()) logger_->info("{}", sentence);
}
void Log::print_warning(const std::string& sentence) const {
  logger_->warn("warning: {}", sentence);
}

}  // namespace nystrom
