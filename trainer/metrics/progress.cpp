#include "trainer/metrics/progress.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/printable.h"
#include "kernels/tensor/buffer.h"

namespace nystrom {
namespace {

std::string describe(const Losses& losses) {
  if (std::isnan(losses.loss)) return "no loss";
  std::string text = fmt::format("loss {:.4f}", losses.loss), accuracy;
  if (losses.terms.size() > 1) {
    text += " (";
    for (const LossTerm& term : losses.terms)
      text += fmt::format("{}{} {:.4f}", text.ends_with('(') ? "" : ", ", term.name, term.loss);
    text += ")";
  }
  if (losses.terms.empty()) return text;
  for (const LossTerm& term : losses.terms)
    accuracy += fmt::format("{}{} {:.3f}", accuracy.empty() ? "" : ", ", term.name, term.accuracy);
  return fmt::format("{}  accuracy {}", text, accuracy);
}

std::string counted(double per_second) {
  return per_second < 10000 ? fmt::format("{:.0f} tokens/s", per_second)
                            : fmt::format("{:.1f}k tokens/s", per_second / 1000);
}

/// "27662 parameters", "6.5 million parameters".
std::string parameters_text(std::int64_t count) {
  return count < 100000 ? fmt::format("{} parameters", count)
                        : fmt::format("{:.1f} million parameters", static_cast<double>(count) * 1e-6);
}

}  // namespace

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  const auto all = static_cast<std::int64_t>(std::llround(seconds));
  const std::int64_t hours = all / 3600, minutes = all / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, all % 60);
  return fmt::format("{}:{:02}", minutes, all % 60);
}

std::string describe(const RunInfo& info) {
  if (!info.over.empty()) return info.over;
  if (info.first_step > info.steps)
    return fmt::format("The run of {} steps was done before; there is nothing to train. Its model is {}.",
                       info.steps, info.resumed_from);
  return fmt::format(
      "{}, {}; steps {} to {}, {} sequences per step, micro-batch {}; {} rank{} "
      "with {} thread{}; {:.0f} MiB of state and {:.0f} MiB of activations per rank{}",
      parameters_text(info.parameters), info.precision, info.first_step, info.steps, info.global_batch,
      info.micro_batch, info.ranks, info.ranks == 1 ? "" : "s", info.threads, info.threads == 1 ? "" : "s",
      mebibytes(info.state_bytes), mebibytes(info.activation_bytes),
      info.resumed_from.empty() ? "" : "; resumed from " + info.resumed_from);
}

std::string describe(const StepReport& report) {
  return fmt::format("step {}/{}  {}  rate {:.3g}  norm {:.3g}  {}  {} left{}", report.step, report.steps,
                     describe(report.losses), report.learning_rate, report.gradient_norm,
                     counted(report.tokens_per_second), duration_text(report.seconds_left),
                     report.skipped ? "  SKIPPED" : "");
}

std::string describe(const ValidationReport& report) {
  std::vector<std::string> figures;
  // Embeddings have a loss of a global batch, but none of a file.
  if (!std::isnan(report.losses.loss) || report.scores.empty()) figures.push_back(describe(report.losses));
  for (const auto& [name, value] : report.scores) figures.push_back(fmt::format("{} {:.4f}", name, value));
  return fmt::format("validation at step {}: {}, {:.1f} s", report.step, fmt::join(figures, "  "),
                     report.seconds);
}

std::string describe(const SavedReport& report) {
  return fmt::format("saved {} ({:.1f} MiB in {:.1f} s; training paused for {:.3f} s)", report.path,
                     mebibytes(report.bytes), report.seconds, report.pause_seconds);
}

std::string progress_line(const StepReport& report, int columns) {
  const double share =
      report.steps > 0 ? static_cast<double>(report.step) / static_cast<double>(report.steps) : 0;
  const std::string text = fmt::format(" {:3.0f}%  {}/{}  loss {:.4f}  {}  {} left", std::floor(100 * share),
                                       report.step, report.steps, report.losses.loss,
                                       counted(report.tokens_per_second), duration_text(report.seconds_left));
  const int width = std::clamp(columns - static_cast<int>(text.size()) - 3, 0, 40);
  if (width < 5) return text.substr(1, static_cast<std::size_t>(std::max(columns - 1, 0)));
  const int full = std::clamp(static_cast<int>(share * width), 0, width);
  return fmt::format("[{}{}]{}", std::string(static_cast<std::size_t>(full), '#'),
                     std::string(static_cast<std::size_t>(width - full), '.'), text);
}

ProgressBar::ProgressBar(std::function<void(std::string_view)> print, int columns, std::string warning)
    : print_(std::move(print)), columns_(columns), warning_(std::move(warning)) {}

void ProgressBar::draw(const std::string& line) {
  // Blanks overwrite the rest of the previous line.
  const std::size_t rest = last_.size() > line.size() ? last_.size() - line.size() : 0;
  print_(fmt::format("\r{}{}", line, std::string(rest, ' ')));
  last_ = line;
}

void ProgressBar::line_above(const std::string& text) {
  const std::string bar = std::exchange(last_, {});
  print_(fmt::format("\r{}\r{}\n", std::string(bar.size(), ' '), text));
  if (!bar.empty()) draw(bar);
}

void ProgressBar::started(const RunInfo& info) {
  line_above(describe(info));
}
void ProgressBar::step(const StepReport& report) {
  if (report.skipped) line_above(describe(report));
  draw(progress_line(report, columns_));
}
void ProgressBar::validated(const ValidationReport& report) {
  line_above(describe(report));
}
void ProgressBar::saved(const SavedReport& report) {
  line_above(describe(report));
}
void ProgressBar::warning(const std::string& sentence) {
  line_above(warning_ + " " + printable(sentence));
}
void ProgressBar::note(const std::string& sentence) {
  line_above(printable(sentence));
}
void ProgressBar::finished(StopReason) {
  if (!last_.empty()) print_("\n");
  last_.clear();
}

ProgressLines::ProgressLines(Print print, double seconds) : print_(std::move(print)), seconds_(seconds) {}

void ProgressLines::started(const RunInfo& info) {
  print_(Level::kInfo, describe(info));
}
void ProgressLines::step(const StepReport& report) {
  const bool due = report.seconds - last_ >= seconds_ || report.step == report.steps || report.skipped;
  if (!due) return;
  last_ = report.seconds;
  print_(report.skipped ? Level::kWarning : Level::kInfo, describe(report));
}
void ProgressLines::validated(const ValidationReport& report) {
  print_(Level::kInfo, describe(report));
}
void ProgressLines::saved(const SavedReport& report) {
  print_(Level::kInfo, describe(report));
}
void ProgressLines::warning(const std::string& sentence) {
  print_(Level::kWarning, printable(sentence));
}
void ProgressLines::note(const std::string& sentence) {
  print_(Level::kInfo, printable(sentence));
}

}  // namespace nystrom
