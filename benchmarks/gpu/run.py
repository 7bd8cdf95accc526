#!/usr/bin/env python3
"""Stages of benchmarks/gpu/run.sh, each a command with a time limit. Writes results.json and results.txt.

NYSTROM_GPU_BUNDLE: directory of bundle.tar.xz (default: .gpu-bundle).
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

PACKED = pathlib.Path(os.environ.get("NYSTROM_GPU_BUNDLE", ".gpu-bundle")).resolve() / "bundle.tar.xz"
BUNDLE = pathlib.Path(tempfile.mkdtemp(prefix="nystrom-bundle-"))  # unpacked
BUDGET_SECONDS = 530


def environment():
    env = dict(os.environ)
    env["LD_LIBRARY_PATH"] = f"{BUNDLE}/lib:" + env.get("LD_LIBRARY_PATH", "")
    env["PATH"] = f"{BUNDLE}/bin:/usr/local/cuda/bin:" + env.get("PATH", "")
    env["NYSTROM_SHARED"] = str(BUNDLE)  # where the tests look for golden/
    env.update(OMP_NUM_THREADS="8", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
               OPAL_PREFIX=str(BUNDLE / "openmpi"), OMPI_MCA_mca_base_component_path=f"{BUNDLE}/openmpi/plugins",
               OMPI_MCA_btl="self,vader", NCCL_SOCKET_IFNAME="lo", PYTHONUNBUFFERED="1")
    if not (BUNDLE / "openmpi/plugins").is_dir():
        for key in ("OPAL_PREFIX", "OMPI_MCA_mca_base_component_path"):
            env.pop(key)
    return env


def verify(folder, *options):
    return ["nystrom", "verify", str(folder), str(folder / "case.h5"), "--backend", "cuda", "--gradients", *options]


def trajectory_config(out, name, communication):
    recipe = json.loads((BUNDLE / "golden/trajectory/trajectory.json").read_text())["recipe"]
    config = {
        "run": {"directory": str(out / f"run-{name}")},
        "model": {"from": str(BUNDLE / "golden/trajectory/model"), "dropout": 0},
        "data": {"shards": [str(BUNDLE / "golden/trajectory/shards/*.hdf5")], "shuffle": False},
        "objective": {k: recipe[k] for k in ("mlm_weight", "sop_weight")},
        "training": {"steps": recipe["steps"], "global_batch": recipe["global_batch"], "micro_batch": 2,
                     "precision": "fp32", "clip_norm": recipe["clip_norm"], "backend": "cuda"},
        "optimizer": {k: recipe[k] for k in ("learning_rate", "beta1", "beta2", "epsilon", "weight_decay")},
        "schedule": {"warmup_steps": recipe["warmup_steps"]},
        "communication": {"kind": communication, "timeout": 60},
    }
    path = out / f"{name}.yaml"
    path.write_text(json.dumps(config))
    return path


def trajectory_distance(out, name):
    """Largest relative difference of a step's loss from PyTorch's."""
    steps = [json.loads(line) for line in (out / f"run-{name}/metrics.jsonl").read_text().splitlines()]
    reference = json.loads((BUNDLE / "golden/trajectory/trajectory.json").read_text())["steps"]
    return max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(steps, reference, strict=True))


def bench(length, kind, micro_batch, graph=False):
    sets = {"training.backend": "cuda", "data.sequence_length": length, "model.max_positions": length,
            "training.micro_batch": micro_batch, "model.attention.kind": kind,
            "training.cuda_graph": str(graph).lower()}
    options = [o for k, v in sets.items() for o in ("--set", f"{k}={v}")]
    return ["nystrom", "bench", "--json", "--steps", "10", *options]


def parts(out):
    """Yields (name, limit in seconds, command, what to read from the result), in the order of execution."""
    goldens = sorted(p for p in (BUNDLE / "golden").iterdir() if (p / "case.h5").exists())
    smallest = min(goldens, key=lambda p: (p / "case.h5").stat().st_size)
    yield "doctor", 30, ["nystrom", "doctor"], None
    for test in ("cuda_ops_test", "cuda_attention_test"):
        if (BUNDLE / "bin" / test).exists():
            yield test, 90, [test, "--gtest_brief=1"], None
    for golden in goldens:
        yield f"golden {golden.name} fp32", 30, verify(golden), None
        yield f"golden {golden.name} bf16", 30, verify(golden, "--precision", "bf16"), None
    for name, ranks, kind in (("one", 1, "auto"), ("one-graph", 1, "auto"), ("two-nccl", 2, "nccl"),
                              ("two-nccl-graph", 2, "nccl"), ("two-mpi", 2, "mpi")):
        command = ["nystrom", "pretrain", str(trajectory_config(out, name, kind)),
                   "--set", f"training.cuda_graph={str(name.endswith('-graph')).lower()}"]
        if ranks > 1:
            # NCCL rejects two ranks on one GPU unless each claims its own host.
            claim = 'export NCCL_HOSTID=$OMPI_COMM_WORLD_RANK; exec "$@"'
            command = ["mpirun", "--oversubscribe", "-n", str(ranks), "bash", "-c", claim, "nystrom", *command]
        yield f"trajectory {name}", 90, command, lambda name=name: {"distance": trajectory_distance(out, name)}
    if shutil.which("compute-sanitizer", path=environment()["PATH"]):
        for tool in ("memcheck", "racecheck"):
            yield f"sanitizer {tool}", 90, ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9",
                                            *verify(smallest)], None
    if (BUNDLE / "bin/kernel_benchmark").exists():
        yield "kernels", 60, ["kernel_benchmark", "--json", str(out / "kernels.json")], None
    for length in (512, 4096, 8192, 65536):
        for kind in ("nystrom", "softmax"):
            if length == 65536 and kind == "softmax":
                continue
            yield f"bench {kind} {length}", 60, bench(length, kind, max(1, 65536 // length)), "last line"
    # CUDA graphs on and off: the full micro-batch (above), and few tokens, where launch overhead matters.
    yield "bench nystrom 512 graph", 60, bench(512, "nystrom", 128, graph=True), "last line"
    for graph in (False, True):
        yield f"bench nystrom 512 x 4{' graph' if graph else ''}", 60, bench(512, "nystrom", 4, graph), "last line"


def read_result(what, output):
    if what is None:
        return {}
    if what == "last line":
        last = [line for line in output.splitlines() if line.startswith("{")][-1]
        keep = ("tokens_per_second", "milliseconds_per_step", "peak_memory_bytes", "share_of_bound", "parts")
        return {key: value for key, value in json.loads(last).items() if key in keep}
    return what()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", default="gpu-results")
    parser.add_argument("--only", default="", help="regular expression that selects stages by name")
    args = parser.parse_args()
    out = pathlib.Path(args.output).resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if not PACKED.exists():
        sys.exit(f"run.sh: {PACKED} does not exist. Create it with benchmarks/gpu/bundle.sh.")
    with tarfile.open(PACKED) as archive:
        archive.extractall(BUNDLE)  # noqa: S202: our own archive
    env, start, results = environment(), time.monotonic(), []
    for name, limit, command, what in parts(out):
        if not re.search(args.only, name):
            continue
        left = BUDGET_SECONDS - (time.monotonic() - start)
        entry = {"part": name, "status": "no time left"}
        if left > 5:
            begun = time.monotonic()
            try:
                done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace",
                                      timeout=min(limit, left), cwd=out)
                entry["status"] = "passed" if done.returncode == 0 else f"failed ({done.returncode})"
                entry["output"] = (done.stdout + done.stderr)[-4000:]
                if done.returncode == 0:
                    entry.update(read_result(what, done.stdout))
            except subprocess.TimeoutExpired:
                entry["status"] = f"timed out after {min(limit, left):.0f} s"
            except Exception as problem:  # noqa: BLE001: a stage that fails does not stop the others
                entry["status"] = f"failed: {problem}"
            entry["seconds"] = round(time.monotonic() - begun, 2)
        results.append(entry)
        line = f"{entry['part']:<44} {entry.get('seconds', 0):>8.1f} s  {entry['status']}"
        if "tokens_per_second" in entry:
            line += f"  {entry['tokens_per_second']:.0f} tokens/s, {100 * entry['share_of_bound']:.1f} % of the bound"
        if "distance" in entry:
            line += f"  largest relative difference of a loss {entry['distance']:.1e}"
        print(line, flush=True)
        with open(out / "results.txt", "a", encoding="utf-8") as table:
            print(line, file=table)
        (out / "results.json").write_text(json.dumps(results, indent=1))
    failed = [entry["part"] for entry in results if entry["status"] != "passed"]
    print(f"{len(results) - len(failed)} of {len(results)} stages passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        shutil.rmtree(BUNDLE, ignore_errors=True)
