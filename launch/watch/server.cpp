#include "launch/watch/server.h"

#include <httplib.h>

#include <mutex>
#include <thread>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

void set_headers(httplib::Response& response, const LiveAnswer& answer) {
  response.set_header("Content-Security-Policy", LivePages::kPolicy);
  response.set_header("X-Content-Type-Options", "nosniff");
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_header("Cross-Origin-Resource-Policy", "same-origin");
  response.set_header("Cache-Control", "no-store");
  if (!answer.tag.empty()) response.set_header("ETag", answer.tag);
}

}  // namespace

void serve(LivePages& pages, const ServerOptions& options, const std::function<void(int port)>& listening,
           const std::function<bool()>& stop) {
  constexpr std::size_t kThreads = 4, kMaxBodyBytes = 1024;
  constexpr time_t kSeconds = 5;
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.set_payload_max_length(kMaxBodyBytes);
  server.set_read_timeout(kSeconds);
  server.set_keep_alive_max_count(100);
  std::mutex one_at_a_time;
  server.Get(".*", [&](const httplib::Request& request, httplib::Response& response) {
    const std::scoped_lock held(one_at_a_time);
    const LiveAnswer answer = pages.answer({.path = request.path,
                                            .host = request.get_header_value("Host"),
                                            .tag = request.get_header_value("If-None-Match")});
    response.status = answer.status;
    set_headers(response, answer);
    if (answer.status != 304) response.set_content(answer.body, answer.type);
  });
  const int port = options.port == 0
                       ? server.bind_to_any_port(options.address)
                       : (server.bind_to_port(options.address, options.port) ? options.port : -1);
  if (port < 0)
    refuse(
        "watch: {} port {} cannot be listened on; another program may have it. Choose another with `--port`.",
        options.address, options.port);
  listening(port);
  const std::jthread watch([&](const std::stop_token& over) {
    while (!over.stop_requested() && !stop()) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    server.stop();
  });
  server.listen_after_bind();
}

}  // namespace nystrom
