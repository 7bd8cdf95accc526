#pragma once
// `nystrom check`: a dry run of prepare, pretrain or finetune, which writes nothing.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/core/names.h"
#include "launch/config/config.h"
#include "trainer/comm/comm.h"

namespace nystrom {

/// A command that starts work by a configuration.
enum class StartKind { kPrepare, kPretrain, kFinetune };

template <>
struct EnumNames<StartKind> {
  static constexpr Named<StartKind> kAll[] = {{StartKind::kPrepare, "prepare"},
                                              {StartKind::kPretrain, "pretrain"},
                                              {StartKind::kFinetune, "finetune"}};
};

/// The command that the configuration is for: finetune with `task.kind`; prepare with `corpus` until there
/// are shards, or without `training.steps`; else pretrain. Refuses one that names none of them. `config`:
/// after use_prepared_shards().
[[nodiscard]] StartKind start_of(const Config& config);

struct CheckReport {
  std::string verdict;                                    ///< a sentence
  std::vector<std::pair<std::string, std::string>> rows;  ///< for people: what, and its figures
  nlohmann::ordered_json json;                            ///< the same for programs
  std::vector<std::string> notes, warnings;               ///< of the start's log
};

/// Refuses and fails as the start would, with the same sentences. `steps`: of training, to be timed; 0: none.
/// Collective; rank 0 gets the report.
[[nodiscard]] CheckReport check_start(StartKind kind, const Config& config, std::int64_t steps, Comm& comm);

/// One screen.
[[nodiscard]] std::string check_text(const CheckReport& report);

}  // namespace nystrom
