#include "kernels/core/trace.h"

#include <algorithm>

namespace nystrom {

void Trace::start() {
  const std::scoped_lock held(mutex_);
  events_.clear();
  dropped_ = 0;
  begin_ns_ = now();
  active_ = true;
}

void Trace::stop() {
  const std::scoped_lock held(mutex_);
  if (!active_) return;
  end_ns_ = now();
  for (Event& open : open_) {
    Event cut = open;  // it continues, but not here
    close(cut, end_ns_);
  }
  active_ = false;
}

void Trace::add(const Event& event) {
  if (!active()) return;
  const std::scoped_lock held(mutex_);
  record(event);
}

void Trace::open(Kind kind, std::string_view name, std::int64_t number) {
  const std::scoped_lock held(mutex_);
  const std::int64_t at = now();
  Event& open = open_[static_cast<std::size_t>(kind)];
  close(open, at);
  open = {.name = name, .kind = kind, .begin_ns = at, .number = number};
}

void Trace::close(Kind kind) {
  const std::scoped_lock held(mutex_);
  close(open_[static_cast<std::size_t>(kind)], now());
}

void Trace::close(Event& open, std::int64_t at) {
  if (open.begin_ns == 0) return;
  Event ended = open;
  ended.end_ns = at;
  open.begin_ns = 0;
  record(ended);
}

void Trace::record(Event event) {
  if (!active() || event.end_ns <= begin_ns_) return;
  if (events_.size() == kMaxEvents) {
    ++dropped_;
    return;
  }
  event.begin_ns = std::max(event.begin_ns, begin_ns_);
  auto name = names_.find(event.name);
  if (name == names_.end()) name = names_.emplace(event.name).first;
  event.name = *name;
  events_.push_back(event);
}

}  // namespace nystrom
