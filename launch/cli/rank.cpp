#include "launch/cli/rank.h"

#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

namespace nystrom {
namespace {

int first_number(std::initializer_list<const char*> names, int fallback) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    if (text == nullptr) continue;
    const std::string_view value(text);
    int number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size() && number >= 0) return number;
  }
  return fallback;
}

}  // namespace

// Variables of Open MPI, then of MPICH and its derivatives.
int launched_rank() {
  return first_number({"OMPI_COMM_WORLD_RANK", "PMI_RANK"}, 0);
}
int launched_ranks() {
  return first_number({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}, 1);
}
int launched_local_ranks() {
  return first_number({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"}, 1);
}

}  // namespace nystrom
