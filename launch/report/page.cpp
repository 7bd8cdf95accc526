// The document around the sections.

#include <fmt/format.h>

#include "kernels/core/html.h"
#include "launch/chart/figure.h"
#include "launch/report/sections.h"

namespace nystrom {

std::string report_style() {
  constexpr std::string_view kStyle = R"css(
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:76rem;margin:0 auto;padding:1rem clamp(.8rem,3vw,2rem) 3rem}
h1{font-size:1.5rem;margin:.6rem 0 .2rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2rem 0 .6rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem}p{margin:.3rem 0 .6rem;max-width:60rem}
.place{color:var(--muted);font-size:.85rem;overflow-wrap:anywhere}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,27rem),1fr));gap:1rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem;margin:.8rem 0}
.tile{background:var(--panel);border-radius:.5rem;padding:.5rem .8rem;min-width:0}
.tile dt{font-size:.78rem;color:var(--muted)}.tile dd{margin:0;font-weight:600;font-size:1.02rem;overflow-wrap:anywhere}
.tile small{display:block;font-weight:400;font-size:.78rem;color:var(--muted)}
td.share{min-width:10rem}progress{width:100%;height:.55rem;accent-color:var(--c0)}
.wide{overflow-x:auto;margin:.4rem 0}
table{border-collapse:collapse;font-size:.88rem}
th,td{padding:.28rem .7rem;border-bottom:1px solid var(--edge);text-align:left;vertical-align:top;max-width:32rem;
overflow-wrap:break-word}
th{font-weight:600;color:var(--muted);white-space:nowrap}td.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.key{white-space:nowrap}td.muted{color:var(--muted)}tr.differs td:first-child{box-shadow:inset 3px 0 0 var(--c1)}tr.chosen td{font-weight:600}
code,pre{font:.85em ui-monospace,monospace}pre{overflow:auto;background:var(--panel);padding:.8rem;border-radius:.5rem}
details{margin:.8rem 0}summary{cursor:pointer}a{color:var(--c0)}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;font-size:.88rem}
.facts dt{color:var(--muted)}.facts dd{margin:0;overflow-wrap:anywhere}
.passage{border-left:3px solid var(--edge);padding-left:.7rem;font-size:.9rem}
.problem{border-left:4px solid var(--c1);padding-left:.7rem}
@media (max-width:30rem){th,td{padding:.25rem .45rem}.facts{grid-template-columns:1fr}.facts dd{margin:0 0 .4rem}
figure{padding:.6rem .5rem}}
@media print{figure{break-inside:avoid}}
)css";
  return std::string(chart_style()) + std::string(kStyle);
}

std::string report_page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<title>{}</title>\n<style>{}</style></head>\n<body><main>\n{}</main></body></html>\n",
      html_escaped(title), report_style(), body);
}

}  // namespace nystrom
