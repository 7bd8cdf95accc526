#include "data/tasks/lra/reader.h"

#include <fmt/ranges.h>

#include "kernels/core/check.h"

namespace nystrom::lra {

const char* part_name(Part part) {
  switch (part) {
    case Part::kTrain:
      return "train";
    case Part::kValidation:
      return "validation";
    case Part::kTest:
      return "test";
    case Part::kAll:
      return "all";
  }
  return "";
}

void Skipped::add(const std::string& place, const std::string& problem) {
  if (malformed_ == Malformed::kRefuse)
    refuse("{}: {}. Fix it, or set `task.malformed` to skip.", place, problem);
  add_known(place, problem);
}

void Skipped::add_known(const std::string& place, const std::string& problem) {
  constexpr std::int64_t kNamed = 20;
  if (++count_ <= kNamed) places_.push_back(fmt::format("{} ({})", place, problem));
}

std::vector<std::string> Skipped::sentences() const {
  if (count_ == 0) return {};
  const bool more = count_ > std::ssize(places_);
  return {fmt::format("{} example{} skipped: {}{}.", count_, count_ == 1 ? " was" : "s were",
                      fmt::join(places_, ", "), more ? ", …" : "")};
}

}  // namespace nystrom::lra
