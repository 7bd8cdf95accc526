#include "trainer/metrics/prometheus_file.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

struct Figure {
  std::string_view name, type, help;
};

constexpr std::array kFigures = {
    Figure{"nystrom_running", "gauge", "1 during the run, 0 after its end."},
    Figure{"nystrom_step", "gauge", "The last step that was reported."},
    Figure{"nystrom_steps", "gauge", "Steps of the whole run."},
    Figure{"nystrom_samples", "gauge", "Sequences that the run has trained on."},
    Figure{"nystrom_run_seconds", "gauge", "Run time so far, in seconds."},
    Figure{"nystrom_seconds_left", "gauge", "Estimated time to the end."},
    Figure{"nystrom_loss", "gauge", "Training loss: the weighted sum, and its parts."},
    Figure{"nystrom_accuracy", "gauge", "Training accuracy by part of the loss."},
    Figure{"nystrom_validation_loss", "gauge", "Validation loss: the weighted sum, and its parts."},
    Figure{"nystrom_validation_accuracy", "gauge", "Validation accuracy by part of the loss."},
    Figure{"nystrom_validation_step", "gauge", "Step of the last validation."},
    Figure{"nystrom_score", "gauge", "Metrics of a task at the last validation."},
    Figure{"nystrom_learning_rate", "gauge", "Learning rate."},
    Figure{"nystrom_gradient_norm", "gauge", "Norm of the gradient before clipping."},
    Figure{"nystrom_tokens_per_second", "gauge", "Non-padding tokens per second, over all ranks."},
    Figure{"nystrom_ranks", "gauge", "Ranks."},
    Figure{"nystrom_checkpoint_step", "gauge", "Step of the latest checkpoint."},
    Figure{"nystrom_checkpoint_bytes", "gauge", "Size of the latest checkpoint."},
    Figure{"nystrom_warnings", "gauge", "Warnings since this start."},
    Figure{"nystrom_report_time_seconds", "gauge", "Time of writing, in seconds since 1970."},
};

std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

double unix_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Not flushed to the disk: what a crash loses is written again. "" or the reason.
std::string replace_file(const std::string& path, const std::string& text) {
  const std::string temporary = temporary_name(path);
  errno = 0;
  {
    std::ofstream file(temporary, std::ios::binary);
    file << text;
    file.close();
    if (!file) {
      const int reason = errno;
      std::error_code ignored;
      std::filesystem::remove(temporary, ignored);
      return std::strerror(reason == 0 ? EIO : reason);
    }
  }
  std::error_code problem, ignored;
  std::filesystem::rename(temporary, path, problem);
  if (problem) std::filesystem::remove(temporary, ignored);
  return problem ? problem.message() : std::string();
}

}  // namespace

PrometheusFile::PrometheusFile(std::string path, std::string run,
                               std::function<void(const std::string&)> warn, std::chrono::milliseconds every)
    : path_(std::move(path)),
      run_(std::move(run)),
      warn_(std::move(warn)),
      every_(every),
      thread_([this](const std::stop_token& stop) { write(stop); }) {}

PrometheusFile::~PrometheusFile() {
  try {
    if (!values_.empty()) {
      set("nystrom_running", 0);
      values_.erase("nystrom_seconds_left");
      publish(true);
    }
    thread_.request_stop();
    thread_.join();  // it writes what is pending
    if (!problem_.empty() && !warned_) warn_(problem_);
  } catch (...) {  // no memory for a sentence: the run's own end matters more
  }
}

void PrometheusFile::set(std::string_view name, double value, std::string_view part) {
  values_[std::string(name)][std::string(part)] = value;
}

void PrometheusFile::set_losses(const std::string& prefix, const Losses& losses) {
  set(prefix + "loss", losses.loss);
  for (const LossTerm& term : losses.terms) {
    set(prefix + "loss", term.loss, term.name);
    if (term.labels > 0) set(prefix + "accuracy", term.accuracy, term.name);
  }
}

void PrometheusFile::started(const RunInfo& info) {
  set("nystrom_running", 1);
  set("nystrom_steps", static_cast<double>(info.steps));
  set("nystrom_step", static_cast<double>(info.first_step - 1));
  set("nystrom_ranks", info.ranks);
  set("nystrom_warnings", warnings_);
  publish(true);
}

void PrometheusFile::step(const StepReport& report) {
  set("nystrom_step", static_cast<double>(report.step));
  set("nystrom_steps", static_cast<double>(report.steps));
  set("nystrom_samples", static_cast<double>(report.samples));
  set("nystrom_run_seconds", report.seconds);
  set("nystrom_seconds_left", report.seconds_left);
  set("nystrom_learning_rate", report.learning_rate);
  set("nystrom_gradient_norm", report.gradient_norm);
  set("nystrom_tokens_per_second", report.tokens_per_second);
  set_losses("nystrom_", report.losses);
  publish(report.step == report.steps);
}

void PrometheusFile::validated(const ValidationReport& report) {
  set("nystrom_validation_step", static_cast<double>(report.step));
  set_losses("nystrom_validation_", report.losses);
  for (const auto& [name, value] : report.scores) set("nystrom_score", value, name);
  publish(true);
}

void PrometheusFile::saved(const SavedReport& report) {
  set("nystrom_checkpoint_step", static_cast<double>(report.step));
  set("nystrom_checkpoint_bytes", static_cast<double>(report.bytes));
  publish(true);
}

void PrometheusFile::warning(const std::string&) {
  set("nystrom_warnings", ++warnings_);
  publish(true);
}

std::string PrometheusFile::text() const {
  std::string text;
  for (const Figure& figure : kFigures) {
    const auto values = values_.find(figure.name);
    if (values == values_.end()) continue;
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", figure.name, figure.help, figure.name, figure.type);
    for (const auto& [part, value] : values->second)
      text += fmt::format("{}{{run=\"{}\"{}}} {}\n", figure.name, label(run_),
                          part.empty() ? "" : fmt::format(",part=\"{}\"", label(part)), number(value));
  }
  return text;
}

void PrometheusFile::publish(bool now) {
  const auto time = std::chrono::steady_clock::now();
  if (!now && time - last_ < every_) return;
  last_ = time;
  set("nystrom_report_time_seconds", unix_time());
  std::string problem;
  {
    const std::lock_guard held(mutex_);
    pending_ = text();
    problem = std::exchange(problem_, {});
  }
  changed_.notify_all();
  if (!problem.empty() && !std::exchange(warned_, true)) warn_(problem);
}

void PrometheusFile::write(const std::stop_token& stop) {
  while (true) {
    std::string text;
    {
      std::unique_lock held(mutex_);
      changed_.wait(held, stop, [this] { return !pending_.empty(); });
      if (pending_.empty()) return;
      text = std::exchange(pending_, {});
    }
    const std::string reason = replace_file(path_, text);
    if (reason.empty()) continue;
    const std::lock_guard held(mutex_);
    problem_ = fmt::format("`run.metrics_file`: {} cannot be written: {}. The run continues without it.",
                           path_, reason);
  }
}

}  // namespace nystrom
