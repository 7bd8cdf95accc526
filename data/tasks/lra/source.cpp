#include "data/tasks/lra/source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "data/generators/listops.h"
#include "data/tasks/lra/prepared_file.h"
#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom::lra {
namespace {

constexpr std::array kKinds{
    Kind{"listops", "LRA ListOps", Alphabet::kListOps, 10, 1, 2000, &open_listops},
    Kind{"text", "LRA Text", Alphabet::kBytes, 2, 1, 4000, &open_text},
    Kind{"retrieval", "LRA Retrieval", Alphabet::kBytes, 2, 2, 4000, &open_retrieval},
    Kind{"image", "LRA Image", Alphabet::kPixels, 10, 1, 0, &open_images},
    Kind{"pathfinder", "LRA Pathfinder", Alphabet::kPixels, 2, 1, 0, &open_pathfinder},
};

/// Official files, in memory.
class FilesInMemory final : public Source {
 public:
  FilesInMemory(const Kind& kind, const TaskConfig& config) : kind_(kind), reader_(kind.open(config)) {}

  [[nodiscard]] std::string found() const override { return reader_->found(); }
  [[nodiscard]] std::vector<Part> parts() const override { return reader_->parts(); }
  [[nodiscard]] std::vector<std::string> labels() const override { return reader_->labels(); }
  [[nodiscard]] std::int64_t pixels() const override { return reader_->pixels(); }
  [[nodiscard]] std::int64_t width() const override { return reader_->width(); }

  [[nodiscard]] std::shared_ptr<const Examples> load(Part part, std::int64_t longest,
                                                     std::vector<std::string>& notes) const override {
    constexpr std::uint64_t kMaxBytes = std::uint64_t{2} << 30U;
    ExampleBuilder builder(kind_.pieces, longest);
    std::vector<std::uint8_t> symbols;
    Stage stage(fmt::format("reading {}", part_name(part)), 0, "examples");
    std::int64_t examples = 0;
    const auto take = [&](const Example& example) {
      stage.count(++examples);
      const Example kept = builder.add(example);
      for (const auto& sequence : kept.sequences)
        symbols.insert(symbols.end(), sequence.begin(), sequence.end());
      if (symbols.size() > kMaxBytes)
        refuse(
            "{} has more than {} GiB of examples, which are not held in memory: prepare them once with `nystrom prepare` "
            "(docs/lra.md), and give the file as `task.path`.",
            found(), kMaxBytes >> 30U);
    };
    for (auto& note : reader_->read(part, take)) notes.push_back(std::move(note));
    ExampleTable table = builder.finish();
    if (table.labels.empty()) refuse("{} has no {} examples.", found(), part_name(part));
    return std::make_shared<Examples>(std::move(table), std::move(symbols));
  }

 private:
  const Kind& kind_;
  ReaderPtr reader_;
};

}  // namespace

const Kind& kind_of(const TaskConfig& config) {
  const auto found = std::ranges::find(kKinds, std::string_view(config.name), &Kind::name);
  if (found != kKinds.end()) return *found;
  std::vector<std::string_view> names;
  for (const Kind& kind : kKinds) names.push_back(kind.name);
  refuse("`task.name` is {}; with `task.kind` lra it is one of {}.",
         config.name.empty() ? "missing" : config.name, fmt::join(names, ", "));
}

bool all_known(const Kind& kind, std::span<const std::uint8_t> symbols) {
  return kind.alphabet != Alphabet::kListOps ||
         std::ranges::all_of(symbols, [](std::uint8_t symbol) { return symbol < kListOpsTokens; });
}

std::int64_t joined_sequences(const Kind& kind, const TaskConfig& config) {
  return config.pairs == Pairs::kJoined ? kind.pieces : 1;
}

std::int64_t symbols_to_keep(const Kind& kind, const TaskConfig& config,
                             std::optional<std::int64_t> sequence_length) {
  if (kind.alphabet != Alphabet::kBytes)
    return INT64_MAX;  // pictures are whole, expressions may lose brackets
  return sequence_length ? *sequence_length / joined_sequences(kind, config) : kind.length;
}

std::unique_ptr<Source> open_source(const Kind& kind, const TaskConfig& config) {
  if (const std::string prepared = find_prepared(kind, config.path); !prepared.empty())
    return open_prepared(kind, prepared);
  return std::make_unique<FilesInMemory>(kind, config);
}

}  // namespace nystrom::lra
