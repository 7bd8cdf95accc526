#!/usr/bin/env python3
"""benchmarks/gpu/cost_model.py: its arithmetic, the table of docs/performance-appendix.md, and, given a folder of compiled kernels, that
the stored counts are those of the code.

    tests/cuda/cost_model_test.py [FOLDER]
"""
import collections
import copy
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks/gpu")]
import compiled  # noqa: E402
import cost_model as model  # noqa: E402
import sass  # noqa: E402

# A loop of two instructions in one of five, a branch that jumps over two of these, code at the end that only a diverged warp
# reaches, and an instruction that is none of its own class.
CODE = """\
.text._Zk:
        /*0000*/                   S2R R0, SR_TID.X ;
.L_x_1:
        /*0010*/                   LDS.128 R4, [R0] ;
.L_x_0:
        /*0020*/                   HMMA.16816.F32.BF16 R4, R8, R12, R4 ;
        /*0030*/              @!P0 BRA `(.L_x_0) ;
        /*0040*/               @P2 BRA `(.L_x_4) ;
        /*0050*/                   FFMA R1, R2, R3, R1 ;
        /*0060*/                   BRA.DIV UR4, `(.L_x_3) ;
.L_x_4:
        /*0070*/               @P1 BRA `(.L_x_1) ;
        /*0080*/                   EXIT ;
.L_x_3:
        /*0090*/                   SHFL.BFLY P6, R1, R2, R3, R4 ;
        /*00a0*/                   BRA `(.L_x_4) ;
.L_x_2:
        /*00b0*/                   BRA `(.L_x_2);
        /*00c0*/                   NOP;
"""


def near(a, b, relative=1e-3):
    return abs(a - b) <= relative * abs(b)


def test_of_loops():
    tree = sass.functions_of(CODE)["_Zk"]
    assert tree.counts == collections.Counter(other=1, branch=1) and len(tree.inner) == 1, sass.outline(tree)
    outer = tree.inner[0]
    assert outer.counts == collections.Counter(shared=1, fma=1, branch=3), sass.outline(tree)
    assert outer.jumps() == [(0x40, 0x70, 2)], sass.outline(tree)
    assert outer.inner[0].counts == collections.Counter(mma=1, branch=1), sass.outline(tree)
    depths, counts = zip(*model.flatten(tree))
    counted = model.Counted(40, list(depths), list(counts))
    assert model.parse(model.text_of({"k<1>": counted})) == {"k<1>": counted}
    of = model.executed(counted, [3, 5], {})
    assert of["mma"] == 15 and of["shared"] == 3 and of["branch"] == 1 + 9 + 15 and of.total() == 2 + 15 + 30, of
    of = model.executed(counted, [3, 5], {1: 2, 2: (1.5, 0.5)})
    assert of["mma"] == 7.5 and of.total() == 2 + 3 * (5 - 2) + 15 * (2 - 1.5), of
    try:
        model.executed(counted, [3], {})
        raise AssertionError("turns for fewer loops than there are were taken")
    except ValueError:
        pass
    return counted


def test_of_arithmetic():
    """The line that docs/performance-appendix.md works out: 3,620 instructions and 464 HMMA a warp for each 64 rows."""
    loop = collections.Counter(other=3156, mma=464)
    counted = model.Counted(255, [0, 1], [collections.Counter(), loop])
    kernel = model.Kernel("k", "k", 128, 78 * 1024, lambda s: s.items, lambda s: [s.n / 64], lambda s: 8600)
    time = model.time_of(kernel, counted, model.Shape(512))
    assert near(time.issue, 35.3, 0.01) and near(time.mma, 29.0, 0.01) and near(time.memory, 24.0, 0.01), time
    assert time.warps == 8 and time.limit == "registers" and near(time.expected, 70.5, 0.02), time


def test_of_jumps():
    """No turn jumps over more than its loop has."""
    counted = model.parse(model.COUNTS.read_text())
    for kernel in model.KERNELS:
        for loop, jumped in kernel.jumps.items():
            own, (instructions, mma) = counted[kernel.name].counts[loop], jumped if isinstance(jumped, tuple) else (jumped, 0)
            assert 0 < instructions < own.total() and 0 <= mma <= own["mma"], f"{kernel.name}, loop {loop}: {own} and {jumped}"


def test_of_planted_faults(counted):
    stored = {"k<1>": counted}
    assert model.faults_of(stored, stored) == []
    slower = copy.deepcopy(stored)
    slower["k<1>"].counts[1]["special"] += 3
    assert "3 instructions of class special, 0 are stored" in model.faults_of(stored, slower)[0]
    other = copy.deepcopy(stored)
    other["k<1>"].depths[-1] = 1
    assert "The loops of k<1>" in model.faults_of(stored, other)[0]


def test_of_the_document():
    counted = model.parse(model.COUNTS.read_text())
    document = model.DOCUMENT.read_text()
    assert model.with_table(document, model.table(counted)) == document, \
        "the table of docs/performance-appendix.md is not that of benchmarks/gpu/cost_model.py"
    changed = copy.deepcopy(counted)
    changed[model.KERNELS[0].name].counts[-1]["other"] += 1000
    assert model.with_table(document, model.table(changed)) != document


def main():
    counted = test_of_loops()
    test_of_arithmetic()
    test_of_jumps()
    test_of_planted_faults(counted)
    test_of_the_document()
    if len(sys.argv) == 1:
        return 0
    nvdisasm = compiled.disassembler()
    if nvdisasm is None:
        print("cost model: the counts are not compared with the code, there is no nvdisasm")
        return 77
    found = model.counted_in(sys.argv[1], nvdisasm, model.kernels_by_name())
    faults = model.faults_of(model.parse(model.COUNTS.read_text()), found)
    faults += [f"{name} was not compiled" for name in model.kernels_by_name() if name not in found]
    print("\n".join(faults))
    print(f"cost model: {len(found)} kernels, {len(faults)} faults"
          + ("; after a change that is meant: see whether turns and jumps in benchmarks/gpu/cost_model.py still hold, then "
             "benchmarks/gpu/cost_model.py --renew build-cuda-kernels" if faults else ""))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
