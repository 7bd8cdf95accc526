#include "launch/check/check.h"

#include <algorithm>

#include "data/glob.h"
#include "data/preparation/prepare.h"
#include "kernels/core/check.h"
#include "launch/bench/machine.h"
#include "launch/check/figures.h"
#include "launch/config/command_keys.h"
#include "launch/setup/finetune_setup.h"
#include "launch/setup/grid.h"
#include "launch/setup/prepare_setup.h"
#include "launch/setup/run_setup.h"

namespace nystrom {
namespace {

/// Takes the sentences of a start's log.
class Collector final : public Observer {
 public:
  explicit Collector(CheckReport& report) : report_(report) {}
  void note(const std::string& sentence) override { report_.notes.push_back(sentence); }
  void warning(const std::string& sentence) override { report_.warnings.push_back(sentence); }

 private:
  CheckReport& report_;
};

CheckReport begin(StartKind kind, const Config& config) {
  CheckReport report;
  report.json["command"] = name_of(kind);
  const std::string_view command = kind == StartKind::kPretrain ? pretraining_name(config) : name_of(kind);
  if (auto unused = unused_keys_sentence(config, command); !unused.empty())
    report.warnings.push_back(std::move(unused));
  return report;
}

CheckReport check_prepare(const Config& config) {
  if (prepares_task(config)) {
    CheckReport report = begin(StartKind::kPrepare, config);
    add_task_preparation(report, config, set_up_task_preparation(config));
    report.warnings.clear();  // on keys that a preparation of a corpus does not use
    return report;
  }
  require_keys(config, "prepare");
  CheckReport report = begin(StartKind::kPrepare, config);
  add_preparation(report, config, check_preparation(set_up_preparation(config)));
  return report;
}

CheckReport check_pretrain(const Config& config, const TimingPlan& plan, Comm& comm) {
  require_keys(config, pretraining_name(config));
  CheckReport report = begin(StartKind::kPretrain, config);
  RunSetup setup = set_up_run(config, true);
  setup.backend.time_products = false;  // what is timed would be kept in a file
  Collector collector(report);
  for (const auto& note : setup.notes) collector.note(note);
  for (const auto& warning : setup.warnings) collector.warning(warning);
  const PretrainOptions options =
      pretrain_options(setup, [&collector](const std::string& sentence) { collector.note(sentence); });
  const StartReport start = check_pretraining(options, plan, comm, collector);
  add_run(report, StartKind::kPretrain, setup.config, setup.model, start);
  add_shards(report, "training", setup.training_totals);
  add_shards(report, "validation", setup.validation_totals);
  add_epochs(report, start);
  add_machine(report, {start, setup.config, comm.local_ranks()});
  return report;
}

/// The first point's figures; the set-up of all.
CheckReport check_finetune(const Config& config, const TimingPlan& plan, Comm& comm) {
  require_keys(config, "finetune");
  CheckReport report = begin(StartKind::kFinetune, config);
  const std::vector<GridPoint> points = grid_points(config.grid);
  const auto setup =
      set_up_finetuning(config.grid.empty() ? config : config_of(config, points.front()), true);
  for (std::size_t i = 1; i < points.size(); ++i) (void)set_up_finetuning(config_of(config, points[i]), true);
  Collector collector(report);
  for (const auto& note : setup->notes) collector.note(note);
  const StartReport start = check_finetuning(setup->options, plan, comm, collector);
  add_run(report, StartKind::kFinetune, setup->config, setup->options.run.model, start);
  if (!config.grid.empty()) add_grid(report, points);
  add_task(report, setup->config, start);
  add_machine(report, {start, setup->config, comm.local_ranks(),
                       config.grid.empty() ? 1 : static_cast<std::int64_t>(points.size())});
  return report;
}

bool has_shards(const Config& config) {
  return std::ranges::any_of(config.data.shards,
                             [](const std::string& pattern) { return !expand_glob(pattern).empty(); });
}

}  // namespace

StartKind start_of(const Config& config) {
  if (!config.task.kind.empty()) return StartKind::kFinetune;
  const bool trains = config.training.steps.has_value();
  if (!config.corpus.empty() && !(trains && has_shards(config))) return StartKind::kPrepare;
  if (trains) return StartKind::kPretrain;
  refuse(
      "The configuration fits no command: it has neither `corpus` (prepare) nor `training.steps` (pretrain) nor "
      "`task.kind` (finetune). Add one, or name the command with `--command`.");
}

CheckReport check_start(StartKind kind, const Config& config, std::int64_t steps, Comm& comm) {
  const TimingPlan plan{.steps = steps, .memory_bytes = available_memory_bytes()};
  switch (kind) {
    case StartKind::kPrepare:
      return comm.rank() == 0 ? check_prepare(config) : CheckReport();
    case StartKind::kPretrain:
      return check_pretrain(config, plan, comm);
    case StartKind::kFinetune:
      break;
  }
  return check_finetune(config, plan, comm);
}

}  // namespace nystrom
