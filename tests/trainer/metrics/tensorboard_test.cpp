#include "trainer/metrics/tensorboard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <map>

#include "file_bytes.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

/// Reads protobuf's wire format: field number -> payload of length-delimited fields, or bits of numbers.
struct Fields {
  std::multimap<std::uint64_t, std::string> texts;
  std::map<std::uint64_t, std::uint64_t> numbers;
};

std::uint64_t take_varint(std::string_view& from) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(from.at(0));
    from.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
}

template <class T>
T take(std::string_view& from) {
  T value;
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
  return value;
}

Fields parse(std::string_view message) {
  Fields fields;
  while (!message.empty()) {
    const std::uint64_t key = take_varint(message);
    switch (key & 7U) {
      case 0:
        fields.numbers[key >> 3U] = take_varint(message);
        break;
      case 1:
        fields.numbers[key >> 3U] = take<std::uint64_t>(message);
        break;
      case 5:
        fields.numbers[key >> 3U] = take<std::uint32_t>(message);
        break;
      default: {
        const std::uint64_t size = take_varint(message);
        fields.texts.emplace(key >> 3U, message.substr(0, size));
        message.remove_prefix(size);
      }
    }
  }
  return fields;
}

std::vector<Fields> read_events(std::string_view bytes) {
  std::vector<Fields> events;
  while (!bytes.empty()) {
    const std::string_view length_bytes = bytes.substr(0, 8);
    const auto size = take<std::uint64_t>(bytes);
    EXPECT_EQ(take<std::uint32_t>(bytes), tensorboard::masked(tensorboard::crc32c(length_bytes)));
    const std::string_view payload = bytes.substr(0, size);
    bytes.remove_prefix(size);
    EXPECT_EQ(take<std::uint32_t>(bytes), tensorboard::masked(tensorboard::crc32c(payload)));
    events.push_back(parse(payload));
  }
  return events;
}

TEST(TensorBoard, checksum_is_crc32c) {
  EXPECT_EQ(tensorboard::crc32c("123456789"), 0xE3069283U);            // the check value of its definition
  EXPECT_EQ(tensorboard::crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720, B.4
}

TEST(TensorBoard, file_round_trips) {
  const testing::TemporaryFolder folder;
  {
    TensorBoardFile file(folder.path(), 300);
    StepReport report;
    report.step = 301;
    report.losses = {.loss = 2.5, .terms = {{"mlm", 2.0, 0.5, 4}}};
    file.step(report);
  }
  std::string name;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) name = entry.path().string();
  EXPECT_NE(name.find("tfevents"), std::string::npos);
  const auto events = read_events(testing::read_bytes(name));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].texts.find(3)->second, "brain.Event:2");
  EXPECT_EQ(events[1].numbers.at(2), 301U);  // forget what comes from this step on
  EXPECT_TRUE(events[1].texts.contains(7));
  EXPECT_EQ(events[2].numbers.at(2), 301U);
  std::map<std::string, float> scalars;
  const Fields summary = parse(events[2].texts.find(5)->second);
  for (const auto& [field, text] : summary.texts) {
    const Fields value = parse(text);
    scalars[value.texts.find(1)->second] =
        std::bit_cast<float>(static_cast<std::uint32_t>(value.numbers.at(2)));
  }
  EXPECT_EQ(scalars.at("loss"), 2.5F);
  EXPECT_EQ(scalars.at("mlm_accuracy"), 0.5F);
  EXPECT_TRUE(scalars.contains("learning_rate"));
}

TEST(TensorBoard, each_start_writes_a_separate_file) {
  const testing::TemporaryFolder folder;
  { const TensorBoardFile a(folder.path(), 0), b(folder.path(), 0); }
  const auto files = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 2);
}

TEST(TensorBoard, has_the_configuration_as_text) {
  const Fields event = parse(tensorboard::text_event(1.5, "configuration", "a: 1"));
  const Fields value = parse(parse(event.texts.find(5)->second).texts.find(1)->second);
  EXPECT_EQ(value.texts.find(1)->second, "configuration");
  const Fields tensor = parse(value.texts.find(8)->second);
  EXPECT_EQ(tensor.numbers.at(1), 7U);  // strings
  EXPECT_EQ(tensor.texts.find(8)->second, "a: 1");
  EXPECT_EQ(parse(parse(value.texts.find(9)->second).texts.find(1)->second).texts.find(1)->second, "text");
}

TEST(TensorBoard, has_hyperparameters_by_their_types) {
  const Fields event = parse(tensorboard::hparams_event(
      1.5, {{"optimizer.kind", "lamb"}, {"optimizer.learning_rate", "2e-5"}, {"training.zero", "true"}}));
  const Fields value = parse(parse(event.texts.find(5)->second).texts.find(1)->second);
  EXPECT_EQ(value.texts.find(1)->second, "_hparams_/session_start_info");
  const Fields plugin = parse(parse(value.texts.find(9)->second).texts.find(1)->second);
  EXPECT_EQ(plugin.texts.find(1)->second, "hparams");
  const Fields info = parse(parse(plugin.texts.find(2)->second).texts.find(3)->second);
  std::map<std::string, Fields> values;
  for (auto [at, end] = info.texts.equal_range(1); at != end; ++at) {
    const Fields entry = parse(at->second);
    values[entry.texts.find(1)->second] = parse(entry.texts.find(2)->second);
  }
  ASSERT_EQ(values.size(), 3U);
  EXPECT_EQ(values["optimizer.kind"].texts.find(3)->second, "lamb");
  EXPECT_EQ(std::bit_cast<double>(values["optimizer.learning_rate"].numbers.at(2)), 2e-5);
  EXPECT_EQ(values["training.zero"].numbers.at(4), 1U);
}

TEST(TensorBoard, has_histograms_whose_buckets_hold_all_values) {
  const std::vector<double> residuals{0.1, 0.2, 0.2, 0.9};
  const Fields event = parse(tensorboard::histogram_event(1.5, 7, "r", residuals));
  EXPECT_EQ(event.numbers.at(2), 7U);
  const Fields value = parse(parse(event.texts.find(5)->second).texts.find(1)->second);
  const Fields histogram = parse(value.texts.find(5)->second);
  EXPECT_EQ(std::bit_cast<double>(histogram.numbers.at(1)), 0.1);
  EXPECT_EQ(std::bit_cast<double>(histogram.numbers.at(2)), 0.9);
  EXPECT_EQ(std::bit_cast<double>(histogram.numbers.at(3)), 4);
  const auto numbers = [&](std::uint64_t field) {
    std::string_view bytes = histogram.texts.find(field)->second;
    std::vector<double> found;
    while (!bytes.empty()) found.push_back(take<double>(bytes));
    return found;
  };
  const std::vector<double> limits = numbers(6), counts = numbers(7);
  ASSERT_EQ(limits.size(), counts.size());
  double sum = 0;
  for (const double count : counts) sum += count;
  EXPECT_EQ(sum, 4);
  EXPECT_EQ(counts.front(), 1);
  EXPECT_EQ(counts.back(), 1);
  EXPECT_DOUBLE_EQ(limits.back(), 0.9);
  EXPECT_TRUE(std::ranges::is_sorted(limits));
}

}  // namespace
}  // namespace nystrom
