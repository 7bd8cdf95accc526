"""What keep_by_nvcc.sh kept of the kernels: names, the assembler's report, PTX, machine code.

A name is that of the source without namespaces and parameters: attend_keys_kernel<BF16, 64>."""
import dataclasses
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARP = 32
# A multiprocessor of compute capability 9.0 (CUDA C++ Programming Guide, "Technical Specifications per Compute
# Capability"): registers are given to warps by 256, a block takes 1 KiB of shared memory for itself.
REGISTERS, WARPS, BLOCKS, SHARED, RESERVED = 65536, 64, 32, 228 * 1024, 1024


@dataclasses.dataclass
class Resources:
    """Of one kernel: registers of a thread, bytes of its stack and spills, static shared memory, most threads."""
    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int
    threads: int  # by __launch_bounds__; 0: not said


def short_names(mangled):
    """{mangled name: name of the source}."""
    mangled = list(mangled)
    if not mangled:
        return {}
    plain = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True).stdout
    return dict(zip(mangled, map(short_name, plain.splitlines())))


def short_name(plain):
    """Of a demangled function."""
    plain = plain.replace("(anonymous namespace)::", "").removeprefix("void ")
    depth = 0
    for i, letter in enumerate(plain):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "(" and depth == 0:
            plain = plain[:i]
            break
    return re.sub(r"\b\w+::", "", re.sub(r"\((?:int|bool|unsigned)\)", "", plain))


REPORT = re.compile(
    r"Compiling entry function '(\w+)' for '\w+'\n.*\n"
    r"\s+(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\n"
    r"ptxas info\s+: Used (\d+) registers(.*)")


def resources_of(report, ptx=""):
    """{mangled name: Resources} by the report of `ptxas -v`, most threads by the PTX."""
    most = {name: int(x) * int(y) * int(z) for name, x, y, z in re.findall(
        r"\.entry (\w+)\([^)]*\)\s*\.maxntid (\d+), (\d+), (\d+)", ptx)}
    found = {}
    for name, stack, stores, loads, registers, more in REPORT.findall(report):
        shared = re.search(r"(\d+) bytes smem", more)
        found[name] = Resources(int(registers), int(stack), int(stores), int(loads),
                                int(shared[1]) if shared else 0, most.get(name, 0))
    return found


@dataclasses.dataclass
class Occupancy:
    """Blocks of a multiprocessor, and what limits them."""
    blocks: int
    limit: str

    @staticmethod
    def of(registers, threads, shared):
        """`shared`: bytes of a block, static and dynamic."""
        warps = -(-threads // WARP)
        of_warp = -(-registers * WARP // 256) * 256
        limits = {"registers": REGISTERS // of_warp // warps, "shared memory": SHARED // (shared + RESERVED),
                  "warps": WARPS // warps, "blocks": BLOCKS}
        limit = min(limits, key=limits.get)
        return Occupancy(limits[limit], limit)


def kept(folder, ending):
    """{path of an object without its ending: the file}, of objects whose source is still there."""
    files = sorted(pathlib.Path(folder).rglob(f"*.cu.o{ending}"))
    return {str(file)[:-len(ending)]: file for file in files if source_of(file, ending).exists()}


def source_of(file, ending):
    """Of BUILD/CMakeFiles/TARGET.dir/SOURCE.o with that ending."""
    parts = file.parts
    below = next((i + 1 for i, part in enumerate(parts) if part.endswith(".dir")), 0)
    return ROOT / str(pathlib.Path(*parts[below:])).removesuffix(".o" + ending)


def all_resources(folder):
    """{name: Resources} of all that was compiled."""
    found = {}
    for stem, path in kept(folder, ".ptxas").items():
        of_file = resources_of(path.read_text(), pathlib.Path(stem + ".ptx").read_text())
        names = short_names(of_file)
        found |= {names[mangled]: resources for mangled, resources in of_file.items()}
    return found


def all_ptx(folder):
    """{mangled name: body} of all that was compiled."""
    found = {}
    for path in kept(folder, ".ptx").values():
        found |= ptx_kernels(path.read_text())
    return found


def ptx_kernels(ptx):
    """{mangled name: body} of a file's kernels."""
    parts = re.split(r"^\.(?:visible |weak )?\.?entry (\w+)\(", ptx, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def cubin_kernels(path):
    """Mangled names of the kernels in machine code, by its sections' names."""
    return [name.decode() for name in set(re.findall(rb"\.text\.(\w+)\0", path.read_bytes()))]


def tool(name, *more):
    """The path of a program of the CUDA toolkit, or of one in `more`; None if there is none."""
    for where in (None, "/usr/local/cuda/bin", *more):
        found = shutil.which(name, path=where)
        if found:
            return found
    return None


def disassembler():
    """nvdisasm of the toolkit, or of Triton's Python package."""
    import importlib.util
    spec = importlib.util.find_spec("triton")
    inside = [str(pathlib.Path(folder) / "backends/nvidia/bin") for folder in
              (spec.submodule_search_locations if spec else [])]
    return tool("nvdisasm", *inside)
