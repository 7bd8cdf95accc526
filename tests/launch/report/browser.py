#!/usr/bin/env python3
"""Looks at the pages of `nystrom report` and `nystrom watch` in Chromium: what the browser made of them, on a phone and
on a desk, light and dark.

usage: browser.py NYSTROM [SCREENSHOTS]      a folder to keep pictures of the pages in

It says that it was skipped where there is no Chromium.
"""
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

WIDTHS = (360, 1280)
MEASURE = """<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
<iframe src="report.html" style="border:0;width:WIDTHpx;height:4000px"></iframe><pre id="result"></pre><script>
document.querySelector("iframe").onload = event => {
  const page = event.target.contentDocument, found = {problems: []};
  found.overflow = page.documentElement.scrollWidth - WIDTH;
  for (const selector of ["figure", "svg.plot", "svg.heat", "svg.bars", "rect.bar", "path.line", "circle.dot", "rect.cell", "path.checkpoint",
                          "line.resume", ".tile", "tr"])
    found[selector] = page.querySelectorAll(selector).length;
  found.visible = [...page.querySelectorAll("svg.plot, svg.heat, svg.bars")].filter(svg => svg.getBoundingClientRect().width > 0).length;
  found.smallest = 1e9;
  for (const svg of page.querySelectorAll("svg.plot, svg.heat, svg.bars")) {
    const outer = svg.getBoundingClientRect(), boxes = [];
    if (outer.width === 0) continue;
    found.smallest = Math.min(found.smallest, 
      parseFloat(getComputedStyle(svg.querySelector("text")).fontSize) * outer.width / svg.viewBox.baseVal.width);
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect(), name = svg.getAttribute("aria-label") + ": " + text.textContent;
      if (box.left < outer.left - 1 || box.right > outer.right + 1 || box.top < outer.top - 1 || box.bottom > outer.bottom + 1)
        found.problems.push(name + " is cut off");
      for (const [other, label] of boxes)
        if (box.left < other.right - 1 && other.left < box.right - 1 && box.top < other.bottom - 3 && other.top < box.bottom - 3)
          found.problems.push(name + " lies over " + label);
      boxes.push([box, text.textContent]);
    }
  }
  document.getElementById("result").textContent = JSON.stringify(found);
};
</script>"""


def browser():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def chromium(folder, url, *options):
    """The page's own DOM, and what it said on its console."""
    done = subprocess.run(
        [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--no-first-run", "--allow-file-access-from-files", "--disable-web-security", "--virtual-time-budget=6000",
         "--enable-logging=stderr", f"--user-data-dir={folder}/profile", *options, "--dump-dom", url],
        capture_output=True, text=True, timeout=180, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def make_run(folder, rate):
    """A run of 3,000 steps that was resumed at 1,251."""
    (folder / "checkpoints").mkdir(parents=True)
    with open(folder / "metrics.jsonl", "w", encoding="utf-8") as metrics:
        for step in range(1, 3001):
            noise = 0.2 * math.sin(12.9898 * step) * math.cos(78.233 * step)
            loss = 4.4 + 5 * math.exp(-step / 500) + noise
            line = {"step": step, "loss": loss + 0.69, "mlm_loss": loss, "sop_loss": 0.69 + noise / 4, "mlm_accuracy": 0.3,
                    "sop_accuracy": 0.6, "learning_rate": rate * min(1, step / 150) * (1 - step / 3001),
                    "gradient_norm": 1.3 + noise, "tokens_per_second": 9000 + 900 * noise, "samples": 16 * step,
                    "seconds": 0.2 * step, "epochs_of": {"books": step / 1000, "wikipedia": step / 1500}}
            if step % 50 == 0:
                line["pinv_residual_max"] = [0.002 * (layer + 1) ** 2 for layer in range(12)]
            metrics.write(json.dumps(line) + "\n")
            if step % 250 == 0:
                metrics.write(json.dumps({"step": step, "validation_loss": loss + 0.8, "validation_mlm_loss": loss + 0.1,
                                          "validation_seconds": 1}) + "\n")
    start = {"date": "2026-01-01T10:00:00+0100", "version": "0.1.0", "command": ["nystrom", "pretrain", "my.yaml"],
             "host": "node1", "cpu": "A processor", "ranks": 2, "threads": 8, "precision": "bf16", "parameters": 1892426,
             "first_step": 1, "steps": 3000, "libraries": ["HDF5 1.10.8"]}
    (folder / "run.json").write_text(json.dumps([start, dict(start, first_step=1251)]))
    (folder / "config.yaml").write_text(f"training: {{steps: 3000}}\noptimizer: {{learning_rate: {rate}}}\n")
    for step in (2500, 2750):
        (folder / f"checkpoints/step-{step:08}.h5").write_text("")
    labels = ["anger", "fear", "joy", "love", "sadness", "surprise"]
    counts = [[120 if row == column else (row + 2 * column) % 9 for column in range(6)] for row in range(6)]
    (folder / "details.json").write_text(json.dumps({"confusion": {"validation": {"labels": labels, "counts": counts}}}))


def require(condition, sentence):
    if not condition:
        sys.exit(f"FAILED: {sentence}")


def measure(folder, width):
    """What the browser finds in report.html at this width, where nothing may be too wide, cut off or too small."""
    measured = folder / "measure.html"
    measured.write_text(MEASURE.replace("WIDTH", str(width)))
    dom, console = chromium(folder, measured.as_uri(), f"--window-size={width + 40},1200")
    found = json.loads(dom.split('<pre id="result">')[1].split("</pre>")[0].replace("&gt;", ">").replace("&lt;", "<"))
    print(width, found)
    require(not console, f"the console says {console}")
    require(found["overflow"] <= 0, f"at {width} pixels the page is {found['overflow']} too wide")
    require(not found["problems"], f"at {width} pixels {found['problems'][:5]}")
    require(found["smallest"] >= 9.5, f"at {width} pixels text is {found['smallest']} high")
    require(found["figure"] == found["visible"], "each figure shows one of its views")
    return found


def look_at_report(folder, pictures):
    for width in WIDTHS:
        found = measure(folder, width)
        require(found["svg.plot"] > found["figure"] and found["svg.heat"] == 2, "views are missing")
        require(found["circle.dot"] >= 12 * 3 * 2 and found["rect.cell"] >= 36 + 12 * 60, "points are missing")
        require(found["path.checkpoint"] >= 2 and found["line.resume"] >= 1, "marks are missing")
    for name, width, *options in (("desk", 1280), ("dark", 1280, "--force-dark-mode"), ("phone", 500)) if pictures else ():
        chromium(folder, (folder / "report.html").as_uri(), f"--window-size={width},3200", *options,
                 f"--screenshot={pictures}/{name}.png")


def look_at_preparation(nystrom, folder, pictures):
    words = "river stone walks under light seven birds and the slow".split()
    for corpus in range(2):
        (folder / f"text{corpus}.txt").write_text("".join(
            " ".join(f"The {words[(d + s + corpus) % 10]} {words[(d * s) % 10]} the  {words[d % 7]}." for s in range(d % 9 + 1)) + "\n"
            for d in range(60)))
    (folder / "my.yaml").write_text("corpus: [{kind: lines, path: text0.txt}, {kind: lines, path: text1.txt}]\n"
                                    "tokenizer: {kind: bpe, vocabulary_size: 60}\n"
                                    "output: {directory: text, validation_fraction: 0.2}\n")
    subprocess.run([nystrom, "prepare", "my.yaml"], cwd=folder, check=True, capture_output=True)
    for width in WIDTHS:
        found = measure(folder / "text", width)
        require(found["svg.bars"] == 4 and found["rect.bar"] >= 4 + 2 * 4 + 4, "bars are missing")
    if pictures:
        chromium(folder, (folder / "text/report.html").as_uri(), "--window-size=1000,2400",
                 f"--screenshot={pictures}/text.png")


def look_at_watch(nystrom, folder):
    with subprocess.Popen([nystrom, "watch", str(folder), "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()
            if not address:
                print("This program was built without cpp-httplib: `watch` is not tested.")
                return
            dom, console = chromium(folder, address[0])
            require(not console, f"the console of the live page says {console}")
            require('<figure id="curve-loss">' in dom and "3,000 of 3,000" in dom, "the live page shows no run")
            require('class="lost"' not in dom, "the live page believes that it is lost")
        finally:
            server.terminate()


def main():
    nystrom = str(pathlib.Path(sys.argv[1]).resolve())
    if not browser():
        print("skipped: there is no Chromium to look at the pages with")
        return
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made) / "run"
        make_run(folder, 1e-3)
        subprocess.run([nystrom, "report", str(folder)], check=True)
        pictures = sys.argv[2] if len(sys.argv) > 2 else None
        look_at_report(folder, pictures)
        look_at_preparation(nystrom, pathlib.Path(made), pictures)
        look_at_watch(nystrom, folder)
    print("The pages hold.")


main()
