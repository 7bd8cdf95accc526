#!/usr/bin/env python3
"""Expected times of attention's kernels on an H200, from their machine code: computed, not measured.

    benchmarks/gpu/cost_model.py                       the table of docs/performance-appendix.md, from kernel_counts.txt
    benchmarks/gpu/cost_model.py --outline FOLDER NAME   the loops and jumps of compiled kernels, for their turns
    benchmarks/gpu/cost_model.py --renew FOLDER        writes kernel_counts.txt and the table; needs nvdisasm

FOLDER is where the kernels were compiled with the launcher tests/cuda/keep_by_nvcc.sh: build-cuda-kernels of .ci/run. Of each
kernel kernel_counts.txt has the instructions by class and loop. This file says how often a warp goes through each loop
(`turns`), what a turn jumps over (`jumps`), the grid, and the bytes that must cross memory.
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
DOCUMENT = ROOT / "docs/performance-appendix.md"
BEGIN, END = "<!-- cost_model.py -->", "<!-- end of cost_model.py -->"

# An H200: multiprocessors, schedulers in each, clock at full load, bytes a second of a copy. HMMA.16816 takes a
# multiprocessor 1.6 clocks, at 62 % of the full rate. HGMMA.64x64x16 takes 32 at the full rate, a quarter for each of
# its four warps; taken as 80 % of it, since its factors fill shared memory's bandwidth.
SMS, SCHEDULERS, CLOCK, BANDWIDTH, HMMA_CLOCKS, HGMMA_CLOCKS = 132, 4, 1.75e9, 4.3e12, 1.6, 32 / 4 / 0.8
# The share of issue slots that is reached, by warps of a multiprocessor. One a scheduler waits for its own instructions; taken
# as half of what two reach.
ISSUE_BY_WARPS = ((4, 0.25), (8, 0.50), (12, 0.57), (16, 0.60), (32, 0.70), (64, 0.80))
MEMORY_SHARE = 0.8

# The base model and the batch.
TOKENS, LAYERS, HEADS, WIDTH, LANDMARKS, TAPS, ITERATIONS = 65536, 12, 12, 64, 64, 65, 6
CHANNELS = HEADS * WIDTH


@dataclasses.dataclass
class Shape:
    """65,536 tokens in sequences of n."""
    n: int

    @property
    def items(self):
        return TOKENS // self.n * HEADS

    @property
    def chunk_rows(self):  # attention_chunk_rows in workspace.h
        return max(512, -(-self.n // 4096) * 64)

    @property
    def chunks(self):
        return -(-self.n // self.chunk_rows)

    @property
    def chunks_are_shared(self):  # in chunk_sums.cu
        return self.chunks > 8 and self.items < SMS

    @property
    def pieces(self):
        """That the block of a head adds up."""
        return 1 if self.chunks_are_shared else self.chunks

    @property
    def tiles(self):
        """Tiles of 64 rows in a chunk."""
        return min(self.n, self.chunk_rows) / 64

    @property
    def slots(self):
        """Blocks of the pseudo-inverse's backward, which walk over the heads."""
        return min(self.items, 264)


@dataclasses.dataclass
class Kernel:
    title: str
    name: str
    threads: int
    shared: int        # dynamic, bytes of a block
    blocks: object     # by shape
    turns: object      # by shape: of each loop, in the order of kernel_counts.txt, at each entry of the loop around it
    bytes: object      # by shape: a token and layer
    jumps: dict = dataclasses.field(default_factory=dict)
    # of a loop by its number, 0 the whole kernel: instructions that a turn, on average, jumps over; or (instructions, of these mma)
    jumps_by_shape: object = lambda shape: {}  # the same of further loops, which jump by the length or the chunks


ACTIVATION, STATS = 2 * CHANNELS, 8 * HEADS  # bytes a token


def squares(shape, of_heads, of_chunks=0):
    """Bytes a token of so many fp32 [64, 64] of each head and of each chunk of a head."""
    square = 4 * LANDMARKS * WIDTH * HEADS
    return square * (of_heads + of_chunks * shape.chunks) / shape.n


def split_tiles(count):
    """Bytes of shared memory: tiles of split factors with SquareMemory's vectors."""
    return count * 16384 + 2064


def short_segments(shape):
    """Whether a warp sums a segment alone: has_short_segments in middle_forward.cu."""
    return shape.n <= 16 * LANDMARKS


def unrolled(count):
    """Turns of the two loops that the compiler makes of one over `count`: by 16 while more than 12 are left, by 4. (What else
    is left, and 8 at once, stands beside them.)"""
    fours = count // 4 * 4
    by_16 = max(0, -(-(fours - 12) // 16))
    left = fours - 16 * by_16
    return [by_16, (left - 8 if left > 4 else left) // 4]


# The comments give loops by their number in kernel_counts.txt, which is the order of the source; 0 is the whole kernel. Loops
# without turns are those for the rest of an unrolled loop, or on paths that the base model does not take: more than 64 landmarks,
# rows of other ranks (halo, split sequences), filters of more than 65 taps, pinv_init batch_max.
KERNELS = [
    # 1, 2: all rows of a short segment, the rest of eight and by eights; 3, 4: a warp's rows of a longer one.
    Kernel("landmarks: segment means", "landmarks_kernel<BF16>", 256, 8 * 1024,
           blocks=lambda s: TOKENS // s.n * 6 * (LANDMARKS // 8 if short_segments(s) else LANDMARKS),
           turns=lambda s: ([s.n // 64 % 8, s.n // 512, 0, 0] if short_segments(s)
                            else [0, 0, s.n // 512 % 8, s.n // 4096]),
           jumps_by_shape=lambda s: {0: 298 if short_segments(s) else 311},
           bytes=lambda s: 2 * ACTIVATION + squares(s, 2)),
    # 1: q~ into shared memory. 2: tiles, of which the last loads no further one (54).
    Kernel("keys, forward: softmax(q̃ kᵀ) v", "attend_keys_kernel<BF16, 64>", 128, 54 * 1024,
           blocks=lambda s: s.items * s.chunks,
           turns=lambda s: [2, s.tiles],
           jumps={0: 23},
           jumps_by_shape=lambda s: {2: 64 + 54 / s.tiles},
           bytes=lambda s: 2 * ACTIVATION + squares(s, 0, 2)),
    # Only where there are few heads and many chunks. 1, 2: a thread's statistics, the rest of four and by fours; 3, 4: their
    # factors; 5, 6: the sums of eight threads, by 16. 7, 8: without pieces. 9: elements, 10: their pieces by eights.
    Kernel("keys, forward: chunks added up", "merge_chunks_kernel", 128, 4224,
           blocks=lambda s: s.items * 8 if s.chunks_are_shared else 0,
           turns=lambda s: [s.chunks // 16 % 4, s.chunks // 64, s.chunks // 16 % 4, s.chunks // 64, 0, s.chunks / 16 / 4, 0, 0,
                            1, s.chunks // 8],
           jumps={0: 208, 9: 67},
           bytes=lambda s: squares(s, 1, 1)),
    # 1: q~ k~^T. 4, 5: columns of A, 64 of 128 threads; 6 to 8: the largest of two a lane. 9: the iterations, of which the last
    # keeps no iterate (227). 10: W, of k3 v from its pieces: 11 to 13 and 14 to 16 their statistics, for each of a thread's two
    # rows, 17 their elements. The residual's product is straight. Whole tiles jump over what looks for a matrix's end. Jumps
    # by one chunk, or eight. Kept: A and the iterates but the last, which is Z.
    Kernel("middle, forward: A, Z, W", "small_middle_kernel<true, ByGroup>", 128, split_tiles(3),
           blocks=lambda s: s.items,
           turns=lambda s: [1, 0, 0, 0.5, 0, 0, 0, 2, ITERATIONS, 1, *unrolled(s.pieces), s.pieces // 4,
                            *unrolled(s.pieces), s.pieces // 4, s.pieces],
           jumps={0: 1044, 1: 412, 9: (201 * (ITERATIONS - 1) + 227) / ITERATIONS, 17: 200},
           jumps_by_shape=lambda s: {10: 616 if s.pieces == 1 else 582},
           bytes=lambda s: squares(s, 6 + ITERATIONS + s.pieces)),
    # 1: the band. 2, 3: k~ and W. 4: four tiles, of which the last loads no further rows (45); of the eight steps of 16 rows
    # around a tile a warp's band has five.
    Kernel("rows, forward: softmax(q k̃ᵀ) W + conv(v)", "attend_rows_by_group_kernel", 128, 65_024,
           blocks=lambda s: s.items * s.n // 256,
           turns=lambda s: [2, 2, 2, 4, 0, 0, 0, 0],
           jumps={4: (470 + 45 / 4, 48)},
           bytes=lambda s: 3 * ACTIVATION + STATS),
    # 1, 2: k~ and W. 3: tiles, of which the last loads no further rows (56).
    Kernel("rows, backward", "rows_gradient_by_group_kernel", 128, 96 * 1024,
           blocks=lambda s: s.items * s.chunks,
           turns=lambda s: [2, 2, s.tiles],
           jumps_by_shape=lambda s: {3: 56 / s.tiles},
           bytes=lambda s: 3 * ACTIVATION + STATS + squares(s, 0, 2)),
    # As merge_chunks_kernel, for d_W and d_k~. 1: eight chunks but the first, 2: the rest.
    Kernel("rows, backward: chunks added up", "add_chunks_kernel", 128, 0,
           blocks=lambda s: s.items * 8 * 2 if s.chunks_are_shared else 0,
           turns=lambda s: [(s.chunks - 1) // 8, (s.chunks - 1) % 8],
           bytes=lambda s: squares(s, 2, 2)),
    # 4: a block's heads. 5: d_(k3 v) and d_Z, of dW from its pieces, 6 those but the first. 7: steps backwards, whose iterate is
    # loaded or, the first one's, made from A (423 jumped over instead of 228). 8: d_q~ and d_k~, 9: pieces of d_k~ but the
    # first. Whole tiles jump over what looks for a matrix's end.
    Kernel("pseudo-inverse and landmarks, backward", "small_pinv_gradient_kernel<true, ByGroup>", 128, split_tiles(6),
           blocks=lambda s: s.slots,
           turns=lambda s: [0, 0, 0, s.items / s.slots, 1, s.pieces - 1, ITERATIONS, 1, s.pieces - 1],
           jumps={0: 150, 4: 809, 5: 593, 6: 206, 7: (228 * (ITERATIONS - 1) + 423) / ITERATIONS, 8: 1000, 9: 210},
           bytes=lambda s: squares(s, 8 + ITERATIONS + 2 * s.pieces)),
    # 1: the band. 2, 3: q~ and d_(k3 v). 4: tiles, of which the last loads no further one (73); eight steps as in rows,
    # forward. The first chunk begins with d_q~ (105).
    Kernel("keys, backward", "keys_gradient_by_group_kernel", 128, 90_368,
           blocks=lambda s: s.items * s.chunks,
           turns=lambda s: [2, 2, 2, s.tiles, 0, 0, 0, 0],
           jumps_by_shape=lambda s: {0: 150 - 105 / s.chunks, 4: (673 + 73 / s.tiles, 48)},
           bytes=lambda s: 5 * ACTIVATION + squares(s, 1, 1)),
    # Only where there are several chunks. 1: eight of them but the first, 2: the rest.
    Kernel("query landmarks, backward", "query_landmarks_kernel", 128, 0,
           blocks=lambda s: s.items * 8 if s.chunks > 1 else 0,
           turns=lambda s: [(s.chunks - 1) // 8, (s.chunks - 1) % 8],
           jumps={0: 51},
           bytes=lambda s: squares(s, 1, 1)),
    # 1: a lane's columns, eight at once; 2: a warp's rows.
    Kernel("queries, backward: + d_q̃ / ℓ", "add_to_queries_kernel<BF16>", 128, 128,
           blocks=lambda s: TOKENS // 16,
           turns=lambda s: [CHANNELS / 8 / 32, 16 / 4],
           jumps={0: 113},
           bytes=lambda s: 2 * ACTIVATION + squares(s, 1)),
    # 1: tiles; 2: rows of g. 4: taps; a warp has none (37).
    Kernel("filter of the convolution, backward", "filter_gradient_kernel<BF16, 64>", 128, 27 * 1024,
           blocks=lambda s: s.items * s.chunks,
           turns=lambda s: [s.tiles, 2, 0, 3 / 4],
           jumps={0: 37 / 4, 1: 156},
           bytes=lambda s: 2 * ACTIVATION),
    # 1: a warp's sequences; 2: their chunks.
    Kernel("filter, sum over sequences", "add_filter_parts_kernel", 256, 1024,
           blocks=lambda s: HEADS * 3,
           turns=lambda s: [max(1, TOKENS // s.n // 8), s.chunks // 4],
           bytes=lambda s: 4 * TAPS * HEADS * s.chunks / s.n),
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


def trees_in(folder, nvdisasm, names):
    """{name: sass.Loop} of the kernels `names` that were compiled below `folder`."""
    found = {}
    for path in compiled.kept(folder, ".cubin").values():
        if not any(name in names for name in compiled.short_names(compiled.cubin_kernels(path)).values()):
            continue
        functions = sass.functions_of(sass.disassembled(nvdisasm, path))
        plain = compiled.short_names(functions)
        found |= {plain[mangled]: tree for mangled, tree in functions.items() if plain[mangled] in names}
    return found


def counted_in(folder, nvdisasm, names):
    """{name: Counted} of them."""
    resources, found = compiled.all_resources(folder), {}
    for name, tree in trees_in(folder, nvdisasm, names).items():
        depths, counts = zip(*flatten(tree))
        found[name] = Counted(resources[name].registers, list(depths), list(counts))
    return found


def faults_of(stored, found, most=0.03):
    """Where a kernel's counts are no longer those that are stored, in sentences."""
    faults = []
    for name, now in found.items():
        before = stored.get(name)
        if before is None or before.depths != now.depths:
            faults.append(f"The loops of {name} are not those of {COUNTS.name}: "
                          "give it new turns and jumps in cost_model.py (--outline).")
            continue
        for i, (a, b) in enumerate(zip(before.counts, now.counts)):
            for kind in ("mma", "wgmma", "fma", "special", "shared", "global", "local", "barrier"):
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
    bound: str     # what takes the longest; "not launched" where there are no blocks
    warps: int     # of a multiprocessor
    limit: str     # of the warps
    instructions: float  # of a warp


def executed(counted, turns, jumps):
    """Instructions of a warp by class; the loops' turns multiply. No turn jumps over more than its loop has."""
    total, stack = collections.Counter(), []
    for i, (depth, counts, times) in enumerate(zip(counted.depths, counted.counts, (1, *turns), strict=True)):
        stack[depth:] = [times * (stack[depth - 1] if depth else 1)]
        jumped = jumps.get(i, 0)
        instructions, mma = jumped if isinstance(jumped, tuple) else (jumped, 0)
        assert 0 <= mma <= counts["mma"] and 0 <= instructions <= counts.total(), f"loop {i}: {counts}, {jumped} jumped over"
        for kind, n in {**counts, "mma": counts["mma"] - mma, "other": counts["other"] - (instructions - mma)}.items():
            total[kind] += n * stack[depth]
    return total


def time_of(kernel, counted, shape):
    of = executed(counted, kernel.turns(shape), kernel.jumps | kernel.jumps_by_shape(shape))
    occupancy = compiled.Occupancy.of(counted.registers, kernel.threads, kernel.shared)
    blocks = kernel.blocks(shape)
    if blocks == 0:
        return Time(0, 0, 0, 0, "not launched", 0, occupancy.limit, 0)
    warps_of_block = kernel.threads // compiled.WARP
    resident = min(occupancy.blocks, -(-blocks // SMS))
    warps = resident * warps_of_block
    a_token = LAYERS / TOKENS * 1e9
    # The last wave of blocks leaves multiprocessors idle, where there are few waves.
    waves = blocks / (SMS * resident)
    wave_loss = -(-waves // 1) / waves if waves < 4 else 1
    issue = blocks * warps_of_block * of.total() / (SMS * SCHEDULERS * CLOCK) * a_token
    mma_clocks = of["mma"] * HMMA_CLOCKS + of["wgmma"] * HGMMA_CLOCKS
    mma = blocks * warps_of_block * mma_clocks / SMS / CLOCK * a_token
    memory = kernel.bytes(shape) * LAYERS / BANDWIDTH * 1e9
    share = next(share for most, share in ISSUE_BY_WARPS if warps <= most)
    times = {"issue": issue / share * wave_loss, "mma": mma * wave_loss, "bytes": memory / MEMORY_SHARE}
    bound = max(times, key=times.get)
    return Time(issue, mma, memory, times[bound], bound, warps, occupancy.limit, of.total())


def totals(counted, *shapes):
    """Expected ns a token of all kernels."""
    return [sum(time_of(kernel, counted[kernel.name], shape).expected for kernel in KERNELS) for shape in shapes]


def table(counted):
    shapes = (Shape(512), Shape(4096), Shape(65536))
    lines = ["| kernel | registers | KiB a block | warps (limit) | instructions of a warp | n = 512: issue | mma | bytes "
             "| expected | n = 4096: expected | n = 65536: expected |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for kernel in KERNELS:
        times = [time_of(kernel, counted[kernel.name], shape) for shape in shapes]
        short = times[0]
        warp = next(time for time in times if time.warps)
        lines.append(f"| {kernel.title} | {counted[kernel.name].registers} | {kernel.shared / 1024:.0f} | {warp.warps} "
                     f"({warp.limit}) | {warp.instructions:,.0f} | {short.issue:.1f} | {short.mma:.1f} "
                     f"| {short.memory:.1f} | " + " | ".join(f"{time.expected:.1f} ({time.bound})" for time in times) + " |")
    lines.append("| total | | | | | | | | " + " | ".join(f"{total:.0f}" for total in totals(counted, *shapes)) + " |")
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
    if option == "--outline":
        for name, tree in trees_in(folder, nvdisasm, sys.argv[3:]).items():
            print(f"{name}\n{sass.outline(tree)}")
        return 0
    found = counted_in(folder, nvdisasm, kernels_by_name())
    missing = [name for name in kernels_by_name() if name not in found]
    wrong = [name for name, kernel in kernels_by_name().items()
             if name in found and len(kernel.turns(Shape(512))) + 1 != len(found[name].depths)]
    if missing or wrong:
        print(f"Not renewed. Not compiled: {missing}. Other loops than cost_model.py has turns for: {wrong} (--outline).")
        return 1
    COUNTS.write_text(text_of(found))
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
