"""Machine code of kernels as nvdisasm prints it: instructions by class, and the loops that they stand in."""
import collections
import dataclasses
import re
import subprocess

# Classes of instructions, by what carries them out; the rest is "other" (integers, predicates, moves, conversions).
CLASSES = {
    "mma": ("HMMA", "IMMA"),
    "wgmma": ("HGMMA", "QGMMA", "IGMMA"),
    "fma": ("FFMA", "FMUL", "FADD", "FFMA2"),
    "special": ("MUFU",),
    "shared": ("LDS", "STS", "LDSM", "STSM", "ATOMS"),
    "global": ("LDG", "STG", "LD", "ST", "LDGSTS", "RED", "ATOMG", "ATOM", "UTMALDG", "UTMASTG", "UBLKCP"),
    "local": ("LDL", "STL"),
    "shuffle": ("SHFL", "VOTE", "MATCH", "REDUX"),
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
    modifiers: str  # what follows it
    operands: str
    to: int = 0  # where a branch leads

    @property
    def kind(self):
        return CLASS_OF.get(self.opcode, "other")

    @property
    def target(self):
        """The label of a branch; None of other instructions."""
        label = re.search(r"\.L_x_\d+", self.operands) if self.opcode == "BRA" else None
        return label and label[0]

    @property
    def always_leaves(self):
        return not self.predicate and (self.opcode in ("EXIT", "RET") or
                                       self.opcode == "BRA" and self.operands.startswith("`"))


@dataclasses.dataclass
class Loop:
    """From a label to the last branch back to it. `own`: the instructions that stand in no inner loop."""
    begin: int
    end: int
    own: list = dataclasses.field(default_factory=list)
    inner: list = dataclasses.field(default_factory=list)

    @property
    def counts(self):
        return collections.Counter(i.kind for i in self.own)

    def jumps(self):
        """(address, where to, own instructions between) of the branches forward."""
        return [(i.address, i.to, sum(i.address < j.address < i.to for j in self.own)) for i in self.own if i.to > i.address]

    def total(self, kind=None):
        """Instructions of the loop with its inner ones, each once."""
        own = len(self.own) if kind is None else self.counts[kind]
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
            instructions.append(Instruction(address, (match[2] or "").strip(), *match.group(3, 4, 5)))
            labels |= {label: address for label in waiting}
            waiting = []
        elif line.startswith("\t.section"):
            if name and instructions:
                found[name] = tree_of(instructions, labels)
            name, instructions = None, []
    return found


def reached(instructions, labels):
    """The instructions that a kernel reaches, in order, without slow paths: code behind BRA.DIV (shuffles of a diverged warp) and
    functions that are called (division of subnormal numbers, or of more than 32 bits)."""
    index = {i.address: k for k, i in enumerate(instructions)}
    found, waiting = set(), [0]
    while waiting:
        k = waiting.pop()
        while k < len(instructions) and k not in found:
            found.add(k)
            i = instructions[k]
            if i.target in labels and i.modifiers != ".DIV":
                i.to = labels[i.target]
                waiting.append(index[i.to])
            if i.always_leaves:
                break
            k += 1
    return [instructions[k] for k in sorted(found)]


def tree_of(instructions, labels):
    ends = {}
    instructions = reached(instructions, labels)
    for i in instructions:
        if i.to and i.to < i.address:
            ends[i.to] = max(i.address, ends.get(i.to, 0))
    root = Loop(instructions[0].address, instructions[-1].address)
    stack = [root]
    starts = sorted(ends.items(), key=lambda loop: (loop[0], -loop[1]))
    for i in instructions:
        while len(stack) > 1 and i.address > stack[-1].end:
            stack.pop()
        while starts and starts[0][0] == i.address:
            begin, end = starts.pop(0)
            stack[-1].inner.append(Loop(begin, end))
            stack.append(stack[-1].inner[-1])
        stack[-1].own.append(i)
    return root


def outline(loop, least_jump=10):
    """The tree by number, with what its branches forward jump over: for people who give loops their turns."""
    lines, waiting = [], [(0, loop)]
    while waiting:
        depth, loop = waiting.pop()
        counts = " ".join(f"{kind} {n}" for kind, n in sorted(loop.counts.items()))
        lines.append(f"{len(lines):2} {'  ' * depth}{loop.begin:05x}-{loop.end:05x} {len(loop.own)}: {counts}")
        jumps = [f"{at:x}>{to:x} {n}" for at, to, n in loop.jumps() if n >= least_jump]
        if jumps:
            lines[-1] += f"\n   {'  ' * depth}jumps over: {', '.join(jumps)}"
        waiting += [(depth + 1, inner) for inner in reversed(loop.inner)]
    return "\n".join(lines)
