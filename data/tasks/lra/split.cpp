#include "data/tasks/lra/split.h"

#include <algorithm>

#include "data/generators/listops.h"
#include "data/tasks/scores.h"
#include "data/tasks/sequence_answer.h"
#include "kernels/core/check.h"
#include "kernels/core/sha256.h"

namespace nystrom::lra {
namespace {

constexpr std::int64_t kWhole = INT64_MAX;

}  // namespace

std::int64_t Encoding::vocabulary() const {
  switch (alphabet) {
    case Alphabet::kListOps:
      return kListOpsTokens + 1;
    case Alphabet::kBytes:
      return 257;
    case Alphabet::kPixels:
      return zero == Zero::kAbsent ? 256 : 257;
  }
  return 0;
}

bool Encoding::keeps_all() const {
  if (alphabet == Alphabet::kListOps) return brackets == Brackets::kKeep;
  return alphabet == Alphabet::kBytes || zero == Zero::kToken;
}

TaskSequence Encoding::tokens(std::span<const std::uint8_t> symbols) const {
  TaskSequence sequence;
  const bool absent = alphabet == Alphabet::kPixels && zero == Zero::kAbsent;
  const bool dropped = alphabet == Alphabet::kListOps && brackets == Brackets::kDrop;
  for (std::size_t i = 0; i < symbols.size() && std::ssize(sequence.ids) < longest; ++i) {
    if ((absent && symbols[i] == 0) || (dropped && symbols[i] == kListEnd)) continue;
    sequence.ids.push_back(absent ? symbols[i] : symbols[i] + 1);
    if (absent) sequence.positions.push_back(static_cast<std::int32_t>(i));
  }
  sequence.second = static_cast<std::int32_t>(sequence.ids.size());
  return sequence;
}

std::string Encoding::text() const {
  switch (alphabet) {
    case Alphabet::kListOps:
      return fmt::format("brackets: {}", name_of(brackets));
    case Alphabet::kBytes:
      return "bytes";
    case Alphabet::kPixels:
      return fmt::format("grey levels, zero: {}", name_of(zero));
  }
  return {};
}

ExampleSplit::ExampleSplit(std::string name, const TaskInfo& info, std::shared_ptr<const Examples> examples,
                           std::vector<std::uint32_t> chosen, const Encoding& encoding)
    : TaskSplit(std::move(name), info.choices),
      info_(info),
      examples_(std::move(examples)),
      chosen_(std::move(chosen)),
      encoding_(encoding),
      joined_(static_cast<std::size_t>(examples_->table().pieces / info.choices)) {
  labelled_ = true;
  encoding_.longest /= static_cast<std::int64_t>(joined_);
  EncodingCounts counts;
  for (std::size_t i = 0; i < chosen_.size() * static_cast<std::size_t>(choices()); ++i) {
    std::int64_t tokens = 0;
    for (std::size_t piece = 0; piece < joined_; ++piece)
      tokens += count_tokens(first_stored(i) + piece, counts);
    if (tokens == 0)
      refuse("{}: example {} of the {} split has no tokens{}.", info_.name, example_of(i), this->name(),
             encoding_.keeps_all() ? "" : "; with `task.zero: token` black pixels are tokens");
    tokens_.push_back(static_cast<std::int32_t>(tokens));
  }
  note(counts, encoding_.longest);
}

std::size_t ExampleSplit::first_stored(std::size_t i) const {
  const auto pieces = static_cast<std::size_t>(examples_->table().pieces);
  return example_of(i) * pieces + i % static_cast<std::size_t>(choices()) * joined_;
}

std::int64_t ExampleSplit::count_tokens(std::size_t sequence, EncodingCounts& counts) const {
  const ExampleTable& table = examples_->table();
  std::int64_t whole = table.whole.at(sequence);
  if (encoding_.alphabet == Alphabet::kPixels && encoding_.zero == Zero::kAbsent)
    whole = table.nonzero[sequence];
  if (encoding_.alphabet == Alphabet::kListOps && encoding_.brackets == Brackets::kDrop)
    whole -= std::ranges::count(examples_->symbols(sequence, kWhole), kListEnd);
  const std::int64_t kept = std::min(whole, encoding_.longest);
  ++counts.sequences;
  counts.truncated += whole > kept ? 1 : 0;
  counts.tokens_lost += whole - kept;
  return kept;
}

TaskSequence ExampleSplit::sequence(std::size_t i) const {
  const std::size_t first = first_stored(i);
  const std::int64_t most = encoding_.keeps_all() ? encoding_.longest : kWhole;
  TaskSequence sequence = encoding_.tokens(examples_->symbols(first, most));
  if (joined_ == 2) {
    const TaskSequence other = encoding_.tokens(examples_->symbols(first + 1, most));
    sequence.ids.insert(sequence.ids.end(), other.ids.begin(), other.ids.end());
  }
  const auto outside = [&](std::int32_t id) { return id <= 0 || id >= encoding_.vocabulary(); };
  if (std::ssize(sequence.ids) != tokens_.at(i) || std::ranges::any_of(sequence.ids, outside))
    refuse(
        "{}: example {} of the {} split does not match the file's table; the file is corrupt. Prepare it again.",
        info_.name, example_of(i), name());
  sequence.label = label_of(i);
  return sequence;
}

std::string ExampleSplit::fingerprint() const {
  Sha256 hash;
  hash.update(examples_->table().sha256);
  hash.update(chosen_.data(), chosen_.size() * sizeof chosen_[0]);
  hash.update(tokens_.data(), tokens_.size() * sizeof tokens_[0]);
  hash.update(encoding_.text());
  return hash.hex();
}

std::vector<std::int32_t> ExampleSplit::classes() const {
  std::vector<std::int32_t> classes;
  for (const std::uint32_t example : chosen_) classes.push_back(examples_->table().labels[example]);
  return classes;
}

std::vector<Score> ExampleSplit::score(const Outputs& outputs) const {
  NYSTROM_CHECK(outputs.size() == chosen_.size(), "{} outputs of {} examples", outputs.size(),
                chosen_.size());
  return class_scores(info_.metrics, classes(), best_classes(outputs));
}

PredictionTable ExampleSplit::predictions(const Outputs& outputs) const {
  std::vector<std::string> ids;
  for (const std::uint32_t example : chosen_) ids.push_back(std::to_string(example));
  return class_predictions(info_, ids, classes(), outputs);
}

Confusion ExampleSplit::confusion(const Outputs& outputs) const {
  return class_confusion(info_, classes(), outputs);
}

}  // namespace nystrom::lra
