#include "launch/watch/live_pages.h"

#include <fmt/format.h>

#include <cmath>

#include "kernels/core/html.h"
#include "kernels/core/sha256.h"
#include "launch/chart/scale.h"
#include "launch/report/links.h"
#include "launch/report/progress.h"
#include "trainer/metrics/progress.h"

namespace nystrom {
namespace {

/// Puts the content of the page in its place while the page stays: choices, opened parts and focus too.
constexpr std::string_view kScript = R"js("use strict";
const main = document.querySelector("main"), source = document.body.dataset.source;
let tag = "";
const ids = selector => [...main.querySelectorAll(selector)].map(element => element.id);
function show(html) {
  const chosen = ids("input:checked"), opened = ids("details[open]"), focused = document.activeElement.id;
  main.innerHTML = html;
  for (const id of chosen) { const input = document.getElementById(id); if (input) input.checked = true; }
  for (const id of opened) { const part = document.getElementById(id); if (part) part.open = true; }
  if (focused) document.getElementById(focused)?.focus({preventScroll: true});
}
async function renew() {
  if (document.hidden) return;
  let lost = false;
  try {
    const answer = await fetch(source, {headers: tag ? {"If-None-Match": tag} : {}, cache: "no-store"});
    if (answer.status === 200) { tag = answer.headers.get("ETag") ?? ""; show(await answer.text()); }
    lost = answer.status !== 200 && answer.status !== 304;
  } catch { lost = true; }
  document.body.classList.toggle("lost", lost);
}
setInterval(renew, 2000);
document.addEventListener("visibilitychange", renew);
renew();
)js";

constexpr std::string_view kStyle = R"css(
.lost::before{content:"nystrom watch does not respond: the page may be out of date.";display:block;padding:.5rem 1rem;
background:var(--c1);color:var(--page);font-weight:600}
)css";

std::string document(const std::string& title, const std::string& source) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{}</title>\n"
      "<link rel=\"stylesheet\" href=\"/watch.css\"><script src=\"/watch.js\" defer></script></head>\n"
      "<body data-source=\"{}\"><main><p>Reading the run …</p>\n"
      "<noscript>This page needs its script; <code>nystrom report</code> writes one without.</noscript></main></body></html>\n",
      html_escaped(title), html_escaped(source));
}

/// "localhost:8501" without its port.
std::string_view name_of_host(std::string_view host) {
  const std::size_t colon = host.rfind(':'), bracket = host.rfind(']');
  const bool port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return port ? host.substr(0, colon) : host;
}

bool is_this_machine(std::string_view host) {
  const std::string_view name = name_of_host(host);
  return name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

std::string ranks_part(const std::string& ranks) {
  return ranks.empty() ? ranks
                       : "<section><h2>Ranks</h2>\n<pre>" + html_escaped(ranks) + "</pre></section>\n";
}

/// The best score of a task, else the latest loss.
std::string validation_text(const ReportedRun& run) {
  if (const auto best = best_validation(run); best && best->name != "loss")
    return best->name + " " + number_text(best->value, 5);
  const Series& loss = run.history.of("validation_loss");
  return loss.empty() ? "" : number_text(loss.last(), 5);
}

std::string row_of(const std::string& name, const ReportedRun& run) {
  const Progress progress = progress_of(run);
  const Series& loss = run.history.of("loss");
  return html_row(
      {fmt::format("<td><a href=\"/run/{}\">{}</a></td>", link_escaped(name), html_escaped(name)),
       html_cell(name_of(progress.phase)), html_cell(steps_text(progress)),
       html_cell(loss.empty() ? "" : number_text(loss.last(), 5), "number"),
       html_cell(validation_text(run), "number"),
       html_cell(progress.tokens_per_second ? grouped(std::llround(*progress.tokens_per_second)) : "",
                 "number"),
       html_cell(progress.seconds_left ? duration_text(*progress.seconds_left) : "", "number")});
}

LiveAnswer refused(int status, const char* sentence) {
  return {.status = status, .type = "text/plain; charset=utf-8", .body = std::string(sentence) + "\n"};
}

}  // namespace

bool is_loopback(std::string_view address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

LiveAnswer LivePages::answer(const LiveRequest& request) {
  if (loopback_ && !is_this_machine(request.host))
    return refused(403, "This address is not one of this machine's own names.");
  constexpr std::string_view kRun = "/run/", kContent = "/content";
  std::string_view path = request.path;
  if (path == "/watch.css")
    return {.type = "text/css; charset=utf-8", .body = report_style() + std::string(kStyle)};
  if (path == "/watch.js") return {.type = "text/javascript; charset=utf-8", .body = std::string(kScript)};
  const bool content = path.ends_with(kContent);
  if (content) path.remove_suffix(kContent.size());
  const bool named = path.starts_with(kRun) && path.size() > kRun.size();
  if (!named && path != "" && path != "/") return refused(404, "Page not found.");
  const std::string_view name = named ? path.substr(kRun.size()) : std::string_view();
  LiveAnswer answer = content ? content_of(name) : page_of(name);
  if (!request.tag.empty() && request.tag == answer.tag) return {.status = 304, .tag = answer.tag};
  return answer;
}

LiveAnswer LivePages::content_of(std::string_view name) {
  std::string html;
  if (WatchedRun* run = runs_.find(name); run != nullptr) {
    const ReportedRun now[] = {run->look()};
    html = report_body(now);
    if (now[0].record.locked) html += ranks_part(run->ranks());
  } else if (name.empty()) {
    html = list();
  } else {
    return refused(404, "Run not found.");
  }
  LiveAnswer answer{.body = std::move(html)};
  answer.tag = "\"" + sha256_hex(answer.body).substr(0, 32) + "\"";
  return answer;
}

LiveAnswer LivePages::page_of(std::string_view name) {
  if (name.empty()) return {.body = document(runs_.directory(), "/content")};
  if (runs_.find(name) == nullptr) return refused(404, "Run not found.");
  const std::string run(name);
  return {.body = document(run, "/run/" + link_escaped(run) + "/content")};
}

std::string LivePages::list() const {
  const std::vector<std::string> names = runs_.names();
  std::string html =
      fmt::format("<h1>Runs</h1>\n<p class=\"place\">{}</p>\n", html_escaped(runs_.directory()));
  if (names.empty()) return html + "<p>No runs yet.</p>\n";
  html += "<div class=\"wide\"><table>\n<thead>" +
          html_row({html_heading("run"), html_heading("state"), html_heading("step"), html_heading("loss"),
                    html_heading("validation"), html_heading("tokens/s"), html_heading("left")}) +
          "</thead><tbody>\n";
  for (const std::string& name : names) html += row_of(name, read_end_of_run(runs_.directory() + "/" + name));
  html += "</tbody></table></div>\n";
  if (names.size() == WatchedRuns::kMaxListed)
    html += fmt::format("<p class=\"note\">Runs beyond the first {} are not listed.</p>\n",
                        WatchedRuns::kMaxListed);
  return html;
}

}  // namespace nystrom
