#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "kernels/core/check.h"
#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/terminal.h"
#include "launch/watch/live_pages.h"
#include "launch/watch/server.h"
#include "launch/watch/terminal_view.h"
#include "launch/watch/watched_runs.h"
#include "trainer/process/signals.h"

namespace nystrom {
namespace {

struct Options {
  std::string directory, address = "127.0.0.1";
  std::int64_t port = 8501;
  bool terminal = false;
};

std::string view_of(WatchedRuns& runs, std::size_t columns) {
  if (WatchedRun* run = runs.find(""); run != nullptr) {
    const ReportedRun now = run->look();
    return terminal_view(now, now.record.locked ? run->ranks() : "", columns);
  }
  std::vector<ReportedRun> listed;
  for (const std::string& name : runs.names()) {
    listed.push_back(read_end_of_run(runs.directory() + "/" + name));
    listed.back().label = name;
  }
  return listed.empty() ? "No runs yet.\n" : terminal_list(listed);
}

/// Draws the view over itself until a signal comes; where the output is not a terminal, once.
int watch_in_terminal(WatchedRuns& runs) {
  constexpr const char* kClear = "\x1b[H\x1b[2J";
  const bool drawn_over = ::isatty(STDOUT_FILENO) == 1;
  while (true) {
    const std::string view = view_of(runs, static_cast<std::size_t>(error_terminal().columns));
    fmt::print("{}{}", drawn_over ? kClear : "", view);
    std::fflush(stdout);
    for (int i = 0; i < 10 && drawn_over && !SignalWatch::stop_requested(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    if (!drawn_over || SignalWatch::stop_requested()) return kDone;
  }
}

int run(const Options& options, const Invocation& invocation) {
  constexpr std::int64_t kMaxPort = 65535;
  if (!invocation.overrides.empty())
    refuse("`nystrom watch` has no configuration, so it does not take `--set`.");
  if (options.port < 0 || options.port > kMaxPort)
    refuse("watch: `--port` is {}; ports are from 0 (any free one) to {}.", options.port, kMaxPort);
  WatchedRuns runs(options.directory);
  const SignalWatch signals;
  if (options.terminal) return watch_in_terminal(runs);
  LivePages pages(runs, is_loopback(options.address));
  serve(
      pages, {.address = options.address, .port = static_cast<int>(options.port)},
      [&](int port) {
        fmt::print("http://{}:{}/ shows {}. Ctrl-C ends.\n", options.address, port, options.directory);
        std::fflush(stdout);
      },
      [] { return SignalWatch::stop_requested(); });
  return kDone;
}

}  // namespace

Command watch_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "watch",
      .summary = "Show a running or finished job live, in a browser or in the terminal.",
      .details =
          "Serves the page of `nystrom report`, updated every two seconds, from the files of the run directory: on any "
          "machine that sees them, without involving the job. A directory of runs is shown as a list. Nothing is written, "
          "and only these pages are served. From another machine, forward the port: "
          "`ssh -L 8501:localhost:8501 HOST`.",
      .example =
          "nystrom watch runs/a\n"
          "nystrom watch runs --port 9000\n"
          "nystrom watch runs/a --terminal",
      .options =
          [options](OptionParser& app) {
            app.add_option("RUN", options->directory, "Run directory, or directory of runs.")->required();
            app.add_option("--port", options->port, "Port to listen on; 0: any free one.")
                ->capture_default_str();
            app.add_option(
                   "--address", options->address,
                   "Address to listen on. Any other than 127.0.0.1 lets other machines read the pages.")
                ->capture_default_str();
            app.add_flag(
                "--terminal", options->terminal,
                "Show the run in this terminal: state, step, time left, losses, and what each rank is doing. Only once "
                "if the output is not a terminal.");
          },
      .run = [options](const Invocation& invocation) { return run(*options, invocation); }};
}

}  // namespace nystrom
