#!/usr/bin/env python3
"""Reads and renders the recipe beside it with rattler-build's library (pip install py-rattler-build): unknown keys, wrong
types and templates that do not evaluate are errors. Prints "skipped" where the library is not installed.
"""
import pathlib
import re

try:
    import rattler_build
except ImportError:
    raise SystemExit(print("skipped: py-rattler-build is not installed"))

FOLDER = pathlib.Path(__file__).resolve().parent


def main():
    recipe = rattler_build.Stage0Recipe.from_file(str(FOLDER / "recipe.yaml"))
    compilers = rattler_build.VariantConfig({"cxx_compiler": ["gxx"], "cxx_compiler_version": ["13"]})
    platform = rattler_build.PlatformConfig(target_platform="linux-64", build_platform="linux-64")
    rendered = recipe.render(compilers, rattler_build.RenderConfig(platform))
    assert len(rendered) == 1, rendered
    package = rendered[0].recipe.to_dict()
    project = re.search(r"project\(nystrom VERSION (\S+)", (FOLDER.parents[1] / "CMakeLists.txt").read_text())
    assert package["package"] == {"name": "nystrom", "version": project[1]}, package["package"]
    assert "gxx_linux-64 13.*" in package["requirements"]["build"], package["requirements"]
    print("the recipe is valid for rattler-build", rattler_build.rattler_build_version())


main()
