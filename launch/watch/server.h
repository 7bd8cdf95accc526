#pragma once
// The HTTP server of `nystrom watch`.

#include <functional>
#include <string>

#include "launch/watch/live_pages.h"

namespace nystrom {

struct ServerOptions {
  std::string address = "127.0.0.1";  ///< of the interface that is listened on
  int port = 8501;                    ///< 0: any free one
};

/// Answers GET requests until `stop` says so, which it is asked several times a second. `listening` is called
/// with the port. Refuses (InputError) an address or port that cannot be listened on, and always where the
/// program was built without cpp-httplib.
void serve(LivePages& pages, const ServerOptions& options, const std::function<void(int port)>& listening,
           const std::function<bool()>& stop);

}  // namespace nystrom
