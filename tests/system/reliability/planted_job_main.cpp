// A small pretraining as the program does it, with a fault planted in it:
//
//   planted_job DIRECTORY [key=value]...
//   steps batch micro seed timeout save_every validate_every check_every zero stop_after delay_ms files
//
// NYSTROM_TEST_FAULT=KIND:RANK:PLACE:STEP  that rank does KIND when it comes to PLACE (at STEP)
//   KIND   kill | stop | loop | slow (4 s of computing) | exit | throw | crash | flip (a bit of a weight) |
//          nan (in a weight)
//   PLACE  begin (before MPI) | start (before the run) | step | evaluation | checkpoint | end (before MPI's)

#include <unistd.h>

#include <bit>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <thread>

#include "launch/cli/failure.h"
#include "launch/cli/log.h"
#include "toy_run.h"
#include "trainer/comm/launcher.h"
#include "trainer/metrics/progress.h"
#include "trainer/pretrain.h"
#include "trainer/run/run_session.h"

namespace nystrom {
namespace {

struct Fault {
  std::string kind, place;
  int rank = -1;
  std::int64_t step = 0;

  static Fault from_environment() {
    Fault fault;
    const char* text = std::getenv("NYSTROM_TEST_FAULT");
    if (text == nullptr) return fault;
    std::istringstream words(text);
    std::string rank, step;
    std::getline(words, fault.kind, ':');
    std::getline(words, rank, ':');
    std::getline(words, fault.place, ':');
    std::getline(words, step, ':');
    fault.rank = std::atoi(rank.c_str());
    fault.step = std::atoll(step.c_str());
    return fault;
  }

  void meet(const std::string& here, std::int64_t at = 0, Network* network = nullptr) const {
    if (here != place || launched_rank() != rank || at != step) return;
    if (kind == "kill") std::raise(SIGKILL);
    if (kind == "stop") std::raise(SIGSTOP);
    if (kind == "exit") std::_Exit(0);
    if (kind == "throw") fail("a fault was planted here.");
    if (kind == "crash") std::abort();
    if (kind == "loop")
      for (volatile bool forever = true; forever;) {
      }
    if (kind == "slow")
      for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(4);
           std::chrono::steady_clock::now() < end;) {
      }
    if (network == nullptr) return;
    float& weight = network->parameters().weights().span<float>()[5];
    if (kind == "flip") weight = std::bit_cast<float>(std::bit_cast<std::uint32_t>(weight) ^ 0x1000U);
    if (kind == "nan") weight = std::numeric_limits<float>::quiet_NaN();
  }
};

class PlantedSource final : public BatchSource {
 public:
  PlantedSource(const testing::ToyOptions& toy, const Fault& fault, const char* place, Network** network,
                std::chrono::milliseconds delay)
      : toy_(toy), fault_(fault), place_(place), network_(network), delay_(delay) {}
  const StepBatch& read(std::int64_t index) override {
    fault_.meet(place_, index + 1, *network_);
    std::this_thread::sleep_for(delay_);
    return toy_.read(index);
  }
  [[nodiscard]] std::int64_t batches() const override { return toy_.batches(); }
  [[nodiscard]] BatchLimits limits() const override { return toy_.limits(); }

 private:
  testing::ToySource toy_;
  Fault fault_;
  const char* place_;
  Network** network_;
  std::chrono::milliseconds delay_;
};

class PlantedObserver final : public Observer {
 public:
  PlantedObserver(const Fault& fault, const Log& log, std::int64_t slow_ms)
      : fault_(fault), log_(log), slow_ms_(slow_ms) {}
  void saving(std::int64_t step) override {
    fault_.meet("checkpoint", step);
    std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms_));
  }
  void started(const RunInfo& info) override { log_.note(describe(info)); }
  void saved(const SavedReport& report) override { log_.note("saved " + report.path); }
  void warning(const std::string& sentence) override { log_.warning(sentence); }
  void note(const std::string& sentence) override { log_.note(sentence); }

 private:
  Fault fault_;
  const Log& log_;
  std::int64_t slow_ms_;
};

class Arguments {
 public:
  explicit Arguments(const std::vector<std::string>& words) {
    for (const auto& word : words) {
      const auto middle = word.find('=');
      values_[word.substr(0, middle)] = word.substr(middle + 1);
    }
  }
  [[nodiscard]] std::int64_t number(const char* key, std::int64_t otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : std::atoll(found->second.c_str());
  }
  [[nodiscard]] std::string text(const char* key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? "" : found->second;
  }

 private:
  std::map<std::string, std::string> values_;
};

PretrainOptions job(const std::string& directory, const Arguments& arguments, const Fault& fault,
                    Network** network) {
  PretrainOptions options;
  options.directory = directory;
  options.model = testing::toy_model();
  options.threads = 1;
  options.sequence_length = testing::kToyLongest;
  options.global_batch = arguments.number("batch", 12);
  options.micro_batch = arguments.number("micro", 4);
  options.stop_after_seconds = static_cast<double>(arguments.number("stop_after", 0));
  if (const auto files = arguments.text("files"); !files.empty()) options.files = {files};
  const std::chrono::milliseconds delay(arguments.number("delay_ms", 0));
  const auto source = [=](const char* place, std::int64_t batches, std::chrono::milliseconds slow) {
    return [=](const SourceRequest& request) -> std::unique_ptr<BatchSource> {
      return std::make_unique<PlantedSource>(testing::ToyOptions{.global_batch = request.global_batch,
                                                                 .micro_batch = request.micro_batch,
                                                                 .rank = request.rank,
                                                                 .ranks = request.ranks,
                                                                 .batches = batches},
                                             fault, place, network, slow);
    };
  };
  options.training_data = source("step", INT64_MAX, delay);
  options.validation_data = source("evaluation", 2, std::chrono::milliseconds(0));
  options.start_from = [network](Network& made) {
    made.initialize(3);
    *network = &made;
  };
  const std::int64_t steps = arguments.number("steps", 8);
  options.trainer = testing::toy_trainer(steps);
  options.trainer.save_every = arguments.number("save_every", 2);
  options.trainer.validate_every = arguments.number("validate_every", 0);
  options.trainer.check_every = arguments.number("check_every", 0);
  options.trainer.keep = {.newest = 100};
  options.trainer.zero = arguments.number("zero", 0) != 0;
  options.trainer.timeout_seconds = static_cast<double>(arguments.number("timeout", 60));
  options.trainer.identity.settings["seed"] = std::to_string(arguments.number("seed", 3));
  options.may_change = [](std::string_view key) { return key == "training.steps"; };
  return options;
}

int run(const std::string& directory, const Arguments& arguments) {
  const Fault fault = Fault::from_environment();
  fault.meet("begin");
  const int status = with_comm({.timeout_seconds = static_cast<double>(arguments.number("timeout", 60))},
                               [&](Comm& comm) -> int {
                                 const Log log(comm.rank());
                                 fault.meet("start");
                                 Network* network = nullptr;
                                 PretrainOptions options = job(directory, arguments, fault, &network);
                                 options.report = [&log](const std::string& report) {
                                   log.report("what the ranks are doing:\n" + report);
                                 };
                                 PlantedObserver observer(fault, log, arguments.number("slow_save_ms", 0));
                                 const StopReason why = pretrain(options, comm, observer);
                                 fault.meet("end");
                                 return why == StopReason::kDone ? 0 : 3;
                               });
  return status;
}

}  // namespace
}  // namespace nystrom

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    return nystrom::run(argv[1], nystrom::Arguments({argv + 2, argv + argc}));
  } catch (...) {
    return nystrom::report_failure(std::current_exception());
  }
}
