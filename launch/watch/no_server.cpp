// In the place of server.cpp where cpp-httplib was not there to build with.

#include "kernels/core/check.h"
#include "launch/watch/server.h"

namespace nystrom {

void serve(LivePages&, const ServerOptions&, const std::function<void(int port)>&,
           const std::function<bool()>&) {
  refuse(
      "watch: this program was built without cpp-httplib (Debian's libcpp-httplib-dev), so it serves no pages. Use "
      "`--terminal`, or open the report.html of the run directory.");
}

}  // namespace nystrom
