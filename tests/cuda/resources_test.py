#!/usr/bin/env python3
"""Registers, spills, shared memory and occupancy of every kernel, against resources.txt.

    tests/cuda/resources_test.py FOLDER            check what keep_by_nvcc.sh kept below FOLDER
    tests/cuda/resources_test.py FOLDER --renew    write resources.txt
    tests/cuda/resources_test.py                   only whether planted faults are found

.ci/run compiles the kernels into build-cuda-kernels. Kernels of the base model may not spill, but for those that the table
lists with spills; no kernel may spill more than there. With another compiler than the table's only that is checked.
"""
import pathlib
import re
import sys

import compiled

TABLE = pathlib.Path(__file__).with_name("resources.txt")
RENEW = "tests/cuda/resources_test.py build-cuda-kernels --renew"
HEAD = """\
# What the assembler makes of each kernel for sm_90a. Renewed by `%s`
# after `.ci/run`, or after a build with the launcher tests/cuda/keep_by_nvcc.sh; checked by resources_test.py.
# Columns: registers, stack, bytes of spill stores, of spill loads, static shared memory, most threads of a block (0: not
# said), warps of a multiprocessor by registers alone (with 256 threads where not said), name.
compiler %s
""" % (RENEW, "%s")


def row(name, r):
    threads = r.threads or 256
    warps = compiled.Occupancy.of(r.registers, threads, r.shared).blocks * -(-threads // compiled.WARP)
    return (f"{r.registers:4}{r.stack:6}{r.spill_stores:6}{r.spill_loads:6}{r.shared:7}{r.threads:6}{warps:4}  {name}")


def text_of(resources, compiler):
    return HEAD % compiler + "".join(row(name, resources[name]) + "\n" for name in sorted(resources))


def parse(text):
    """(compiler, {name: row})"""
    rows = {}
    compiler = ""
    for line in text.splitlines():
        if line.startswith("compiler "):
            compiler = line.removeprefix("compiler ")
        elif line and not line.startswith("#"):
            rows[re.split(r"\s+", line.strip(), maxsplit=7)[7]] = line
    return compiler, rows


def spills(line):
    _, stack, stores, loads = line.split()[:4]
    return int(stack), int(stores), int(loads)


def faults_of(stored, text):
    """What of `text` is not as in `stored`, in sentences."""
    (compiler, expected), (found_compiler, found) = parse(stored), parse(text)
    same = compiler == found_compiler
    faults = []
    for name, line in found.items():
        before = expected.get(name)
        most = spills(before) if before else (0, 0, 0)
        if any(now > then for now, then in zip(spills(line), most)):
            faults.append(f"{name} has a stack of {spills(line)[0]} bytes and spills {spills(line)[1]}; "
                          f"{most[0]} and {most[1]} are allowed")
        elif same and line != before:
            faults.append(f"{name} is not as in {TABLE.name}:\n  now    {line}\n  before {before}")
    if same:
        faults += [f"{name} of {TABLE.name} is not there" for name in expected if name not in found]
    return faults


def test_of_the_test():
    """Planted faults are found."""
    report = """\
ptxas info    : Compiling entry function '_ZN7nystrom1aIfLi64EEEvT_' for 'sm_90a'
ptxas info    : Function properties for _ZN7nystrom1aIfLi64EEEvT_
    {} bytes stack frame, {} bytes spill stores, 8 bytes spill loads
ptxas info    : Used {} registers, used 1 barriers, 4096 bytes smem
"""
    ptx = ".visible .entry _ZN7nystrom1aIfLi64EEEvT_(\n\t.param .f32 a\n)\n.maxntid 128, 1, 1\n{\n}\n"

    def table(stack, stores, registers, compiler="1"):
        resources = compiled.resources_of(report.format(stack, stores, registers), ptx)
        names = compiled.short_names(resources)
        return text_of({names[name]: r for name, r in resources.items()}, compiler)

    stored = table(16, 8, 168)
    assert parse(stored)[1] == {"a<float, 64>": " 168    16     8     8   4096   128  12  a<float, 64>"}, parse(stored)
    assert faults_of(stored, stored) == []
    assert "is not as in" in faults_of(stored, table(16, 8, 166))[0]
    assert faults_of(stored, table(16, 8, 166, "2")) == []
    assert "16 and 8 are allowed" in faults_of(stored, table(16, 12, 168, "2"))[0]
    assert "16 and 8 are allowed" in faults_of(stored, table(24, 8, 168))[0]
    assert "0 and 0 are allowed" in faults_of(HEAD % "1", stored)[0]
    assert "is not there" in faults_of(stored, HEAD % "1")[0]
    # The figures of NVIDIA's occupancy calculator for 9.0.
    for registers, threads, shared, blocks, limit in ((255, 128, 0, 2, "registers"), (128, 128, 51_712, 4, "registers"),
                                                      (24, 512, 0, 4, "warps"), (40, 128, 100_000, 2, "shared memory")):
        occupancy = compiled.Occupancy.of(registers, threads, shared)
        assert (occupancy.blocks, occupancy.limit) == (blocks, limit), (registers, occupancy)
    assert compiled.short_name("void nystrom::cuda::(anonymous namespace)::k<nystrom::BF16, 64, (bool)0>(int)") == \
        "k<BF16, 64, 0>"


def compiler_of(folder):
    cache = pathlib.Path(folder, "CMakeFiles")
    for file in sorted(cache.rglob("CMakeCUDACompiler.cmake")):
        version = re.search(r'CMAKE_CUDA_COMPILER_VERSION "([\d.]+)"', file.read_text())
        if version:
            return "nvcc " + version[1]
    return "unknown"


def main():
    test_of_the_test()
    if len(sys.argv) == 1:
        return 0
    folder = sys.argv[1]
    resources = compiled.all_resources(folder)
    if not resources:
        print(f"There are no kernels below {folder}: build with the launcher tests/cuda/keep_by_nvcc.sh.")
        return 1
    text = text_of(resources, compiler_of(folder))
    if "--renew" in sys.argv:
        TABLE.write_text(text)
        return 0
    faults = faults_of(TABLE.read_text(), text)
    print("\n".join(faults))
    print(f"resources: {len(resources)} kernels, {len(faults)} faults"
          + (f"; after a change that is meant: {RENEW}" if faults else ""))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
