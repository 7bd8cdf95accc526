// Colours: Okabe and Ito's palette, which colour-blind readers can distinguish, darkened for light pages and
// lightened for dark ones so that each line stands out from the page by 3:1 or more.

#include "launch/chart/figure.h"

namespace nystrom {

std::string_view chart_style() {
  return R"css(
:root{color-scheme:light dark;--page:#fff;--ink:#1f2933;--muted:#52606d;--edge:#cbd2d9;--panel:#f5f7fa;--heat:#0b4f8a;
--on-heat:#fff;--good:#00694d;--bad:#a33a00;
--c0:#0072b2;--c1:#c65300;--c2:#007a5a;--c3:#a8477f;--c4:#8a6a00;--c5:#2b7bb9;--c6:#444}
@media (prefers-color-scheme:dark){:root{--page:#14181d;--ink:#e4e7eb;--muted:#a8b3bf;--edge:#3e4c59;--panel:#1c232a;
--heat:#7cc4ff;--on-heat:#0b1116;--good:#4fd1a5;--bad:#ff9a62;
--c0:#56b4e9;--c1:#ff9340;--c2:#2fc79b;--c3:#e59bc4;--c4:#e6c33c;--c5:#9ad0ff;--c6:#c7ccd1}}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}
figure{margin:0;padding:.8rem 1rem 1rem;border:1px solid var(--edge);border-radius:.5rem;min-width:0}
figcaption{font-weight:600;margin-bottom:.3rem;overflow-wrap:anywhere}
figure svg{display:block;width:100%;height:auto}
.view{display:none}
.view:only-child,
figure>input:nth-of-type(1):checked~.views>.view:nth-child(1),
figure>input:nth-of-type(2):checked~.views>.view:nth-child(2),
figure>input:nth-of-type(3):checked~.views>.view:nth-child(3){display:block}
figure>input{position:absolute;opacity:0;pointer-events:none}
figure>label{display:inline-block;font-size:.8rem;padding:.1rem .5rem;margin:0 .3rem .3rem 0;border:1px solid var(--edge);
border-radius:1rem;cursor:pointer;color:var(--muted)}
figure>input:checked+label{background:var(--ink);color:var(--page);border-color:var(--ink)}
figure>input:focus-visible+label{outline:2px solid var(--c0);outline-offset:2px}
.legend{list-style:none;margin:.1rem 0 .3rem;padding:0;display:flex;flex-wrap:wrap;gap:.1rem .9rem;font-size:.82rem}
.legend li{display:flex;align-items:center;gap:.35rem;overflow-wrap:anywhere}
figure svg.swatch{width:26px;height:12px;flex:none}
svg text{font:12px system-ui,sans-serif;fill:var(--muted)}
svg .name{fill:var(--ink)}svg .end,svg .up{text-anchor:end}svg .across,svg .cell-text{text-anchor:middle}
.grid{stroke:var(--edge);stroke-width:.7}.axis{stroke:var(--muted);stroke-width:1}
.line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}
.line.faint{stroke-width:.8;stroke-opacity:.45}.dashed{stroke-dasharray:6 4}.band{fill:var(--c);fill-opacity:.16}
.dot{fill:var(--c)}.dot:hover{r:6}
.resume{stroke:var(--muted);stroke-width:1.2;stroke-dasharray:2 3}.best{stroke:var(--good);stroke-width:1.4}
.checkpoint{fill:var(--muted)}
.bar,.fill{fill:var(--c)}.bar.pale,.fill.pale{fill-opacity:.5}.bar:hover{stroke:var(--ink);stroke-width:1.5}
.cell{fill:var(--heat)}svg .cell-text{fill:var(--ink)}svg .cell-text.on{fill:var(--on-heat)}
.cell:hover{stroke:var(--ink);stroke-width:1.5}.framed{fill:none;stroke:var(--c1);stroke-width:2.5}
@media (max-width:34rem){svg text{font-size:14px}}
.page{fill:var(--page)}
.note{font-size:.8rem;color:var(--muted);margin:.4rem 0 0}
)css";
}

}  // namespace nystrom
