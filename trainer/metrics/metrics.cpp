#include "trainer/metrics/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// The shortest decimal that reads back as the same number.
std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string numbers(std::span<const double> values) {
  std::string text = "[";
  for (const double value : values) text += (text.size() > 1 ? ", " : "") + number(value);
  return text + "]";
}

/// Corpus names come from files: characters that JSON does not allow are dropped.
std::string object(const std::vector<std::pair<std::string, double>>& values) {
  std::string text = "{";
  for (const auto& [name, value] : values) {
    std::string key;
    std::ranges::copy_if(name, std::back_inserter(key), [](char c) {
      return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= ' ';
    });
    text += fmt::format("{}\"{}\": {:.6g}", text.size() > 1 ? ", " : "", key, value);
  }
  return text + "}";
}

void append(std::string& line, std::string_view key, const std::string& value) {
  line += fmt::format("{}\"{}\": {}", line.size() > 1 ? ", " : "", key, value);
}

void append(std::string& line, std::string_view prefix, const Losses& losses) {
  const auto add = [&](std::string_view key, double value) {
    append(line, fmt::format("{}{}", prefix, key), number(value));
  };
  add("loss", losses.loss);
  for (const LossTerm& term : losses.terms) add(fmt::format("{}_loss", term.name), term.loss);
  for (const LossTerm& term : losses.terms) add(fmt::format("{}_accuracy", term.name), term.accuracy);
}

/// The step of a metrics line; nothing for other text.
std::optional<std::int64_t> step_of(std::string_view line) {
  constexpr std::string_view kStart = "{\"step\": ";
  if (!line.starts_with(kStart) || !line.ends_with('}')) return std::nullopt;
  std::int64_t step = 0;
  const char* begin = line.data() + kStart.size();
  const auto [end, error] = std::from_chars(begin, line.data() + line.size(), step);
  if (error != std::errc() || (*end != ',' && *end != '}')) return std::nullopt;
  return step;
}

/// Length of the file up to and including the last line of a step <= `step`. Lines are ordered by step, so
/// the file is read in blocks from its end.
std::uintmax_t bytes_up_to(const std::string& path, std::int64_t step) {
  constexpr std::uintmax_t kBlock = 64 * 1024;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::string rest;  // text from `begin` on that is not examined yet
  std::uintmax_t begin = file ? static_cast<std::uintmax_t>(file.tellg()) : 0;
  while (begin > 0) {
    const std::uintmax_t size = std::min(kBlock, begin);
    begin -= size;
    std::string block(size, '\0');
    file.seekg(static_cast<std::streamoff>(begin));
    if (!file.read(block.data(), static_cast<std::streamsize>(size))) fail("{} cannot be read.", path);
    rest.insert(0, block);
    // Complete lines, last one first; the first one may begin in the previous block.
    for (std::size_t end = rest.rfind('\n'); end != std::string::npos; end = rest.rfind('\n')) {
      const std::size_t before = end == 0 ? std::string::npos : rest.rfind('\n', end - 1);
      if (before == std::string::npos && begin > 0) break;
      const std::size_t start = before == std::string::npos ? 0 : before + 1;
      const auto found = step_of(std::string_view(rest).substr(start, end - start));
      if (found && *found <= step) return begin + end + 1;
      rest.resize(start);
      if (start == 0) break;
    }
  }
  return 0;
}

}  // namespace

std::string metrics_line(const StepReport& report) {
  std::string line = "{";
  append(line, "step", fmt::format("{}", report.step));
  append(line, "", report.losses);
  append(line, "learning_rate", number(report.learning_rate));
  if (report.adamw_learning_rate) append(line, "adamw_learning_rate", number(*report.adamw_learning_rate));
  if (report.beta1) append(line, "beta1", number(*report.beta1));
  append(line, "gradient_norm", number(report.gradient_norm));
  if (report.gradient_noise) {
    append(line, "gradient_noise_scale", number(report.gradient_noise->scale));
    append(line, "gradient_noise", number(report.gradient_noise->trace));
    append(line, "gradient_square", number(report.gradient_noise->square));
  }
  if (report.global_batch) append(line, "global_batch", fmt::format("{}", *report.global_batch));
  if (report.use) {
    append(line, "mfu", fmt::format("{:.6f}", report.use->mfu));
    append(line, "share_of_bound", fmt::format("{:.6f}", report.use->share_of_bound));
  }
  append(line, "tokens_per_second", fmt::format("{:.1f}", report.tokens_per_second));
  append(line, "samples", fmt::format("{}", report.samples));
  append(line, "seconds", fmt::format("{:.3f}", report.seconds));
  if (report.epochs_of.size() > 1) append(line, "epochs_of", object(report.epochs_of));
  if (!report.pinv_residual_mean.empty()) {
    append(line, "pinv_residual", numbers(report.pinv_residual_mean));
    append(line, "pinv_residual_max", numbers(report.pinv_residual_max));
  }
  if (report.skipped) append(line, "skipped", "true");
  return line + "}";
}

std::string metrics_line(const ValidationReport& report) {
  std::string line = "{";
  append(line, "step", fmt::format("{}", report.step));
  append(line, "validation_", report.losses);
  for (const LossTerm& term : report.losses.terms)
    append(line, fmt::format("validation_{}_labels", term.name), fmt::format("{}", term.labels));
  for (const auto& [name, value] : report.scores) append(line, "validation_" + name, number(value));
  append(line, "validation_seconds", fmt::format("{:.3f}", report.seconds));
  return line + "}";
}

MetricsFile::MetricsFile(const std::string& path, std::int64_t step, AppendFile::Warn warn)
    : path_(path), warn_(std::move(warn)) {
  open(step);
}

void MetricsFile::open(std::int64_t step) {
  file_.reset();                                        // flushes pending records first
  file_.emplace(path_, AppendFile::Open::kAny, warn_);  // refuses a link, before it is read or cut
  file_->keep(bytes_up_to(path_, step));
}

}  // namespace nystrom
