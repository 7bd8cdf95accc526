#pragma once
// `run.profile_steps`: a timeline of some steps of all ranks, written to the run directory.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/core/trace.h"
#include "kernels/tensor/context.h"
#include "trainer/comm/clock.h"
#include "trainer/comm/comm.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

struct ProfiledSteps {
  std::int64_t first = 0, last = 0;  ///< counted from 1; 0: none
  [[nodiscard]] bool any() const { return first > 0; }
};

/// "20-22", or "20": one step; "": none. Refuses (InputError) anything else, naming `key`.
[[nodiscard]] ProfiledSteps profiled_steps(const std::string& text, std::string_view key);

/// What this machine can do at most, as a rank measures it while the others do.
struct MachineRates {
  double flops = 0;       ///< per second, of a large matrix product at the precision of the run
  double fp32_flops = 0;  ///< the same in fp32
  double bytes = 0;       ///< per second, of a large copy
};

struct ProfileOptions {
  ProfiledSteps steps = {};
  std::string directory;  ///< gets trace-FIRST-LAST.json
  /// Called once, before the first profiled step; where it is empty, or gives nothing, use() is not known.
  std::function<std::optional<MachineRates>(Context&)> measure_machine = {};
  /// Called on rank 0 before the file is written; may throw.
  std::function<void()> before_writing = [] {};
};

class StepProfile {
 public:
  /// `trace` null: nothing is ever recorded. All outlive this. Not collective.
  StepProfile(ProfileOptions options, Context& context, Comm& comm, Trace* trace);
  ~StepProfile();
  StepProfile(const StepProfile&) = delete;
  StepProfile& operator=(const StepProfile&) = delete;

  /// Before a step: starts recording where it is one of the steps. Collective.
  void before(std::int64_t step);
  /// After a step, and what belongs to it: writes the file where it was the last one, or the run `ends` here.
  /// Returns a sentence for the log, on rank 0, or nothing. Collective.
  struct Result {
    std::string note, warning;
  };
  [[nodiscard]] Result after(std::int64_t step, bool ends);
  /// Of the step that has just been computed in `seconds` seconds, by its ops; none where it is not profiled.
  [[nodiscard]] std::optional<UseReport> use(double seconds) const;
  [[nodiscard]] bool active() const { return trace_ != nullptr && trace_->active(); }

 private:
  ProfileOptions options_;
  Context& context_;
  Comm& comm_;
  Trace* trace_;
  std::optional<MachineRates> machine_;
  bool measured_ = false;  // or tried
  ClockOffset first_;      // when recording began
  std::int64_t begun_ = 0;
};

}  // namespace nystrom
