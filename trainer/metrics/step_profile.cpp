#include "trainer/metrics/step_profile.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "trainer/metrics/trace_file.h"

namespace nystrom {
namespace {

/// The whole of `text` as a number above 0; else 0.
std::int64_t step_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 ? number : 0;
}

}  // namespace

ProfiledSteps profiled_steps(const std::string& text, std::string_view key) {
  if (text.empty()) return {};
  const std::string_view all = text;
  const auto dash = all.find('-');
  const std::int64_t first = step_number(all.substr(0, dash));
  const std::int64_t last = dash == std::string_view::npos ? first : step_number(all.substr(dash + 1));
  if (first == 0 || last < first)
    refuse("`{}` is {}; write a step, such as 20, or the first and the last one, such as 20-22.", key, text);
  return {first, last};
}

StepProfile::StepProfile(ProfileOptions options, Context& context, Comm& comm, Trace* trace)
    : options_(std::move(options)),
      context_(context),
      comm_(comm),
      trace_(options_.steps.any() ? trace : nullptr) {
  if (trace_ != nullptr) comm_.activity().set_trace(trace_);
}

StepProfile::~StepProfile() {
  if (trace_ == nullptr) return;
  trace_->stop();
  context_.set_trace(nullptr);
  comm_.activity().set_trace(nullptr);
}

void StepProfile::before(std::int64_t step) {
  if (trace_ == nullptr || active() || step < options_.steps.first || step > options_.steps.last) return;
  if (options_.measure_machine && !std::exchange(measured_, true))
    machine_ = options_.measure_machine(context_);
  first_ = measure_clock(comm_);
  begun_ = step;
  trace_->close(Trace::Kind::kPhase);  // of the step before
  trace_->close(Trace::Kind::kStep);
  trace_->start();
  context_.set_trace(trace_);
}

std::optional<UseReport> StepProfile::use(double seconds) const {
  if (!active() || !machine_) return std::nullopt;
  const auto from = Trace::now() - static_cast<std::int64_t>(1e9 * seconds);
  double flops = 0, bound = 0;
  trace_->visit_since(from, [&](const Trace::Event& event) {
    if (event.kind != Trace::Kind::kOp) return;
    flops += event.flops;
    bound +=
        std::max((event.flops - event.fp32_flops) / machine_->flops + event.fp32_flops / machine_->fp32_flops,
                 event.bytes / machine_->bytes);
  });
  return UseReport{.mfu = flops / machine_->flops / seconds, .share_of_bound = bound / seconds};
}

StepProfile::Result StepProfile::after(std::int64_t step, bool ends) {
  if (!active() || (step < options_.steps.last && !ends)) return {};
  trace_->stop();
  context_.set_trace(nullptr);
  const ClockLine clock(first_, measure_clock(comm_));
  const std::string path = fmt::format("{}/trace-{}-{}.json", options_.directory, begun_, step);
  if (comm_.rank() == 0) options_.before_writing();
  const std::string problem = write_trace(path, *trace_, clock, comm_);
  if (comm_.rank() != 0) return {};
  if (!problem.empty())
    return {.note = {},
            .warning = fmt::format("The trace of steps {} to {} is lost: {}.", begun_, step, problem)};
  return {.note = fmt::format("{} shows steps {} to {} of all ranks: open it at https://ui.perfetto.dev.",
                              path, begun_, step),
          .warning = {}};
}

}  // namespace nystrom
