#pragma once
// Split of a Long Range Arena task, over its stored examples: symbols become tokens when a batch is
// made.

#include <memory>
#include <string>
#include <vector>

#include "data/tasks/lra/source.h"
#include "data/tasks/task.h"

namespace nystrom::lra {

/// How symbols become tokens. 0 is padding and never a token.
///   ListOps    token + 1: digits 1 to 10, [MIN [MAX [MED [SM 11 to 14, ] 15
///   bytes      byte + 1
///   pixels     level + 1; with Zero::kAbsent the level itself, and black pixels are left out: the others
///              keep their positions
struct Encoding {
  Alphabet alphabet = Alphabet::kListOps;
  Brackets brackets = Brackets::kKeep;
  Zero zero = Zero::kToken;
  std::int64_t longest = 0;  ///< tokens of a sequence; the rest is truncated

  [[nodiscard]] std::int64_t vocabulary() const;
  /// One token for each symbol?
  [[nodiscard]] bool keeps_all() const;
  [[nodiscard]] TaskSequence tokens(std::span<const std::uint8_t> symbols) const;
  [[nodiscard]] std::string text() const;
};

/// Examples that have two stored sequences are rows of two if info.choices is 2; else they become one: the
/// first's tokens, then the second's with token type 1, each truncated to half of what a sequence may have.
class ExampleSplit final : public TaskSplit {
 public:
  /// `chosen`: numbers of the examples, in the order of the split; their ids in predictions. Refuses an
  /// example without tokens.
  ExampleSplit(std::string name, const TaskInfo& info, std::shared_ptr<const Examples> examples,
               std::vector<std::uint32_t> chosen, const Encoding& encoding);

  void add_notes(const std::vector<std::string>& notes) {
    notes_.insert(notes_.end(), notes.begin(), notes.end());
  }

  [[nodiscard]] std::size_t sequence_count() const override { return tokens_.size(); }
  [[nodiscard]] TaskSequence sequence(std::size_t i) const override;
  [[nodiscard]] SequenceSize size_of(std::size_t i) const override { return {.tokens = tokens_.at(i)}; }
  [[nodiscard]] std::int32_t label_of(std::size_t i) const override {
    return examples_->table().labels[example_of(i)];
  }
  [[nodiscard]] std::string fingerprint() const override;

  [[nodiscard]] std::vector<Score> score(const Outputs& outputs) const override;
  [[nodiscard]] PredictionTable predictions(const Outputs& outputs) const override;
  [[nodiscard]] Confusion confusion(const Outputs& outputs) const override;

 private:
  [[nodiscard]] std::vector<std::int32_t> classes() const;
  /// The example that sequence i belongs to.
  [[nodiscard]] std::uint32_t example_of(std::size_t i) const {
    return chosen_.at(i / static_cast<std::size_t>(choices()));
  }
  /// The first stored sequence of sequence i.
  [[nodiscard]] std::size_t first_stored(std::size_t i) const;
  [[nodiscard]] std::int64_t count_tokens(std::size_t sequence, EncodingCounts& counts) const;

  TaskInfo info_;
  std::shared_ptr<const Examples> examples_;
  std::vector<std::uint32_t> chosen_;
  Encoding encoding_;                 // of one stored sequence
  std::size_t joined_;                // stored sequences in one
  std::vector<std::int32_t> tokens_;  // of each sequence
};

}  // namespace nystrom::lra
