#!/usr/bin/env python3
"""No two files define a class of one name in one namespace: the linker keeps one of each of their functions, whose
caller may then destroy or copy an object of the other kind. (Anonymous namespaces are each file's own; the main
programs and tests of tests/ count beside the libraries that they are linked with.)

    tests/system/class_names_test.py [ROOT]
"""
import collections
import pathlib
import re
import sys

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'
    |(?:inline\s+)?namespace\b\s*(?P<space>[\w:]*)\s*\{
    |\b(?:struct|class)\s+(?:alignas\([^)]*\)\s+)?(?P<name>\w+(?:::\w+)*)(?:\s+final)?\s*(?::[^;{()]*)?\{
    |\{|\}""", re.S | re.X)


def classes_in(text):
    """Qualified names of the classes defined in namespaces that have names."""
    open_braces, found = [], []  # of each open brace the namespace's name, "" for an anonymous one; None for any other
    for token in TOKEN.finditer(text):
        said = token.group(0)
        if token.group("space") is not None:
            open_braces.append(token.group("space"))
        elif token.group("name"):
            if all(open_braces):
                found.append("::".join([*open_braces, token.group("name")]))
            open_braces.append(None)
        elif said == "{":
            open_braces.append(None)
        elif said == "}" and open_braces:
            open_braces.pop()
    return found


def clashes(files):
    """{name: paths} of classes that several of the files {path: text} define."""
    where = collections.defaultdict(set)
    for path, text in files.items():
        for name in classes_in(text):
            where[name].add(path)
    return {name: sorted(paths) for name, paths in where.items() if len(paths) > 1}


def test_of_planted_clashes():
    a = "namespace n {\n// struct C {\nclass A final : public B<int> {\n struct C {};\n};\nstruct D; }"
    assert classes_in(a) == ["n::A"], classes_in(a)
    assert clashes({"a": a, "b": "namespace n { struct A { int x; }; }"}) == {"n::A": ["a", "b"]}
    assert clashes({"a": a, "b": "namespace n { namespace { struct A { int x; }; } struct C {}; }"}) == {}
    assert clashes({"a": a, "b": 'namespace m { struct A { const char* x = "}}"; }; }'}) == {}


def main():
    test_of_planted_clashes()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    folders = ("kernels", "model", "data", "trainer", "launch", "tests")
    files = {str(path.relative_to(root)): path.read_text() for folder in folders
             for path in sorted((root / folder).rglob("*")) if path.suffix in (".h", ".cpp", ".cu")}
    found = clashes(files)
    for name, paths in found.items():
        print(f"{name} is defined in {' and in '.join(paths)}")
    print(f"{len(files)} files, {len(found)} names that clash")
    return 1 if found or len(files) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
