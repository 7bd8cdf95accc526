#include "launch/table/result_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "kernels/core/check.h"
#include "launch/table/published.h"

namespace nystrom {
namespace {

/// Place of a task in the table: the benchmark's are first.
std::pair<std::ptrdiff_t, std::string> order_of(const std::string& task) {
  const auto titles = lra_titles();
  return {std::ranges::find(titles, task) - titles.begin(), task};
}

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Keys in which runs of one task and attention differ.
std::set<std::string> differing_keys(const std::vector<const RunResult*>& runs) {
  std::set<std::string> keys;
  for (const RunResult* run : runs)
    for (const auto& [key, value] : run->settings)
      if (runs.front()->setting(key) != value) keys.insert(key);
  for (const auto& [key, value] : runs.front()->settings)
    for (const RunResult* run : runs)
      if (run->setting(key) != value) keys.insert(key);
  return keys;
}

std::string variant_of(const RunResult& run, const std::set<std::string>& keys) {
  std::string variant = run.attention();
  for (const auto& key : keys)
    if (!key.starts_with("model.attention.") || variant.find(run.setting(key)) == std::string::npos)
      variant += fmt::format(", {}={}", key.substr(key.rfind('.') + 1), run.setting(key));
  return variant;
}

void summarize(TableEntry& entry) {
  std::vector<double> scores;
  for (const RunResult& run : entry.runs) scores.push_back(run.score);
  entry.median = median_of(scores);
  entry.least = *std::ranges::min_element(scores);
  entry.most = *std::ranges::max_element(scores);
  const RunResult& first = entry.runs.front();
  if (!entry.is_accuracy() || first.examples == 0) return;
  entry.standard_error = std::sqrt(entry.median * (1 - entry.median) / static_cast<double>(first.examples));
  entry.trivial = std::max(1.0 / static_cast<double>(first.classes), first.majority);
}

// --- Words

std::string score_text(const TableEntry& entry) {
  const double scale = entry.is_accuracy() ? 100 : 1;
  const int digits = entry.is_accuracy() ? 1 : 4;
  std::string text = fmt::format("{:.{}f}", scale * entry.median, digits);
  if (entry.runs.size() > 1)
    text += fmt::format(" ({:.{}f} to {:.{}f})", scale * entry.least, digits, scale * entry.most, digits);
  if (entry.standard_error) text += fmt::format(" ± {:.1f}", 100 * *entry.standard_error);
  return entry.learned() ? text : text + ", not learned";
}

std::string count_text(std::optional<std::int64_t> count) {
  if (!count) return "";
  if (*count < 10'000) return std::to_string(*count);
  const auto number = static_cast<double>(*count);
  return *count < 1'000'000 ? fmt::format("{:.0f} K", number / 1e3) : fmt::format("{:.1f} M", number / 1e6);
}

std::string memory_text(std::optional<std::int64_t> bytes) {
  return bytes ? fmt::format("{:.0f} MiB", static_cast<double>(*bytes) / (1 << 20)) : "";
}

template <class Value>
std::optional<double> median_over(const TableEntry& entry, Value RunResult::*what) {
  std::vector<double> values;
  for (const RunResult& run : entry.runs)
    if (run.*what) values.push_back(static_cast<double>(*(run.*what)));
  if (values.empty()) return std::nullopt;
  return median_of(values);
}

std::vector<std::string> tasks_of(const std::vector<TableEntry>& entries) {
  std::vector<std::string> tasks;
  for (const TableEntry& entry : entries)
    if (tasks.empty() || tasks.back() != entry.task) tasks.push_back(entry.task);
  return tasks;
}

const TableEntry* find(const std::vector<TableEntry>& entries, const std::string& task,
                       const std::string& variant) {
  const auto found = std::ranges::find_if(
      entries, [&](const TableEntry& e) { return e.task == task && e.variant == variant; });
  return found == entries.end() ? nullptr : &*found;
}

/// What to guess is worth: a row of the first section.
std::vector<std::string> guess_row(const std::vector<TableEntry>& entries, const std::string& name,
                                   double (*value)(const RunResult&)) {
  std::vector<std::string> row{name};
  for (const auto& task : tasks_of(entries)) {
    const auto entry = std::ranges::find(entries, task, &TableEntry::task);
    row.push_back(entry->trivial ? fmt::format("{:.1f}", 100 * value(entry->runs.front())) : "");
  }
  return row;
}

double chance_of(const RunResult& run) {
  return 1.0 / static_cast<double>(run.classes);
}
double majority_of(const RunResult& run) {
  return run.majority;
}

void add_levels(const std::vector<std::string>& tasks, TableSection& section) {
  if (std::ranges::find(tasks, lra_titles()[0]) == tasks.end()) return;
  for (std::size_t level = 1; level < listops_levels().size(); ++level) {
    std::vector<std::string> row{
        fmt::format("best guess from {} level{} of the tree", level, level == 1 ? "" : "s")};
    for (const auto& task : tasks)
      row.push_back(task == lra_titles()[0] ? fmt::format("{:.1f}", listops_levels()[level]) : "");
    section.rows.push_back(row);
  }
}

TableSection scores_section(const std::vector<TableEntry>& entries) {
  const std::vector<std::string> tasks = tasks_of(entries);
  TableSection section{.title = "Results", .columns = {"attention"}, .rows = {}, .remarks = {}};
  section.columns.insert(section.columns.end(), tasks.begin(), tasks.end());
  section.rows = {guess_row(entries, "chance", &chance_of),
                  guess_row(entries, "most frequent class", &majority_of)};
  add_levels(tasks, section);
  std::set<std::string> variants;
  for (const TableEntry& entry : entries) variants.insert(entry.variant);
  for (const auto& variant : variants) {
    std::vector<std::string> row{variant};
    for (const auto& task : tasks) {
      const TableEntry* entry = find(entries, task, variant);
      row.push_back(entry == nullptr ? "" : score_text(*entry));
    }
    section.rows.push_back(row);
  }
  section.remarks.emplace_back(
      "Accuracies in percent, other metrics unscaled: the median over seeds (minimum to maximum) ± the standard error for the number of test examples. Not learned: no more than two standard errors above chance and the most frequent "
      "class.");
  return section;
}

TableSection costs_section(const std::vector<TableEntry>& entries) {
  TableSection section{
      .title = "Runs",
      .columns = {"task", "attention", "seeds", "metric", "split", "examples", "length", "parameters",
                  "tokens/s", "memory", "minutes"},
      .rows = {},
      .remarks = {
          "Tokens per second and minutes are those of training, on the machine of the run; memory is that planned per rank for weights, gradients, optimizer and activations."}};
  for (const TableEntry& entry : entries) {
    const RunResult& run = entry.runs.front();
    const auto rate = median_over(entry, &RunResult::tokens_per_second),
               minutes = median_over(entry, &RunResult::minutes);
    section.rows.push_back({entry.task, entry.variant, std::to_string(entry.runs.size()), run.metric,
                            run.split, run.examples > 0 ? std::to_string(run.examples) : "",
                            run.setting("data.sequence_length"), count_text(run.parameters),
                            rate ? fmt::format("{:.0f}", *rate) : "", memory_text(run.memory_bytes),
                            minutes ? fmt::format("{:.1f}", *minutes) : ""});
  }
  for (const auto& task : tasks_of(entries)) {
    std::set<std::string> data;
    for (const TableEntry& entry : entries)
      for (const RunResult& run : entry.runs)
        if (entry.task == task && !run.data.empty()) data.insert(run.data);
    if (data.size() > 1) section.remarks.push_back(fmt::format("The runs of {} had different data:", task));
    for (const auto& text : data) section.remarks.push_back(fmt::format("{}: {}.", task, text));
  }
  return section;
}

TableSection published_section(const std::vector<std::string>& tasks) {
  TableSection section{.title = "Published", .columns = {"attention"}, .rows = {}, .remarks = {}};
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < lra_titles().size(); ++i)
    if (std::ranges::find(tasks, lra_titles()[i]) != tasks.end()) columns.push_back(i);
  if (columns.empty()) return section;
  for (const std::size_t i : columns) section.columns.emplace_back(lra_titles()[i]);
  section.columns.emplace_back("source");
  for (const PublishedRow& published : published_rows()) {
    std::vector<std::string> row{std::string(published.model)};
    for (const std::size_t i : columns)
      row.push_back(published.accuracy[i] > 0 ? fmt::format("{:g}", published.accuracy[i]) : "");
    row.emplace_back(published.source);
    section.rows.push_back(row);
  }
  section.remarks.emplace_back(
      "Only runs on the same data compare with these: ListOps of 501 to 1,999 tokens, Text from IMDB, Retrieval from "
      "AAN, Image from CIFAR-10, Pathfinder of 32 x 32 pixels with contours of 14 segments. The data of the runs above is listed below their table.");
  for (const PublishedSource& source : published_sources())
    section.remarks.push_back(fmt::format("{}: {}", source.source, source.remark));
  return section;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string cell = "\"";
  for (const char c : text) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
  return cell + "\"";
}

std::string csv_line(std::vector<std::string> cells) {
  for (auto& cell : cells) cell = csv_cell(cell);
  return fmt::format("{}\n", fmt::join(cells, ","));
}

std::string number(std::optional<double> value) {
  return value ? fmt::format("{:.6g}", *value) : "";
}

}  // namespace

bool TableEntry::learned() const {
  return !trivial || !standard_error || median > *trivial + 2 * *standard_error;
}

std::vector<TableEntry> table_entries(const std::vector<RunResult>& runs) {
  std::map<std::pair<std::string, std::string>, std::vector<const RunResult*>>
      groups;  // by task and attention
  for (const RunResult& run : runs) groups[{run.task, run.attention()}].push_back(&run);
  std::vector<TableEntry> entries;
  for (const auto& [key, group] : groups) {
    const std::set<std::string> keys = differing_keys(group);
    std::map<std::string, TableEntry> variants;
    for (const RunResult* run : group) {
      TableEntry& entry = variants[variant_of(*run, keys)];
      entry.runs.push_back(*run);
    }
    for (auto& [variant, entry] : variants) {
      entry.task = key.first;
      entry.variant = variant;
      summarize(entry);
      entries.push_back(std::move(entry));
    }
  }
  std::ranges::sort(entries, {}, [](const TableEntry& e) { return std::pair(order_of(e.task), e.variant); });
  return entries;
}

std::vector<TableSection> table_sections(const std::vector<TableEntry>& entries) {
  std::vector<TableSection> sections{scores_section(entries), costs_section(entries)};
  TableSection published = published_section(tasks_of(entries));
  if (!published.rows.empty()) sections.push_back(std::move(published));
  return sections;
}

std::string table_csv(const std::vector<TableEntry>& entries) {
  std::string text = csv_line({"what", "task", "attention", "metric", "value", "least", "most",
                               "standard_error", "seeds", "learned", "examples", "length", "parameters",
                               "tokens_per_second", "memory_bytes", "minutes", "data", "source"});
  const auto plain = [&](const std::string& what, const std::string& task, const std::string& model,
                         double value, const std::string& source) {
    text += csv_line({what, task, model, "accuracy", number(value), "", "", "", "", "", "", "", "", "", "",
                      "", "", source});
  };
  for (const auto& task : tasks_of(entries)) {
    const TableEntry& first = *std::ranges::find(entries, task, &TableEntry::task);
    if (!first.trivial) continue;
    plain("chance", task, "", chance_of(first.runs.front()), "");
    plain("most frequent class", task, "", first.runs.front().majority, "");
    for (std::size_t level = 1; task == lra_titles()[0] && level < listops_levels().size(); ++level)
      plain(fmt::format("{} levels read", level), task, "", listops_levels()[level] / 100, "");
  }
  for (const TableEntry& entry : entries) {
    const RunResult& run = entry.runs.front();
    text +=
        csv_line({"run", entry.task, entry.variant, run.metric, number(entry.median), number(entry.least),
                  number(entry.most), number(entry.standard_error), std::to_string(entry.runs.size()),
                  entry.learned() ? "yes" : "no", std::to_string(run.examples),
                  run.setting("data.sequence_length"), run.parameters ? std::to_string(*run.parameters) : "",
                  number(median_over(entry, &RunResult::tokens_per_second)),
                  run.memory_bytes ? std::to_string(*run.memory_bytes) : "",
                  number(median_over(entry, &RunResult::minutes)), run.data, entry.runs.front().directory});
  }
  const std::vector<std::string> tasks = tasks_of(entries);
  for (const PublishedRow& published : published_rows())
    for (std::size_t i = 0; i < lra_titles().size(); ++i)
      if (const std::string task(lra_titles()[i]);
          published.accuracy[i] > 0 && std::ranges::find(tasks, task) != tasks.end())
        plain("published", task, std::string(published.model), published.accuracy[i] / 100,
              std::string(published.source));
  return text;
}

}  // namespace nystrom
