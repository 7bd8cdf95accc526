#!/usr/bin/env python3
"""Draws the first sections of a page of `nystrom report` or `nystrom inspect --attention` as an SVG picture, as a browser
shows it.

usage: docs/pictures/page.py PAGE.html PICTURE.svg [--title TITLE] [--without HEADING] [--sections N] [--figures N]
                             [--width 1200] [--height 850]

The picture contains the page's own markup and style (SVG's foreignObject), so it is sharp at any size, and light or dark as the
reader's browser is. Left out are what a click would show, the section of the named heading, and what follows the first N
sections with a heading and the first N figures of each.
"""
import argparse
import html.parser
import pathlib
import xml.etree.ElementTree as ET

VOID = {"br", "img", "input", "link", "meta"}
CASES = {name.lower(): name for name in ("viewBox", "preserveAspectRatio")}  # HTML's parser lowers them
NAMESPACES = {"svg": "http://www.w3.org/2000/svg", "body": "http://www.w3.org/1999/xhtml"}


class Parser(html.parser.HTMLParser):
    """Builds the tree of a page that closes its elements."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.builder = ET.TreeBuilder()

    def handle_starttag(self, tag, attributes):
        named = {CASES.get(name, name): name if value is None else value for name, value in attributes}
        if tag in NAMESPACES:
            named["xmlns"] = NAMESPACES[tag]
        self.builder.start(tag, named)
        if tag in VOID:
            self.builder.end(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.builder.end(tag)

    def handle_data(self, data):
        self.builder.data(data)


def keep_first(parent, children, count):
    for child in children[count:] if count else []:
        parent.remove(child)


def cut_sections(parent, count, without):
    """Sections begin at an <h2> among the children, or are elements with one. Keeps `count` of those not named `without`."""
    seen, removes = 0, False
    for child in list(parent):
        heading = child if child.tag == "h2" else child.find("h2")
        if heading is not None:
            is_named = heading.text == without
            seen += not is_named
            removes = is_named or (count is not None and seen > count)
        if removes:
            parent.remove(child)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--title", help="instead of the page's")
    parser.add_argument("--without", metavar="HEADING", help="leave out this section")
    parser.add_argument("--sections", type=int, help="with a heading; by default all")
    parser.add_argument("--figures", type=int, default=0, help="of a section; by default all")
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=850)
    args = parser.parse_args()

    page = Parser()
    page.feed(args.page.read_text(encoding="utf-8").replace("<!DOCTYPE html>", ""))
    root = page.builder.close()
    body = root.find("body")
    content = body.find("main")
    cut_sections(content, args.sections, args.without)
    for views in list(content.iter()):
        if views.get("class") == "views":
            keep_first(views, list(views), 1)
        if views.get("class") == "figures":
            keep_first(views, views.findall("figure"), args.figures)
    if args.title:
        content.find("h1").text = args.title
    for place in content.findall("p[@class='place']"):
        content.remove(place)
    for style in root.find("head").findall("style"):
        body.insert(0, style)

    picture = ET.Element("svg", xmlns=NAMESPACES["svg"], viewBox=f"0 0 {args.width} {args.height}", width=str(args.width),
                         height=str(args.height))
    ET.SubElement(picture, "foreignObject", width="100%", height="100%").append(body)
    args.picture.write_text(ET.tostring(picture, encoding="unicode") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
