"""Throughput and peak memory of `nystrom prepare` on a dump of any size, made from the shared sample by repetition.

    python3 benchmarks/data/preparation.py --gigabytes 1 [--runs 1x1 1x2 2x1] [--rounds 3] [--output results.json]

A run is RANKSxTHREADS. Runs alternate, and results are medians. Memory is the largest resident set of any process.
The first preparation, on two threads, trains the tokenizer, whose time depends neither on the size of the text nor on
the threads. The runs then load this tokenizer.
"""

import bz2
import os
import pathlib
import shutil
import subprocess
import time

from common import ROOT, SHARED, arguments_of, median, report


def make_dump(path, size):
    """Repeats the pages of the sample. Titles and a word of each sentence change, so that no page is a duplicate."""
    xml = bz2.decompress((SHARED / "wiki" / "enwiki-pages-articles-sample.xml.bz2").read_bytes()).decode()
    head, rest = xml.split("<page>", 1)
    pages = rest.rsplit("</mediawiki>", 1)[0]
    with open(path, "w") as out:
        out.write(head)
        copy = 0
        while out.tell() < size:
            out.write("<page>" + pages.replace("<title>", f"<title>{copy} ").replace('xml:space="preserve">',
                      f'xml:space="preserve">Copy {copy}. ').replace(". ", f" {copy}. "))
            copy += 1
        out.write("</mediawiki>\n")


def prepare(dump, out, ranks, threads, tokenizer=None):
    """Runs `nystrom prepare`. Returns its seconds and the peak memory of the largest process in MiB."""
    shutil.rmtree(out, ignore_errors=True)
    command = [str(ROOT / "build" / "nystrom"), "prepare", str(ROOT / "configs" / "quickstart.yaml"),
               "--set", f"corpus=[{{kind: wikipedia, path: {dump}}}]", "--set", f"output.directory={out}",
               "--set", f"tokenizer.path={tokenizer}" if tokenizer else "tokenizer.vocabulary_size=16000",
               "--set", f"run.threads={threads}"]
    if ranks > 1:
        command = [str(ROOT / "launch" / "mpirun.sh"), str(ranks), *command]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)  # includes children that it waited for: mpirun's ranks
    if status != 0:
        raise SystemExit(errors.decode())
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main():
    arguments = arguments_of(__doc__, gigabytes={"type": float, "default": 1},
                             runs={"nargs": "+", "default": ["1x1", "1x2", "2x1"]},
                             folder={"type": pathlib.Path, "default": ROOT / "build" / "preparation"})
    arguments.folder.mkdir(parents=True, exist_ok=True)
    dump, out = arguments.folder / "dump.xml", arguments.folder / "out"
    make_dump(dump, arguments.gigabytes * 1e9)
    size = dump.stat().st_size / 1e6
    with_training, peak_with_training = prepare(dump, out, 1, 2)
    tokenizer = shutil.copy(out / "tokenizer.model", arguments.folder)
    seconds, peaks = {}, {}
    for _ in range(arguments.rounds):
        for run in arguments.runs:
            spent, peak = prepare(dump, out, *map(int, run.split("x")), tokenizer)
            seconds.setdefault(run, []).append(spent)
            peaks.setdefault(run, []).append(peak)
    results = {"megabytes": round(size), "runs": {
        "1x2, training the tokenizer": {"seconds": [round(with_training, 1)], "peak_mebibytes": round(peak_with_training)},
        **{
        run: {"seconds": [round(s, 1) for s in spent], "mb_per_second": round(size / median(spent), 1),
              "over_first": round(median(seconds[arguments.runs[0]]) / median(spent), 2),
              "peak_mebibytes": round(max(peaks[run]))} for run, spent in seconds.items()}}}
    shutil.rmtree(arguments.folder)
    report(results, arguments.output)


if __name__ == "__main__":
    main()
