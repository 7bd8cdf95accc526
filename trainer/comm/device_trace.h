#pragma once
// Collectives of a GPU in the trace of a run: from the device's own clock, since the host waits for none.

#include <cstddef>
#include <string_view>
#include <vector>

#include "kernels/core/trace.h"
#include "kernels/tensor/cuda/stream.h"

namespace nystrom {

class DeviceTrace {
 public:
  /// Around what is enqueued between begin() and end(), which do not nest. `what`: a literal.
  void begin(const cuda::Stream& stream, std::string_view what, std::size_t bytes) {
    under_way_.emplace_back();
    under_way_.back().what = what;
    under_way_.back().bytes = bytes;
    stream.record(under_way_.back().begun);
  }
  void end(const cuda::Stream& stream) { stream.record(under_way_.back().ended); }

  /// Those that have ended go to the trace. The host waits for `stream`, whose work must be done soon.
  void report(const cuda::Stream& stream, Trace& trace) {
    if (under_way_.empty()) return;
    const cuda::Event now(cuda::Event::Timing::kOn);
    stream.record(now);
    now.synchronize();
    const std::int64_t here = Trace::now();
    const auto time_of = [&](const cuda::Event& event) {
      return here - static_cast<std::int64_t>(1e6 * now.milliseconds_since(event));
    };
    std::vector<Collective> rest;
    for (Collective& each : under_way_) {
      if (!each.ended.happened()) {
        rest.push_back(std::move(each));
        continue;
      }
      trace.add({.name = each.what,
                 .kind = Trace::Kind::kCollective,
                 .begin_ns = time_of(each.begun),
                 .end_ns = time_of(each.ended),
                 .bytes = static_cast<double>(each.bytes)});
    }
    under_way_ = std::move(rest);
  }

 private:
  struct Collective {
    std::string_view what;
    std::size_t bytes = 0;
    cuda::Event begun{cuda::Event::Timing::kOn}, ended{cuda::Event::Timing::kOn};
  };
  std::vector<Collective> under_way_;
};

}  // namespace nystrom
