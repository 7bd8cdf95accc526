#pragma once
// Pages of `nystrom watch`: the response to a path, without sockets.

#include <string>
#include <string_view>

#include "launch/watch/watched_runs.h"

namespace nystrom {

struct LiveRequest {
  std::string path;  ///< "/", "/run/NAME", decoded
  std::string host;  ///< the Host header
  std::string tag;   ///< If-None-Match
};

struct LiveAnswer {
  int status = 200;
  std::string type = "text/html; charset=utf-8", body = {};
  std::string tag = {};  ///< ETag
};

class LivePages {
 public:
  /// `runs` must outlive it. With `loopback` only requests are answered whose Host is this machine by its own
  /// names: a page of others, whose name leads here, is not.
  LivePages(WatchedRuns& runs, bool loopback) : runs_(runs), loopback_(loopback) {}

  ///   /                 the run, or the list of runs      /content             its <main>, for the script
  ///   /run/NAME         a run of the list                 /run/NAME/content
  ///   /watch.css  /watch.js
  ///
  /// 404 for every other path. Reads files, writes none.
  [[nodiscard]] LiveAnswer answer(const LiveRequest& request);

  /// Content-Security-Policy of all answers.
  static constexpr const char* kPolicy =
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'";

 private:
  [[nodiscard]] LiveAnswer content_of(std::string_view name);
  [[nodiscard]] LiveAnswer page_of(std::string_view name);
  [[nodiscard]] std::string list() const;

  WatchedRuns& runs_;
  bool loopback_;
};

/// Is this address reached from this machine alone?
[[nodiscard]] bool is_loopback(std::string_view address);

}  // namespace nystrom
