"""Peak memory and speed of `nystrom prepare` on a dump of any size: the shared sample repeated with changed titles.

    python3 benchmarks/data/memory.py --gigabytes 1 [--threads 1 2] [--ranks 1 2] [--folder /tmp/big]
"""

import argparse
import bz2
import json
import os
import pathlib
import resource
import shutil
import subprocess
import time

from common import ROOT, SHARED


def make_dump(path, size):
    """Pages of the sample again and again. Titles, ids and one word of the text change, so that none is a copy."""
    xml = bz2.decompress((SHARED / "wiki" / "enwiki-pages-articles-sample.xml.bz2").read_bytes()).decode()
    head, rest = xml.split("<page>", 1)
    pages = rest.rsplit("</mediawiki>", 1)[0]
    with open(path, "w") as out:
        out.write(head)
        round_ = 0
        while out.tell() < size:
            out.write("<page>" + pages.replace("<title>", f"<title>{round_} ").replace("xml:space=\"preserve\">",
                      f"xml:space=\"preserve\">Copy {round_}. ").replace(". ", f" {round_}. "))
            round_ += 1
        out.write("</mediawiki>\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--ranks", type=int, nargs="+", default=[])
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/memory"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    dump = arguments.folder / "dump.xml"
    make_dump(dump, arguments.gigabytes * 1e9)
    runs = [(1, threads) for threads in arguments.threads] + [(ranks, 1) for ranks in arguments.ranks]
    for ranks, threads in runs:
        out = arguments.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = [str(ROOT / "build" / "nystrom"), "prepare", str(ROOT / "configs" / "quickstart.yaml"),
                   "--set", f"corpus=[{{kind: wikipedia, path: {dump}}}]", "--set", f"output.directory={out}",
                   "--set", "tokenizer.vocabulary_size=16000", "--set", f"run.threads={threads}"]
        if ranks > 1:
            command = ["mpirun", "-n", str(ranks), "--oversubscribe", *command]
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env={**os.environ, "OMP_NUM_THREADS": str(threads)})
        seconds = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(json.dumps({"gigabytes": dump.stat().st_size / 1e9, "ranks": ranks, "threads": threads,
                          "seconds": round(seconds, 1), "mb_per_second": round(dump.stat().st_size / 1e6 / seconds, 1),
                          "peak_mebibytes": round(max(peak, before) / 1024)}), flush=True)


main()
