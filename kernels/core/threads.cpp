#include "kernels/core/threads.h"

#include "kernels/core/processors.h"

namespace nystrom {

int available_threads() {
  const int requested = requested_threads();
  return requested > 0 ? requested : hardware_threads(available_processors());
}

}  // namespace nystrom
