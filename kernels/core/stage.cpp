#include "kernels/core/stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nystrom {
namespace {
thread_local StageView* view = nullptr;
thread_local int depth = 0;
}  // namespace

void show_stages(StageView* now) {
  view = now;
}

Stage::Stage(std::string name, double total, std::string unit)
    : name_(std::move(name)), unit_(std::move(unit)), total_(total) {
  if (depth++ == 0 && view != nullptr) view->begin(*this);
}

Stage::~Stage() {
  if (--depth == 0 && view != nullptr) view->end();
}

double Stage::share() const {
  const double done = done_.load(std::memory_order_relaxed);
  return total_ > 0 && done >= 0 ? std::min(done / total_, 1.0) : -1;
}

std::string Stage::counted() const {
  const std::int64_t units = units_.load(std::memory_order_relaxed);
  return units > 0 ? fmt::format("{} {}", units, unit_) : std::string();
}

}  // namespace nystrom
