#include "data/preparation/report.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "kernels/core/printable.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kMaxSummaryBytes = std::size_t{1} << 18U;

OrderedJson parsed(const std::string& manifest) {
  auto json = try_parse_json<OrderedJson>(manifest);
  if (json.is_discarded() || !json.is_object() || !json.contains("sources") || !json.contains("splits"))
    refuse("This is not a manifest of nystrom prepare.");
  return json;
}

/// 1234567 as "1 234 567".
std::string grouped(std::int64_t value) {
  const std::string digits = std::to_string(value < 0 ? -value : value);
  std::string text;
  if (value < 0) text += '-';
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ' ';
    text += digits[i];
  }
  return text;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

struct Bar {
  std::string label;
  std::int64_t count = 0;
  double share = 0;  // of the largest
};

/// Documents of all splits by length, a bar for each power of two.
std::vector<Bar> length_bars(const OrderedJson& splits) {
  std::vector<std::int64_t> bins;
  for (const auto& [name, split] : splits.items()) {
    const auto& counts = split.at("document_tokens").at("by_power_of_two");
    if (bins.size() < counts.size()) bins.resize(counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) bins[i] += counts[i].get<std::int64_t>();
  }
  const auto max_count =
      bins.empty() ? 1 : std::max<std::int64_t>(1, *std::max_element(bins.begin(), bins.end()));
  std::vector<Bar> bars;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    bars.push_back({fmt::format("{} to {}", std::int64_t{1} << i, (std::int64_t{2} << i) - 1), bins[i],
                    static_cast<double>(bins[i]) / static_cast<double>(max_count)});
  }
  while (!bars.empty() && bars.front().count == 0) bars.erase(bars.begin());
  return bars;
}

std::string summary_of(const OrderedJson& json) {
  const auto& tokenizer = json.at("tokenizer");
  auto text =
      fmt::format("{:<20}{}, {} tokens, SHA-256 {}\n", "tokenizer", tokenizer.at("kind").get<std::string>(),
                  tokenizer.at("vocabulary_size").dump(), tokenizer.at("sha256").get<std::string>());
  for (const auto& source : json.at("sources")) {
    const auto in = source.at("characters").at("in").get<std::int64_t>();
    text += fmt::format("\n{:<20}{} documents, {} sentences, {} tokens, {} bytes\n",
                        source.at("name").get<std::string>(), grouped(source.at("documents")),
                        grouped(source.at("sentences")), grouped(source.at("tokens")),
                        grouped(source.at("bytes")));
    text += fmt::format("  {:<38}{:>16}\n", "characters read", grouped(in));
    const auto kept = source.at("characters").at("kept").get<std::int64_t>();
    text += fmt::format("  {:<38}{:>16} {:>7.2f} %\n", "kept", grouped(kept), share(kept, in));
    for (const auto& [reason, count] : source.at("characters").at("dropped").items())
      text += fmt::format("  {:<38}{:>16} {:>7.2f} %\n", "dropped: " + reason, grouped(count),
                          share(count.get<std::int64_t>(), in));
    for (const auto& [reason, count] : source.at("documents_dropped").items())
      text += fmt::format("  {:<38}{:>16}\n", "documents: " + reason, grouped(count));
    for (const auto& [reason, count] : source.at("paragraphs_dropped").items())
      text += fmt::format("  {:<38}{:>16}\n", "paragraphs: " + reason, grouped(count));
  }
  text += "\n";
  for (const auto& [name, split] : json.at("splits").items())
    text += fmt::format("{:<20}{} documents, {} sentences, {} tokens, {} shards\n", name,
                        grouped(split.at("documents")), grouped(split.at("sentences")),
                        grouped(split.at("tokens")), split.at("shards").size());
  text += "\ntokens per document\n";
  for (const auto& bar : length_bars(json.at("splits"))) {
    std::string drawn;
    for (int i = 0; i < static_cast<int>(bar.share * 40 + 0.5); ++i) drawn += "#";
    text += fmt::format("  {:>21} {:<40} {}\n", bar.label, drawn, grouped(bar.count));
  }
  return text;
}

}  // namespace

std::string manifest_summary(const std::string& manifest) {
  try {
    return printable_lines(summary_of(parsed(manifest)), kMaxSummaryBytes);
  } catch (const OrderedJson::exception& error) {
    refuse("The manifest is corrupt ({}). Prepare the text again.", error.what());
  }
}

}  // namespace nystrom
