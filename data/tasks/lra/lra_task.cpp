// The Long Range Arena (Tay et al., arXiv 2011.04006): five classifications of long sequences, without a
// tokenizer.

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "data/tasks/lra/prepared_file.h"
#include "data/tasks/lra/source.h"
#include "data/tasks/lra/split.h"
#include "data/tasks/own_files.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

using lra::Part;

/// Examples of a split: of which part, and which of them.
struct Choice {
  Part part = Part::kAll;
  std::vector<std::uint32_t> examples;
};

class LongRangeArena final : public Task {
 public:
  explicit LongRangeArena(const TaskConfig& config)
      : config_(config), kind_(lra::kind_of(config)), source_(lra::open_source(kind_, config)) {
    check_columns(config, {});
    joined_ = lra::joined_sequences(kind_, config);
    const bool pairs = joined_ < kind_.pieces;
    info_ = {.name = std::string(kind_.title),
             .answer = pairs ? AnswerKind::kPair : AnswerKind::kClass,
             .labels = source_->labels(),
             .choices = pairs ? kind_.pieces : 1,
             .metrics = {"accuracy"},
             .vocabulary = encoding(0).vocabulary(),
             .length = kind_.length > 0 ? kind_.length * joined_ : source_->pixels(),
             .width = source_->width()};
  }

  Splits load(Split split, const TextEncoder& encoder) override {
    const std::int64_t longest = encoder.max_length();
    check_length(longest);
    Splits splits;
    std::vector<std::string> notes;
    const std::optional<Choice> chosen = choose(split, longest, notes);
    if (!chosen) return splits;
    auto loaded = std::make_unique<lra::ExampleSplit>(
        split_name(split), info_, part(chosen->part, longest, notes), chosen->examples, encoding(longest));
    loaded->add_notes(notes);
    splits.push_back(std::move(loaded));
    return splits;
  }

  [[nodiscard]] std::string data() const override {
    std::string text = fmt::format("{}; {}", source_->found(), encoding(0).text());
    if (kind_.pieces > 1) text += fmt::format(", pairs: {}", name_of(config_.pairs));
    for (const auto& [part, examples] : parts_)
      text += fmt::format("; {}: {} examples, SHA-256 {}", part_name(part), examples->count(),
                          examples->table().sha256.substr(0, 16));
    return text + "; " + rule();
  }

 private:
  [[nodiscard]] lra::Encoding encoding(std::int64_t longest) const {
    return {
        .alphabet = kind_.alphabet, .brackets = config_.brackets, .zero = config_.zero, .longest = longest};
  }

  void check_length(std::int64_t longest) const {
    if (source_->pixels() > longest)
      refuse("`data.sequence_length` is {}, but the images of {} have {} pixels, and none can be dropped.",
             longest, source_->found(), source_->pixels());
    const std::int64_t wanted = longest / joined_, cut = source_->cut();
    if (cut > 0 && kind_.alphabet == lra::Alphabet::kBytes && wanted > cut)
      refuse(
          "`data.sequence_length` is {}, but {} has sequences truncated to {}; prepare it again with this length.",
          longest, source_->found(), cut);
  }

  [[nodiscard]] bool has(Part part) const {
    const std::vector<Part> parts = source_->parts();
    return std::ranges::find(parts, part) != parts.end();
  }

  std::shared_ptr<const lra::Examples> part(Part part, std::int64_t longest,
                                            std::vector<std::string>& notes) {
    auto& examples = parts_[part];
    if (!examples) examples = source_->load(part, lra::symbols_to_keep(kind_, config_, longest), notes);
    return examples;
  }

  /// The rule by which examples go to splits, in words.
  [[nodiscard]] std::string rule() const {
    if (has(Part::kAll)) return fmt::format("split 80/10/10 by task.split_seed {}", config_.split_seed);
    if (has(Part::kValidation)) return "split as its files are";
    if (config_.validation_fraction == 0) return "no validation split: the last checkpoint is tested";
    return fmt::format("{:g} of train held out for validation by task.split_seed {}",
                       config_.validation_fraction, config_.split_seed);
  }

  [[nodiscard]] std::optional<Choice> choose(Split split, std::int64_t longest,
                                             std::vector<std::string>& notes) {
    const Part own = split == Split::kTrain        ? Part::kTrain
                     : split == Split::kValidation ? Part::kValidation
                                                   : Part::kTest;
    if (has(Part::kAll)) return {{Part::kAll, of_all(split, longest, notes)}};
    if (split != Split::kTest && !has(Part::kValidation) && config_.validation_fraction > 0)
      return {{Part::kTrain, of_train(split, longest, notes)}};
    if (!has(own)) return std::nullopt;
    return {{own, numbers(part(own, longest, notes)->count())}};
  }

  static std::vector<std::uint32_t> numbers(std::size_t count) {
    std::vector<std::uint32_t> all(count);
    std::iota(all.begin(), all.end(), std::uint32_t{0});
    return all;
  }

  /// Which of `count` examples a fraction is, drawn by the seed of splits.
  [[nodiscard]] std::vector<bool> drawn(double fraction, std::size_t count) const {
    TaskConfig config = config_;
    config.seed = static_cast<std::uint64_t>(config_.split_seed);
    config.validation_fraction = fraction;
    return held_out(config, count);
  }

  [[nodiscard]] std::vector<std::uint32_t> of_train(Split split, std::int64_t longest,
                                                    std::vector<std::string>& notes) {
    const std::size_t count = part(Part::kTrain, longest, notes)->count();
    const std::vector<bool> held = drawn(config_.validation_fraction, count);
    std::vector<std::uint32_t> examples = numbers(count);
    std::erase_if(examples, [&](std::uint32_t i) { return held[i] != (split == Split::kValidation); });
    return examples;
  }

  /// A fifth is held out; of these, in their order, every other one is for validation.
  [[nodiscard]] std::vector<std::uint32_t> of_all(Split split, std::int64_t longest,
                                                  std::vector<std::string>& notes) {
    const std::size_t count = part(Part::kAll, longest, notes)->count();
    const std::vector<bool> held = drawn(0.2, count);
    std::vector<std::uint32_t> examples;
    std::uint32_t seen = 0;  // of those held out
    for (std::uint32_t i = 0; i < count; ++i) {
      const Split goes_to = !held[i] ? Split::kTrain : ++seen % 2 == 1 ? Split::kValidation : Split::kTest;
      if (goes_to == split) examples.push_back(i);
    }
    return examples;
  }

  TaskConfig config_;
  const lra::Kind& kind_;
  std::int64_t joined_ = 1;  // stored sequences in one of the network's
  std::unique_ptr<lra::Source> source_;
  std::map<Part, std::shared_ptr<const lra::Examples>> parts_;  // that were read
};

}  // namespace

std::unique_ptr<Task> open_lra(const TaskConfig& config) {
  return std::make_unique<LongRangeArena>(config);
}

void check_lra_files(const TaskConfig& config) {
  lra::check_prepared(lra::kind_of(config), config.path);
}

}  // namespace nystrom
