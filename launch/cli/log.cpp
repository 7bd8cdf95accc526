#include "launch/cli/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include "kernels/core/printable.h"
#include "launch/cli/colour.h"
#include "launch/cli/console.h"
#include "launch/cli/quiet.h"

namespace nystrom {
namespace {

class ConsoleSink final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    print_error(std::string(line.data(), line.size()));
  }
  void flush_() override {}
};

}  // namespace

Log::Log(int rank, const std::string& directory)
    : logger_(std::make_unique<spdlog::logger>("nystrom", std::make_shared<ConsoleSink>())) {
  logger_->set_pattern("%H:%M:%S %v");
  logger_->set_level(rank == 0 ? spdlog::level::info : spdlog::level::off);
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
  logger_->warn("{} {}", coloured(Colour::kYellow, "warning:"), sentence);
}

}  // namespace nystrom
