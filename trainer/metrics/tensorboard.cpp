#include "trainer/metrics/tensorboard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <limits>
#include <vector>

#include "kernels/core/check.h"

namespace nystrom {
namespace tensorboard {
namespace {

// Fields of TensorFlow's event.proto and summary.proto in use.
constexpr std::uint32_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
constexpr std::uint32_t kSummaryValue = 1, kTag = 1, kSimpleValue = 2;
constexpr std::uint32_t kSessionStatus = 1, kSessionStart = 1;
// ... of summary.proto and tensor.proto
constexpr std::uint32_t kHistogram = 5, kTensor = 8, kMetadata = 9, kPluginData = 1, kPluginName = 1,
                        kPluginContent = 2;
constexpr std::uint32_t kTensorType = 1, kTensorStrings = 8, kTypeString = 7;
// ... of the plugin's own api.proto and plugin_data.proto
constexpr std::uint32_t kSessionStartInfo = 3, kHparams = 1, kStartTime = 5, kMapKey = 1, kMapValue = 2;
constexpr std::uint32_t kNumberValue = 2, kStringValue = 3, kBoolValue = 4;

enum Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

template <class T>
void append_raw(std::string& to, T value) {  // little-endian, as every supported machine
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_varint(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) to.push_back(static_cast<char>(value | 0x80U));
  to.push_back(static_cast<char>(value));
}

void append_key(std::string& to, std::uint32_t field, Wire wire) {
  append_varint(to, field << 3U | wire);
}

void append_text(std::string& to, std::uint32_t field, std::string_view text) {
  append_key(to, field, kLength);
  append_varint(to, text.size());
  to += text;
}

std::string event(double wall_time, std::int64_t step) {
  std::string text;
  append_key(text, kWallTime, kFixed64);
  append_raw(text, wall_time);
  append_key(text, kStep, kVarint);
  append_varint(text, static_cast<std::uint64_t>(step));
  return text;
}

/// google.protobuf.Value
std::string protobuf_value(const std::string& text) {
  std::string value;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text == "true" || text == "false") {
    append_key(value, kBoolValue, kVarint);
    append_varint(value, text == "true" ? 1 : 0);
  } else if (error == std::errc() && end == text.data() + text.size() && !text.empty()) {
    append_key(value, kNumberValue, kFixed64);
    append_raw(value, number);
  } else {
    append_text(value, kStringValue, text);
  }
  return value;
}

std::string metadata_of(std::string_view plugin, std::string_view content) {
  std::string data, metadata;
  append_text(data, kPluginName, plugin);
  if (!content.empty()) append_text(data, kPluginContent, content);
  append_text(metadata, kPluginData, data);
  return metadata;
}

/// A summary of one value, whose tag comes first.
std::string one_value_event(std::string start, const std::string& value) {
  std::string summary;
  append_text(summary, kSummaryValue, value);
  append_text(start, kSummary, summary);
  return start;
}

void append_numbers(std::string& to, std::uint32_t field, std::span<const double> numbers) {
  append_key(to, field, kLength);
  append_varint(to, numbers.size() * sizeof(double));
  for (const double number : numbers) append_raw(to, number);
}

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? crc >> 1U ^ 0x82F63B78U : crc >> 1U;
    table[i] = crc;
  }
  return table;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = make_table();
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = crc >> 8U ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFFU];
  return ~crc;
}

std::uint32_t masked(std::uint32_t crc) {
  return std::rotr(crc, 15) + 0xa282ead8U;
}

std::string frame(std::string_view payload) {
  std::string text;
  append_raw(text, static_cast<std::uint64_t>(payload.size()));
  append_raw(text, masked(crc32c(text)));
  text += payload;
  append_raw(text, masked(crc32c(payload)));
  return text;
}

std::string version_event(double wall_time) {
  std::string text = event(wall_time, 0);
  append_text(text, kFileVersion, "brain.Event:2");
  return text;
}

std::string scalar_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars) {
    std::string value;
    append_text(value, kTag, scalar.tag);
    append_key(value, kSimpleValue, kFixed32);
    append_raw(value, static_cast<float>(scalar.value));
    append_text(summary, kSummaryValue, value);
  }
  std::string text = event(wall_time, step);
  append_text(text, kSummary, summary);
  return text;
}

std::string text_event(double wall_time, std::string_view tag, std::string_view text) {
  std::string tensor, value;
  append_key(tensor, kTensorType, kVarint);
  append_varint(tensor, kTypeString);
  append_text(tensor, kTensorStrings, text);
  append_text(value, kTag, tag);
  append_text(value, kTensor, tensor);
  append_text(value, kMetadata, metadata_of("text", {}));
  return one_value_event(event(wall_time, 0), value);
}

std::string hparams_event(double wall_time, const std::map<std::string, std::string>& values) {
  std::string info, content, value;
  for (const auto& [name, text] : values) {
    std::string entry;
    append_text(entry, kMapKey, name);
    append_text(entry, kMapValue, protobuf_value(text));
    append_text(info, kHparams, entry);
  }
  append_key(info, kStartTime, kFixed64);
  append_raw(info, wall_time);
  append_text(content, kSessionStartInfo, info);
  append_text(value, kTag, "_hparams_/session_start_info");
  append_text(value, kMetadata, metadata_of("hparams", content));
  return one_value_event(event(wall_time, 0), value);
}

std::string histogram_event(double wall_time, std::int64_t step, std::string_view tag,
                            std::span<const double> values) {
  enum : std::uint32_t { kMin = 1, kMax = 2, kCount = 3, kSum = 4, kSquares = 5, kLimits = 6, kBuckets = 7 };
  constexpr std::size_t kBins = 30;
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0, squares = 0;
  for (const double x : values) {
    low = std::min(low, x);
    high = std::max(high, x);
    sum += x;
    squares += x * x;
  }
  std::vector<double> limits, counts(kBins);
  for (std::size_t i = 1; i <= kBins; ++i)
    limits.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(kBins));
  for (const double x : values) {
    const double share = high > low ? (x - low) / (high - low) : 0;
    counts[std::min(static_cast<std::size_t>(share * static_cast<double>(kBins)), kBins - 1)] += 1;
  }
  std::string histogram, value;
  const std::pair<std::uint32_t, double> numbers[] = {{kMin, low},
                                                      {kMax, high},
                                                      {kCount, static_cast<double>(values.size())},
                                                      {kSum, sum},
                                                      {kSquares, squares}};
  for (const auto& [field, number] : numbers) {
    append_key(histogram, field, kFixed64);
    append_raw(histogram, number);
  }
  append_numbers(histogram, kLimits, limits);
  append_numbers(histogram, kBuckets, counts);
  append_text(value, kTag, tag);
  append_text(value, kHistogram, histogram);
  return one_value_event(event(wall_time, step), value);
}

std::string restart_event(double wall_time, std::int64_t step) {
  std::string log;
  append_key(log, kSessionStatus, kVarint);
  append_varint(log, kSessionStart);
  std::string text = event(wall_time, step);
  append_text(text, kSessionLog, log);
  return text;
}

}  // namespace tensorboard

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// TensorBoard reads the files of a folder in name order; the counter distinguishes starts within one second.
std::string fresh_path(const std::string& folder) {
  const auto seconds = static_cast<std::int64_t>(now());
  for (int part = 0;; ++part) {
    std::string path = fmt::format("{}/events.out.tfevents.{:010}.{:03}.nystrom", folder, seconds, part);
    if (!std::filesystem::exists(path)) return path;
  }
}

std::vector<Scalar> scalars_of(const Losses& losses, std::string_view prefix) {
  std::vector<Scalar> scalars{{fmt::format("{}loss", prefix), losses.loss}};
  for (const LossTerm& term : losses.terms) {
    scalars.push_back({fmt::format("{}{}_loss", prefix, term.name), term.loss});
    scalars.push_back({fmt::format("{}{}_accuracy", prefix, term.name), term.accuracy});
  }
  return scalars;
}

}  // namespace

TensorBoardFile::TensorBoardFile(const std::string& folder, std::int64_t step, AppendFile::Warn warn)
    : file_(fresh_path(folder), AppendFile::Open::kNew, std::move(warn)) {
  write(tensorboard::version_event(now()));
  if (step > 0) write(tensorboard::restart_event(now(), step + 1));
}

void TensorBoardFile::describe(const std::string& configuration,
                               const std::map<std::string, std::string>& hparams) {
  if (!configuration.empty())
    write(tensorboard::text_event(now(), "configuration", "```yaml\n" + configuration + "\n```"));
  if (!hparams.empty()) write(tensorboard::hparams_event(now(), hparams));
}

void TensorBoardFile::step(const StepReport& report) {
  std::vector<Scalar> scalars = scalars_of(report.losses, "");
  scalars.push_back({"learning_rate", report.learning_rate});
  if (report.adamw_learning_rate) scalars.push_back({"adamw_learning_rate", *report.adamw_learning_rate});
  if (report.beta1) scalars.push_back({"beta1", *report.beta1});
  scalars.push_back({"gradient_norm", report.gradient_norm});
  if (report.gradient_noise) scalars.push_back({"gradient_noise_scale", report.gradient_noise->scale});
  if (report.global_batch) scalars.push_back({"global_batch", static_cast<double>(*report.global_batch)});
  scalars.push_back({"tokens_per_second", report.tokens_per_second});
  write(tensorboard::scalar_event(now(), report.step, scalars));
  if (!report.pinv_residual_mean.empty())
    write(tensorboard::histogram_event(now(), report.step, "pinv_residual/mean_by_layer",
                                       report.pinv_residual_mean));
  if (!report.pinv_residual_max.empty())
    write(tensorboard::histogram_event(now(), report.step, "pinv_residual/max_by_layer",
                                       report.pinv_residual_max));
}

void TensorBoardFile::validated(const ValidationReport& report) {
  std::vector<Scalar> scalars = scalars_of(report.losses, "validation/");
  for (const auto& [name, value] : report.scores) scalars.push_back({"validation/" + name, value});
  write(tensorboard::scalar_event(now(), report.step, scalars));
}

void TensorBoardFile::saved(const SavedReport& report) {
  const std::vector<Scalar> scalars{{"checkpoint/pause_seconds", report.pause_seconds},
                                    {"checkpoint/seconds", report.seconds}};
  write(tensorboard::scalar_event(now(), report.step, scalars));
}

}  // namespace nystrom
