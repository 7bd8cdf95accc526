#pragma once
// Entries of the keys that are lists of maps: YAML nodes to corpora, groups of tensors, stages of the batch
// size.

#include <string>
#include <string_view>

#include "launch/config/config.h"

namespace YAML {
struct Mark;
class Node;
}  // namespace YAML

namespace nystrom {

/// Where a value comes from, for messages: "run.yaml, line 3" or "--set seed=x".
struct Origin {
  std::string name;
  bool lines = true;

  [[nodiscard]] std::string at(const YAML::Mark& mark) const;
};

/// A node as messages show it.
std::string shown(const YAML::Node& node);

/// The text of a scalar, a path of `key`, expanded. Throws InputError if it cannot be expanded.
std::string path_of(const Origin& origin, const YAML::Node& node, std::string_view key);

/// These throw InputError, naming the line and the member, for what is not such an entry.
CorpusSpec corpus_entry(const Origin& origin, const YAML::Node& node);
OptimizerGroup optimizer_group(const Origin& origin, const YAML::Node& node);
BatchStage batch_stage(const Origin& origin, const YAML::Node& node);

}  // namespace nystrom
