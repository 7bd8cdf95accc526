#pragma once
// Worker ranks and threads that generate a dataset. The output does not depend on their number.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nystrom {

struct Workers {
  int rank = 0, ranks = 1;
  int threads = 1;  ///< of each rank
  /// Each rank's text, in rank order; a collective.
  std::function<std::vector<std::string>(const std::string& mine)> gather = [](const std::string& mine) {
    return std::vector{mine};
  };
};

}  // namespace nystrom
