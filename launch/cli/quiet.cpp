#include "launch/cli/quiet.h"

namespace nystrom {
namespace {
bool quiet = false;
}

bool is_quiet() {
  return quiet;
}

void set_quiet() {
  quiet = true;
}

}  // namespace nystrom
