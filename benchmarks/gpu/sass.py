"""Machine code of kernels as nvdisasm prints it: instructions by class, and the loops that they stand in."""
import collections
import dataclasses
import re
import subprocess

# Classes of instructions, by what carries them out; the rest is "other" (integers, predicates, moves, conversions).
CLASSES = {
    "mma": ("HMMA", "HGMMA", "QGMMA", "IMMA"),
    "fma": ("FFMA", "FMUL", "FADD", "FFMA2"),
    "special": ("MUFU",),
    "shared": ("LDS", "STS", "LDSM", "STSM", "ATOMS"),
    "global": ("LDG", "STG", "LD", "ST", "LDGSTS", "RED", "ATOMG", "ATOM", "UTMALDG", "UTMASTG", "UBLKCP"),
    "local": ("LDL", "STL"),
    "shuffle": ("SHFL", "VOTE", "MATCH"),
    "barrier": ("BAR", "WARPSYNC", "SYNCS", "DEPBAR", "LDGDEPBAR"),
    "branch": ("BRA", "BSSY", "BSYNC", "EXIT", "CALL", "RET", "BREAK", "BRX", "JMP"),
}
CLASS_OF = {opcode: name for name, opcodes in CLASSES.items() for opcode in opcodes}
LINE = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(?:\{\s*)?(@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*)(\S*)\s*([^;]*);")
LABEL = re.compile(r"^(\.L_x_\d+):")
FUNCTION = re.compile(r"^\.text\.(\w+):")


@dataclasses.dataclass
class Instruction:
    address: int
    predicate: str
    opcode: str  # without what follows a dot
    operands: str

    @property
    def kind(self):
        return CLASS_OF.get(self.opcode, "other")


@dataclasses.dataclass
class Loop:
    """From a label to the last branch back to it. `counts`: of what stands in no inner loop."""
    begin: int
    end: int
    counts: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    inner: list = dataclasses.field(default_factory=list)

    def total(self, kind=None):
        """Instructions of the loop with its inner ones, each once."""
        own = sum(self.counts.values()) if kind is None else self.counts[kind]
        return own + sum(loop.total(kind) for loop in self.inner)


def disassembled(nvdisasm, cubin):
    return subprocess.run([nvdisasm, str(cubin)], capture_output=True, text=True, check=True).stdout


def functions_of(text):
    """{mangled name: its loop tree}: a Loop of the whole function, entered once."""
    found = {}
    name, instructions, labels, waiting = None, [], {}, []
    for line in text.splitlines() + [".text.end:"]:
        if match := FUNCTION.match(line):
            if name and instructions:
                found[name] = tree_of(instructions, labels)
            name, instructions, labels, waiting = match[1], [], {}, []
        elif match := LABEL.match(line):
            waiting.append(match[1])
        elif name and (match := LINE.match(line)):
            address = int(match[1], 16)
            instructions.append(Instruction(address, (match[2] or "").strip(), match[3], match[5]))
            labels |= {label: address for label in waiting}
            waiting = []
        elif line.startswith("\t.section"):
            if name and instructions:
                found[name] = tree_of(instructions, labels)
            name, instructions = None, []
    return found


def tree_of(instructions, labels):
    ends = {}
    for i in instructions:
        target = re.search(r"\.L_x_\d+", i.operands) if i.opcode == "BRA" else None
        if target and target[0] in labels and labels[target[0]] <= i.address:
            # The last instruction of a function is a branch to itself.
            if labels[target[0]] < i.address:
                ends[labels[target[0]]] = max(i.address, ends.get(labels[target[0]], 0))
    root = Loop(instructions[0].address, instructions[-1].address)
    stack = [root]
    starts = sorted(ends.items(), key=lambda loop: (loop[0], -loop[1]))
    for i in instructions:
        if i.opcode == "NOP":
            continue
        while len(stack) > 1 and i.address > stack[-1].end:
            stack.pop()
        while starts and starts[0][0] == i.address:
            begin, end = starts.pop(0)
            stack[-1].inner.append(Loop(begin, end))
            stack.append(stack[-1].inner[-1])
        stack[-1].counts[i.kind] += 1
    return root


def outline(loop, depth=0):
    """The tree, for people who give the loops their counts."""
    counts = " ".join(f"{kind} {n}" for kind, n in sorted(loop.counts.items()) if n)
    lines = [f"{'  ' * depth}{loop.begin:05x}-{loop.end:05x} {sum(loop.counts.values())}: {counts}"]
    for inner in loop.inner:
        lines += outline(inner, depth + 1)
    return lines
