#!/usr/bin/env python3
"""What nvcc makes of kernels, without a GPU and without a disassembler: the PTX of each kernel of the base
model (bf16, heads of 64) uses tensor cores and ldmatrix where it should, and none keeps an array in local memory, which
is what an array indexed at run time becomes. Spills are the assembler's, and not seen here.

    tests/cuda/ptx_test.py [FILE.cu ...]        all by default
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "kernels/cuda"
# Kernels of the base model, and what they must contain.
TENSOR_CORES = ("mma.sync.aligned.m16n8k16", "ldmatrix.sync.aligned.m8n8.x4")
EXPECTED = {
    "attention/forward.cu": {"attend_keys_kernel": TENSOR_CORES, "attend_rows_kernel": TENSOR_CORES},
    "attention/query_gradient.cu": {"landmark_rows_gradient_kernel": TENSOR_CORES, "exact_rows_gradient_kernel": TENSOR_CORES},
    "attention/key_gradient.cu": {"landmark_keys_gradient_kernel": TENSOR_CORES, "exact_keys_gradient_kernel": TENSOR_CORES},
    "attention/conv_gradient.cu": {"filter_gradient_kernel": TENSOR_CORES},
    "attention/nystrom_forward.cu": {"middle_kernel": ("fma.rn.f32",)},
    "column_sums.cu": {"add_partials_kernel": ()},
    "attention/nystrom_backward.cu": {"pinv_gradient_kernel": ("fma.rn.f32",)},
}
BASE = re.compile(r"BF16ELi64E")  # of a mangled name


def kernels_of(ptx):
    """{mangled name: body} of the kernels."""
    parts = re.split(r"^\.(?:visible |weak )?\.?entry (\w+)\(", ptx, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def faults_of(kernels, expected):
    """What is wrong, in sentences."""
    faults = []
    for name, body in kernels.items():
        if re.search(r"^\s*\.local\b", body, re.MULTILINE):
            faults.append(f"{name} keeps an array in local memory")
    for kernel, instructions in expected.items():
        found = {name: body for name, body in kernels.items() if kernel in name}
        if not found:
            faults.append(f"there is no {kernel}")
        base = {name: body for name, body in found.items() if BASE.search(name)} or found
        for name, body in base.items():
            faults += [f"{name} has no {word}" for word in instructions if word not in body]
    return faults


def ptx_of(nvcc, file):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.ptx"
        subprocess.run([nvcc, "-std=c++20", "--expt-relaxed-constexpr", "-DFMT_USE_CONSTEXPR=1", "-DNYSTROM_WITH_CUDA",
                        "-arch=compute_90a", "-ptx", f"-I{ROOT}", str(FOLDER / file), "-o", str(out)], check=True,
                       timeout=3000)
        return out.read_text()


def test_of_the_test():
    """Planted faults are found."""
    good = (".visible .entry _Zattend_keys_kernelIN4BF16ELi64EEv(\n{\n\tmma.sync.aligned.m16n8k16.row\n"
            "\tldmatrix.sync.aligned.m8n8.x4.shared\n}\n")
    expected = {"attend_keys_kernel": TENSOR_CORES}
    assert faults_of(kernels_of(good), expected) == []
    assert "has no ldmatrix" in faults_of(kernels_of(good.replace("ldmatrix", "ld.shared")), expected)[0]
    assert "local memory" in faults_of(kernels_of(good.replace("{\n", "{\n\t.local .align 4 .b8 \t__local[56];\n")),
                                       expected)[0]
    assert "there is no" in faults_of(kernels_of(good.replace("attend_keys", "other")), expected)[0]


def main():
    test_of_the_test()
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    if nvcc is None:
        print("skipped: there is no nvcc")
        return 77
    faults = []
    for file in sys.argv[1:] or EXPECTED:
        kernels = kernels_of(ptx_of(nvcc, file))
        found = faults_of(kernels, EXPECTED[file])
        print(f"{file}: {len(kernels)} kernels, {len(found)} faults", flush=True)
        faults += found
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
