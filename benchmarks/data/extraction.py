"""Wiki markup extraction benchmark: speed on one thread, leftover markup and words kept, ours against the peers.

    python3 benchmarks/data/extraction.py [--rounds 3] [--output results.json] [--show] [--quality]

Peers, in the virtual environment build/peers: WikiExtractor and mwparserfromhell. The input is the shared sample of
Wikipedia. `--show` prints the lines with words that WikiExtractor keeps and ours drops; `--quality` skips the timing.
"""

import bz2
import collections
import html
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from common import SHARED, arguments_of, in_peers_environment, median, ours, report

in_peers_environment(["wikiextractor==3.1.0", "mwparserfromhell"])

# WikiExtractor's patterns have inline flags in the middle, an error since Python 3.11. This moves them to the front.
WIKIEXTRACTOR = """
import re, runpy
compile_ = re.compile
re.compile = lambda p, f=0: compile_('(?i)' + p.replace('(?i)', '') if isinstance(p, str) and '(?i)' in p else p, f)
runpy.run_module('wikiextractor.WikiExtractor', run_name='__main__')
"""
MARKS = {"brackets": r"\[\[|\]\]", "braces": r"[{}]", "pipes": r"\|", "tags": r"</?[a-z]+[^<>]*>",
         "entities": r"&#?[a-z0-9]+;", "quotes": r"'''?", "headings": r"^=+|=+$", "magic words": r"__[A-Z]+__",
         "empty parentheses": r"\([\s,;:.]*\)", "urls in brackets": r"\[https?:"}
WORD = re.compile(r"\w+")


def left_over(texts):
    """Leftover markup in the texts, by kind and per 10,000 words."""
    text = "\n".join(texts.values())
    words = len(WORD.findall(text))
    found = {name: len(re.findall(pattern, text, re.MULTILINE | re.IGNORECASE)) for name, pattern in MARKS.items()}
    return {"articles": len(texts), "words": words, "marks_per_10000_words": round(1e4 * sum(found.values()) / words, 2),
            "marks": {name: count for name, count in found.items() if count}}


def our_texts(path):
    return {d["title"]: "\n".join(d["paragraphs"]) for d in map(json.loads, path.read_text().splitlines())}


def wikiextractor(dump):
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", WIKIEXTRACTOR, "--no-templates", "--processes", "1",
                           "-o", "-", "--json", dump], capture_output=True, check=True)
    seconds = time.perf_counter() - begin
    documents = [json.loads(line) for line in done.stdout.decode().splitlines() if line.startswith("{")]
    return seconds, {d["title"]: d["text"] for d in documents if d["text"].strip()}


def articles(xml):
    """Yields title and markup of each article that is not a redirect."""
    for page in re.findall(r"<page>.*?</page>", xml, re.DOTALL):
        if "<ns>0</ns>" in page and "<redirect" not in page:
            text = re.search(r"<text[^>]*>(.*?)</text>", page, re.DOTALL)
            if text:
                yield html.unescape(re.search(r"<title>(.*?)</title>", page).group(1)), html.unescape(text.group(1))


def mwparserfromhell(pages):
    import mwparserfromhell as peer

    start = time.process_time()
    texts = {title: peer.parse(page).strip_code() for title, page in pages}
    return time.process_time() - start, texts


def kept(mine, theirs, show):
    """Compares the articles that both have: words that each keeps, and words that only one of them keeps."""
    counts = collections.Counter()
    for title in mine.keys() & theirs.keys():
        ours_, peer = (collections.Counter(WORD.findall(texts[title])) for texts in (mine, theirs))
        counts.update(ours=ours_.total(), wikiextractor=peer.total(), only_ours=(ours_ - peer).total(),
                      only_wikiextractor=(peer - ours_).total())
        lacking = peer - ours_
        for line in theirs[title].splitlines() if show else []:
            missing = [word for word in WORD.findall(line) if lacking[word] > 0]
            lacking.subtract(missing)
            if len(missing) > 1:
                print(f"{title}: [{len(missing)}] {' '.join(missing)[:150]}\n    {line[:400]}")
    return dict(counts) | {"articles_only_ours": len(mine.keys() - theirs.keys()),
                           "articles_only_wikiextractor": len(theirs.keys() - mine.keys())}


def main():
    arguments = arguments_of(__doc__, show={"action": "store_true"}, quality={"action": "store_true"})
    xml = bz2.decompress((SHARED / "wiki" / "enwiki-pages-articles-sample.xml.bz2").read_bytes())
    pages = list(articles(xml.decode()))
    some = pages[: max(1, len(pages) // 8)]  # a fraction: mwparserfromhell is slow
    speeds = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        dump, out = pathlib.Path(name, "dump.xml"), pathlib.Path(name, "ours.jsonl")
        dump.write_bytes(xml)
        ours("extract", dump, out)
        for _ in range(1 if arguments.quality else arguments.rounds):
            times = ours("extract", dump)
            speeds["ours"].append(len(xml) / 1e6 / (times["read_seconds"] + times["extract_seconds"]))
            seconds, theirs = wikiextractor(dump)
            speeds["wikiextractor"].append(len(xml) / 1e6 / seconds)
            seconds, parsed = mwparserfromhell(some)
            speeds["mwparserfromhell"].append(sum(len(p.encode()) for _, p in some) / 1e6 / seconds)
        mine = our_texts(out)
    speed = {name: median(values) for name, values in speeds.items()}
    results = {"xml_bytes": len(xml), "left_over": {"ours": left_over(mine), "wikiextractor": left_over(theirs),
                                                    "mwparserfromhell": left_over(parsed)},
               "words_kept": kept(mine, theirs, arguments.show)}
    if not arguments.quality:
        results |= {"mb_per_second": speed,
                    "over": {name: round(speed["ours"] / value, 1) for name, value in speed.items() if name != "ours"},
                    "rounds": {name: [round(v, 2) for v in values] for name, values in speeds.items()}}
    report(results, arguments.output)


main()
