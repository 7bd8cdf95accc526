#!/usr/bin/env python3
"""Expected times of attention's kernels on an H200, from their machine code: computed, not measured.

    benchmarks/gpu/cost_model.py                       the table of docs/performance.md, from kernel_counts.txt
    benchmarks/gpu/cost_model.py --outline FOLDER      the loops of compiled kernels, for whoever gives them their turns
    benchmarks/gpu/cost_model.py --renew FOLDER        writes kernel_counts.txt and the table; needs nvdisasm

FOLDER is where the kernels were compiled with the launcher tests/cuda/keep_by_nvcc.sh: build-cuda-kernels of .ci/run. Of each
kernel kernel_counts.txt has the instructions by class and loop, and this file has how often a warp goes through each loop
(`turns`), the grid, and the bytes that must cross memory. Of the instructions of a loop not all are carried out: rests of
unrolled loops and rows beyond the end are skipped. Counting by hand gave about 0.83 of them, for all kernels alike.
"""
import collections
import dataclasses
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/cuda")]
import compiled  # noqa: E402
import sass  # noqa: E402

COUNTS = pathlib.Path(__file__).with_name("kernel_counts.txt")
DOCUMENT = ROOT / "docs/performance.md"
BEGIN, END = "<!-- cost_model.py -->", "<!-- end of cost_model.py -->"

# An H200: multiprocessors, schedulers in each, clock at full load, bytes a second of a copy. HMMA.16816 takes a
# multiprocessor 1.6 clocks, at 62 % of the rate of wgmma.
SMS, SCHEDULERS, CLOCK, BANDWIDTH, HMMA_CLOCKS = 132, 4, 1.75e9, 4.3e12, 1.6
EXECUTED = 0.83
# The share of issue slots that is reached, by warps of a multiprocessor; of fp32 multiply-adds, whose warps wait little.
ISSUE_BY_WARPS = ((8, 0.50), (12, 0.57), (16, 0.60), (32, 0.70), (64, 0.80))
ISSUE_OF_FMA = 0.85
MEMORY_SHARE = 0.8

# The base model and the batch.
TOKENS, LAYERS, HEADS, WIDTH, LANDMARKS, TAPS = 65536, 12, 12, 64, 64, 65
CHANNELS = HEADS * WIDTH


@dataclasses.dataclass
class Shape:
    """65,536 tokens in sequences of n."""
    n: int

    @property
    def items(self):
        return TOKENS // self.n * HEADS

    @property
    def chunks(self):
        return -(-self.n // 512)

    @property
    def tiles_of_chunk(self):
        return min(self.n, 512) / 64


@dataclasses.dataclass
class Kernel:
    title: str
    name: str
    threads: int
    shared: int        # dynamic, bytes of a block
    blocks: object     # by shape
    turns: object      # by shape: of each loop, in the order of kernel_counts.txt, at each entry of the loop around it;
                       # or PRODUCTS, and turns_of_products says them
    bytes: object      # by shape: a token and layer


ACTIVATION, STATS = 2 * CHANNELS, 8 * HEADS  # bytes a token
# Two pieces of 64 rows make the convolution of 64; of their eight steps of 16 rows a warp's band has five.
BAND_PIECES = 2 * 5 / 8


def squares(shape, of_heads, of_chunks=0):
    """Bytes a token of so many fp32 [64, 64] of each head and of each chunk of a head."""
    square = 4 * LANDMARKS * WIDTH * HEADS
    return square * (of_heads + of_chunks * shape.chunks) / shape.n


PRODUCTS, ITERATIONS = "products", 6


def turns_of_products(counted):
    """Of loops that make products of 64 x 64 matrices: a loop of 256 multiply-adds has 8 turns, one of mma is taken once, one
    around at least four products is that of the iterations, and what is unrolled by four walks over the elements of a matrix. The rest is
    taken once."""
    depths, turns = counted.depths, []

    def inner(i):
        end = next((j for j in range(i + 1, len(depths)) if depths[j] <= depths[i]), len(depths))
        return range(i + 1, end)

    def products(i):
        return any(counted.counts[j]["fma"] == 256 or counted.counts[j]["mma"] >= 16 for j in (i, *inner(i)))

    for i in range(1, len(depths)):
        counts, below = counted.counts[i], inner(i)
        around = sum(products(j) for j in below if depths[j] == depths[i] + 1)
        if counts["fma"] == 256:
            turns.append(8)
        elif around >= 4:
            turns.append(ITERATIONS)
        elif not below and max(counts["shared"], counts["global"]) == 4:
            turns.append(8)
        else:
            turns.append(1)
    return turns


KERNELS = [
    Kernel("landmarks: segment means", "landmarks_kernel<BF16>", 256, 8 * 1024,
           blocks=lambda s: TOKENS // s.n * LANDMARKS * 6,
           turns=lambda s: [(s.n / 512) % 4, s.n // 2048],
           bytes=lambda s: 2 * ACTIVATION + squares(s, 2)),
    Kernel("keys, forward: softmax(q̃ kᵀ) v", "attend_keys_kernel<BF16, 64>", 128, 36 * 1024,
           blocks=lambda s: s.items * s.chunks,
           turns=lambda s: [0, 2, s.tiles_of_chunk, 1, 1],
           bytes=lambda s: 2 * ACTIVATION + squares(s, 0, 2)),
    Kernel("middle, forward: A, Z, W", "middle_kernel<true>", 128, 66 * 1024,
           blocks=lambda s: s.items, turns=PRODUCTS, bytes=lambda s: squares(s, 6, 1)),
    Kernel("rows, forward: softmax(q k̃ᵀ) W + conv(v)", "attend_rows_kernel<BF16, 64, false>", 128, 51_712,
           blocks=lambda s: s.items * s.n // 256,
           turns=lambda s: [2.5, 4, 1, 1, 0.5, 0.5, BAND_PIECES, 1, 1],
           bytes=lambda s: 3 * ACTIVATION + STATS),
    Kernel("begin, backward: W", "begin_kernel", 128, 34 * 1024,
           blocks=lambda s: s.items, turns=PRODUCTS, bytes=lambda s: squares(s, 3)),
    Kernel("rows, backward", "landmark_rows_gradient_kernel<BF16, 64>", 128, 72 * 1024,
           blocks=lambda s: s.items * s.chunks,
           turns=lambda s: [s.tiles_of_chunk, 1, 1, *2 * [2 / s.tiles_of_chunk], 0, 0, 0, 1, 0, 0, 1],
           bytes=lambda s: 3 * ACTIVATION + STATS + squares(s, 0, 2)),
    Kernel("matrices, backward: A", "matrices_kernel<true>", 128, 50 * 1024,
           blocks=lambda s: s.items, turns=PRODUCTS, bytes=lambda s: squares(s, 3)),
    Kernel("pseudo-inverse, backward", "pinv_gradient_kernel<true>", 128, 98 * 1024,
           blocks=lambda s: s.items, turns=PRODUCTS, bytes=lambda s: squares(s, 6, 1)),
    Kernel("keys, backward", "landmark_keys_gradient_kernel<BF16, 64>", 128, 80_128,
           blocks=lambda s: s.items * s.chunks,
           turns=lambda s: [2.5, s.tiles_of_chunk, 1, 1, 1, *2 * [2 / s.tiles_of_chunk], BAND_PIECES, 1, 1, 1],
           bytes=lambda s: 5 * ACTIVATION + squares(s, 0, 1)),
    Kernel("queries, backward: + d_q̃ / ℓ", "add_to_queries_kernel<BF16>", 128, 0,
           blocks=lambda s: TOKENS // 16,
           turns=lambda s: [16 * CHANNELS / 8 / 128],
           bytes=lambda s: 2 * ACTIVATION + squares(s, 1)),
    Kernel("filter of the convolution, backward", "filter_gradient_kernel<BF16, 64>", 128, 27 * 1024,
           blocks=lambda s: s.items * s.chunks,
           turns=lambda s: [s.tiles_of_chunk, 1, 1, 1],
           bytes=lambda s: 2 * ACTIVATION),
]


def kernels_by_name():
    return {kernel.name: kernel for kernel in KERNELS}


# ---- counts -------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Counted:
    """A kernel's loops in the order of the code, the first the whole of it; and what limits its blocks."""
    registers: int
    depths: list
    counts: list  # of collections.Counter


def flatten(loop, depth=0):
    yield depth, loop.counts
    for inner in loop.inner:
        yield from flatten(inner, depth + 1)


def text_of(counted):
    lines = ["# Instructions of kernels for sm_90a, by class and loop: what stands in no inner loop. Renewed by",
             "# `benchmarks/gpu/cost_model.py --renew build-cuda-kernels` after `.ci/run`; read by cost_model.py."]
    for name in sorted(counted):
        lines.append(f"{name}: {counted[name].registers} registers")
        for depth, counts in zip(counted[name].depths, counted[name].counts):
            lines.append("  " * (depth + 1) + " ".join(f"{kind} {n}" for kind, n in sorted(counts.items()) if n))
    return "\n".join(lines) + "\n"


def parse(text):
    counted = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            name, registers = line.rsplit(": ", 1)
            last = counted[name] = Counted(int(registers.split()[0]), [], [])
            continue
        words = line.split()
        last.depths.append((len(line) - len(line.lstrip())) // 2 - 1)
        last.counts.append(collections.Counter(dict(zip(words[::2], map(int, words[1::2])))))
    return counted


def counted_in(folder, nvdisasm, names):
    """{name: Counted} of the kernels `names` that were compiled below `folder`."""
    resources, found = compiled.all_resources(folder), {}
    for path in compiled.kept(folder, ".cubin").values():
        if not any(name in names for name in compiled.short_names(compiled.cubin_kernels(path)).values()):
            continue
        functions = sass.functions_of(sass.disassembled(nvdisasm, path))
        plain = compiled.short_names(functions)
        for mangled, tree in functions.items():
            if plain[mangled] in names:
                depths, counts = zip(*flatten(tree))
                found[plain[mangled]] = Counted(resources[plain[mangled]].registers, list(depths), list(counts))
    return found


def faults_of(stored, found, most=0.03):
    """Where a kernel's counts are no longer those that are stored, in sentences."""
    faults = []
    for name, now in found.items():
        before = stored.get(name)
        if before is None or before.depths != now.depths:
            faults.append(f"The loops of {name} are not those of {COUNTS.name}: give it new turns in cost_model.py (--outline).")
            continue
        for i, (a, b) in enumerate(zip(before.counts, now.counts)):
            for kind in ("mma", "fma", "special", "shared", "global", "local", "barrier"):
                if abs(a[kind] - b[kind]) > most * max(a[kind], 33):
                    faults.append(f"{name}, loop {i}: {b[kind]} instructions of class {kind}, {a[kind]} are stored")
            if abs(a.total() - b.total()) > most * max(a.total(), 33):
                faults.append(f"{name}, loop {i}: {b.total()} instructions, {a.total()} are stored")
    return faults


# ---- times --------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Time:
    """ns a token, all layers."""
    issue: float
    mma: float
    memory: float
    expected: float
    warps: int     # of a multiprocessor
    limit: str
    instructions: float  # of a warp


def executed(counted, turns):
    """Instructions of a warp by class; the loops' turns multiply."""
    total, stack = collections.Counter(), []
    for depth, counts, times in zip(counted.depths, counted.counts, (1, *turns), strict=True):
        stack[depth:] = [times * (stack[depth - 1] if depth else 1)]
        for kind, n in counts.items():
            total[kind] += n * stack[depth]
    return total


def issue_share(warps, of):
    if of["fma"] > 0.5 * of.total():
        return ISSUE_OF_FMA
    return next(share for most, share in ISSUE_BY_WARPS if warps <= most)


def time_of(kernel, counted, shape):
    of = executed(counted, turns_of_products(counted) if kernel.turns == PRODUCTS else kernel.turns(shape))
    occupancy = compiled.Occupancy.of(counted.registers, kernel.threads, kernel.shared)
    blocks = kernel.blocks(shape)
    warps_of_block = kernel.threads // compiled.WARP
    warps = min(occupancy.blocks, -(-blocks // SMS)) * warps_of_block
    a_token = LAYERS / TOKENS * 1e9
    # The last wave of blocks leaves multiprocessors idle, where there are few waves.
    waves = blocks / (SMS * min(occupancy.blocks, -(-blocks // SMS)))
    wave_loss = -(-waves // 1) / waves if waves < 4 else 1
    instructions = EXECUTED * (of.total() - of["mma"]) + of["mma"]
    issue = blocks * warps_of_block * instructions / (SMS * SCHEDULERS * CLOCK) * a_token
    mma = blocks * warps_of_block * of["mma"] * HMMA_CLOCKS / SMS / CLOCK * a_token
    memory = kernel.bytes(shape) * LAYERS / BANDWIDTH * 1e9
    expected = max(issue / issue_share(warps, of) * wave_loss, mma * wave_loss, memory / MEMORY_SHARE)
    return Time(issue, mma, memory, expected, warps, occupancy.limit, instructions)


def table(counted):
    shapes = (Shape(512), Shape(4096))
    lines = ["| kernel | registers | KiB a block | warps (limit) | instructions of a warp | n = 512: issue | mma | bytes "
             "| expected | n = 4096: expected |", "|---|---|---|---|---|---|---|---|---|---|"]
    sums = [0, 0]
    for kernel in KERNELS:
        short, long = (time_of(kernel, counted[kernel.name], shape) for shape in shapes)
        sums[0] += short.expected
        sums[1] += long.expected
        lines.append(f"| {kernel.title} | {counted[kernel.name].registers} | {kernel.shared / 1024:.0f} | {short.warps} "
                     f"({short.limit}) | {short.instructions:,.0f} | {short.issue:.1f} | {short.mma:.1f} "
                     f"| {short.memory:.1f} | {short.expected:.0f} | {long.expected:.0f} |")
    lines.append(f"| total | | | | | | | | {sums[0]:.0f} | {sums[1]:.0f} |")
    return "\n".join(lines)


def with_table(document, text):
    """The document with the table between its marks."""
    before, rest = document.split(BEGIN)
    return before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1]


def main():
    if len(sys.argv) == 1:
        print(table(parse(COUNTS.read_text())))
        return 0
    nvdisasm = compiled.disassembler()
    if nvdisasm is None:
        print("The machine code cannot be read: there is no nvdisasm (of the CUDA toolkit, or of the Python package triton).")
        return 1
    option, folder = sys.argv[1:3]
    found = counted_in(folder, nvdisasm, kernels_by_name() if option == "--renew" else sys.argv[3:])
    if option == "--outline":
        print(text_of(found))
        return 0
    missing = [name for name in kernels_by_name() if name not in found]
    wrong = [name for name, kernel in kernels_by_name().items()
             if name in found and kernel.turns != PRODUCTS
             and len(kernel.turns(Shape(512))) + 1 != len(found[name].depths)]
    if missing or wrong:
        print(f"Not renewed. Not compiled: {missing}. Other loops than cost_model.py has turns for: {wrong} (--outline).")
        return 1
    COUNTS.write_text(text_of(found))
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
