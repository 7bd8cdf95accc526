#!/usr/bin/env python3
"""What nvcc makes of kernels, without a GPU and without a disassembler: the PTX of each kernel of the base model (bf16, heads
of 64) uses tensor cores (by mma.sync or wgmma), ldmatrix and cp.async where it should, and none of them keeps an array in local
memory, which is what an array indexed at run time becomes. Spills are the assembler's, and so is what it leaves in local memory
elsewhere: resources_test.py.

    tests/cuda/ptx_test.py FOLDER      check what keep_by_nvcc.sh kept below FOLDER
    tests/cuda/ptx_test.py             only whether planted faults are found
"""
import re
import sys

import compiled

# Kernels of the base model, and what they must contain.
TENSOR_CORES = ("mma.sync.aligned.m16n8k16", "ldmatrix.sync.aligned.m8n8.x4")
PASS = (*TENSOR_CORES, "cp.async.cg.shared.global")
SPLIT_PRODUCTS = ("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", "ldmatrix.sync.aligned.m8n8.x4")
BY_GROUP = ("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16", "wgmma.fence.sync.aligned", "wgmma.commit_group",
            "wgmma.wait_group.sync.aligned 0", "fence.proxy.async", "cp.async.cg.shared.global")
SPLIT_BY_GROUP = (BY_GROUP[0].replace("bf16", "f16"), *BY_GROUP[1:-1])
EXPECTED = {
    "attend_keys_kernel": PASS,
    "attend_rows_kernel": PASS,
    "landmark_rows_gradient_kernel": PASS,
    "landmark_keys_gradient_kernel": PASS,
    "exact_rows_gradient_kernel": PASS,
    "exact_keys_gradient_kernel": PASS,
    "filter_gradient_kernel": PASS,
    "large_middle_kernel": SPLIT_PRODUCTS,
    "large_pinv_gradient_kernel": SPLIT_PRODUCTS,
    "small_middle_kernelILb1ENS0_6ByWarpE": SPLIT_PRODUCTS,
    "small_pinv_gradient_kernelILb1ENS0_6ByWarpE": SPLIT_PRODUCTS,
    "attend_rows_by_group_kernel": BY_GROUP,
    "rows_gradient_by_group_kernel": BY_GROUP,
    "keys_gradient_by_group_kernel": BY_GROUP,
    "small_middle_kernelILb1ENS0_7ByGroupE": SPLIT_BY_GROUP,
    "small_pinv_gradient_kernelILb1ENS0_7ByGroupE": SPLIT_BY_GROUP,
}
BASE = re.compile(r"BF16ELi64E")  # of a mangled name


def faults_of(kernels, expected):
    """What is wrong, in sentences."""
    faults = []
    for kernel, instructions in expected.items():
        found = {name: body for name, body in kernels.items() if kernel in name}
        if not found:
            faults.append(f"there is no {kernel}")
        faults += [f"{name} keeps an array in local memory" for name, body in found.items()
                   if re.search(r"^\s*\.local\b", body, re.MULTILINE)]
        base = {name: body for name, body in found.items() if BASE.search(name)} or found
        for name, body in base.items():
            faults += [f"{name} has no {word}" for word in instructions if word not in body]
    return faults


def test_of_the_test():
    """Planted faults are found."""
    good = (".visible .entry _Zattend_keys_kernelIN4BF16ELi64EEv(\n{\n\tmma.sync.aligned.m16n8k16.row\n"
            "\tldmatrix.sync.aligned.m8n8.x4.shared\n}\n")
    expected = {"attend_keys_kernel": TENSOR_CORES}
    kernels_of = compiled.ptx_kernels
    assert faults_of(kernels_of(good), expected) == []
    assert "has no ldmatrix" in faults_of(kernels_of(good.replace("ldmatrix", "ld.shared")), expected)[0]
    assert "local memory" in faults_of(kernels_of(good.replace("{\n", "{\n\t.local .align 4 .b8 \t__local[56];\n")),
                                       expected)[0]
    assert "there is no" in faults_of(kernels_of(good.replace("attend_keys", "other")), expected)[0]


def main():
    test_of_the_test()
    if len(sys.argv) == 1:
        return 0
    kernels = compiled.all_ptx(sys.argv[1])
    faults = faults_of(kernels, EXPECTED)
    print("\n".join(faults))
    print(f"PTX: {len(kernels)} kernels, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
