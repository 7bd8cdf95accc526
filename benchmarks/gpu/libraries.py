"""Where CUDA's libraries are on this machine: the loader's own folders, toolkits, and Python packages of NVIDIA's."""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys

# What the program opens at run time, and the names that it tries; the driver's comes with the driver.
CUDA = {"libcublasLt": ("libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"), "libnccl": ("libnccl.so.2",),
        "libcuda": ("libcuda.so.1",)}
NEEDED = ("libcublasLt", "libcuda")


def listed_by_loader():
    """{name: path} of ldconfig's cache."""
    ldconfig = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if not ldconfig:
        return {}
    listing = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, errors="replace").stdout
    found = re.findall(r"^\s*(\S+) \([^)]*x86-64[^)]*\) => (\S+)$", listing, re.MULTILINE)
    return {name: path for name, path in reversed(found)}


def toolkit_folders(root):
    """Library folders of CUDA toolkits and of the driver below `root`, and of the toolkit in use."""
    homes = [os.environ.get(key) for key in ("CUDA_HOME", "CUDA_PATH")]
    compiler = shutil.which("nvcc")
    if compiler:
        homes.append(pathlib.Path(compiler).resolve().parent.parent)
    homes += sorted(glob.glob(f"{root}usr/local/cuda*"), reverse=True)
    folders = [f"{home}/{sub}" for home in homes if home for sub in ("lib64", "lib", "targets/x86_64-linux/lib")]
    return folders + [f"{root}usr/local/nvidia/lib64", f"{root}usr/local/nvidia/lib", f"{root}usr/lib/wsl/lib",
                      f"{root}usr/lib/x86_64-linux-gnu", f"{root}usr/lib64"]


def package_folders(paths):
    """Library folders of NVIDIA's Python packages (nvidia/cublas/lib, nvidia/cu13/lib) below these of Python's."""
    found = []
    for path in paths:
        for pattern in ("nvidia/*/lib", "nvidia/*/*/lib", "nvidia/*/lib64", "torch/lib"):
            found += sorted(glob.glob(f"{glob.escape(path)}/{pattern}"), reverse=True)
    return found


def python_paths():
    """Where this Python and the first one on PATH look for packages."""
    paths = list(sys.path)
    other = shutil.which("python3")
    if other:
        asked = subprocess.run([other, "-c", "import sys; print(*sys.path, sep='\\n')"], capture_output=True, text=True)
        paths += asked.stdout.splitlines()
    return [path for path in dict.fromkeys(paths) if path]


def find(names, folders, cached):
    """(path, folder to add to LD_LIBRARY_PATH, or None where the loader finds it); path None: not there.

    Names are in order of preference: the first that is anywhere is taken.
    """
    for name in names:
        for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
            if folder and os.path.exists(f"{folder}/{name}"):
                return f"{folder}/{name}", None
        if name in cached:
            return cached[name], None
        for folder in folders:
            if os.path.exists(f"{folder}/{name}"):
                return f"{folder}/{name}", folder
    return None, None


def search():
    """({library: path or None}, folders to add to LD_LIBRARY_PATH). NYSTROM_GPU_ROOT: the machine's root, for tests."""
    cached = listed_by_loader()
    folders = toolkit_folders(os.environ.get("NYSTROM_GPU_ROOT", "/")) + package_folders(python_paths())
    found, added = {}, []
    for library, names in CUDA.items():
        found[library], folder = find(names, folders, cached)
        if folder and folder not in added:
            added.append(folder)
    return found, added


def missing_sentence(found):
    """Why no GPU part can run; empty where nothing needed is missing."""
    missing = [CUDA[library][0] for library in NEEDED if found[library] is None]
    if not missing:
        return ""
    return (f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} neither known to the loader (ldconfig -p) "
            "nor in LD_LIBRARY_PATH, a toolkit (/usr/local/cuda*) or a Python package (nvidia/*/lib).")
