"""The stages of run.py: figures first, correctness while something else compiles, the slow and the sure last."""
import dataclasses
import json
import pathlib
import shutil

PEER = pathlib.Path(__file__).resolve().parent.parent / "peers" / "transformers_step.py"


@dataclasses.dataclass
class Stage:
    """A command, or several at once, with a limit in seconds."""
    name: str
    limit: float
    commands: list           # of argument lists; more than one run `together` at a time
    read: object = None      # what to keep of the last command's output: a function of it
    together: int = 1
    ours: bool = True        # with the bundle's and CUDA's libraries; else as it is called by hand
    turn: pathlib.Path = None  # it waits for this file before it times (transformers_step.py)


@dataclasses.dataclass
class Beginning:
    """A stage that begins here, concurrently with those that follow, and is awaited at its own place."""
    stage: Stage


def last_json(output):
    """The last line that is an object."""
    return json.loads([line for line in output.splitlines() if line.startswith("{")][-1])


def bench_figures(output):
    keep = ("tokens_per_second", "milliseconds_per_step", "peak_memory_bytes", "share_of_bound", "parts", "machine",
            "kernels")
    return {key: value for key, value in last_json(output).items() if key in keep}


def peer_figures(output):
    """The fastest batch size, with all of them."""
    runs = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    done = [run for run in runs if "tokens_per_second" in run]
    if not done:
        raise ValueError("no batch size had room")
    return {**max(done, key=lambda run: run["tokens_per_second"]), "runs": runs}


def bench(length, kind, micro_batch, *, kernels=False, graph=False):
    sets = {"training.backend": "cuda", "data.sequence_length": length, "model.max_positions": length,
            "training.micro_batch": micro_batch, "model.attention.kind": kind,
            "training.cuda_graph": str(graph).lower()}
    options = [o for k, v in sets.items() for o in ("--set", f"{k}={v}")]
    return ["nystrom", "bench", "--json", "--steps", "10", *(["--kernels"] if kernels else []), *options]


def without_wgmma(command):
    return ["env", "NYSTROM_WGMMA=off", *command]


def peer(attention, length, batch, *more):
    return ["python3", str(PEER), "--device", "cuda", "--precision", "bf16", "--attention", attention, "--length",
            str(length), "--batch", batch, "--threads", "8", "--warmup", "3", "--steps", "10", *more]


def verify(folder, *options):
    return ["nystrom", "verify", str(folder), str(folder / "case.h5"), "--backend", "cuda", "--gradients", *options]


def trajectory_config(golden, runs, name, communication):
    recipe = json.loads((golden / "trajectory/trajectory.json").read_text())["recipe"]
    config = {
        "run": {"directory": str(runs / f"run-{name}")},
        "model": {"from": str(golden / "trajectory/model"), "dropout": 0},
        "data": {"shards": [str(golden / "trajectory/shards/*.hdf5")], "shuffle": False},
        "objective": {k: recipe[k] for k in ("mlm_weight", "sop_weight")},
        "training": {"steps": recipe["steps"], "global_batch": recipe["global_batch"], "micro_batch": 2,
                     "precision": "fp32", "clip_norm": recipe["clip_norm"], "backend": "cuda"},
        "optimizer": {k: recipe[k] for k in ("learning_rate", "beta1", "beta2", "epsilon", "weight_decay")},
        "schedule": {"warmup_steps": recipe["warmup_steps"]},
        "communication": {"kind": communication, "timeout": 60},
    }
    path = runs / f"{name}.yaml"
    path.write_text(json.dumps(config))
    return path


def trajectory_distance(golden, runs, name):
    """Largest relative difference of a step's loss from PyTorch's."""
    steps = [json.loads(line) for line in (runs / f"run-{name}/metrics.jsonl").read_text().splitlines()]
    reference = json.loads((golden / "trajectory/trajectory.json").read_text())["steps"]
    return {"distance": max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(steps, reference, strict=True))}


def trajectories(golden, runs):
    for name, ranks, kind in (("one", 1, "auto"), ("one-graph", 1, "auto"), ("two-nccl", 2, "nccl"),
                              ("two-nccl-graph", 2, "nccl"), ("two-mpi", 2, "mpi")):
        command = ["nystrom", "pretrain", str(trajectory_config(golden, runs, name, kind)),
                   "--set", f"training.cuda_graph={str(name.endswith('-graph')).lower()}"]
        if ranks > 1:
            # NCCL rejects two ranks on one GPU unless each claims its own host. They take turns on it: time for that.
            claim = 'export NCCL_HOSTID=$OMPI_COMM_WORLD_RANK; exec "$@"'
            command = ["mpirun", "--oversubscribe", "-n", str(ranks), "bash", "-c", claim, "nystrom", *command]
        yield Stage(f"trajectory {name}", 60, [command],
                    lambda _, name=name: trajectory_distance(golden, runs, name))


def cases(golden):
    return sorted(case.parent for case in golden.glob("**/case.h5"))


def all_stages(bundle, runs, path):
    """In order. `runs`: a folder for what the stages write; `path`: where programs are looked for."""
    golden = bundle / "golden"
    has = (bundle / "bin").joinpath
    smallest = min(cases(golden), key=lambda case: (case / "case.h5").stat().st_size)
    shape = golden / "published-head-shape"
    compiled = Stage("transformers compiled 512", 200, [peer("nystrom", 512, "64", "--compile", "--turn",
                                                             str(runs / "compiled.turn"))],
                     peer_figures, ours=False, turn=runs / "compiled.turn")
    yield Stage("nvidia-smi", 10, [["nvidia-smi"]], lambda output: {"text": output}, ours=False)
    yield Stage("doctor", 40, [["nystrom", "doctor", "--json"]], last_json)
    if shape.is_dir():
        yield Stage("case at the base model's head size", 40,
                    [verify(shape), verify(shape, "--precision", "bf16")], together=2)
    yield Stage("bench nystrom 512", 60, [bench(512, "nystrom", 128, kernels=True)], bench_figures)
    yield Stage("bench nystrom 4096", 60, [bench(4096, "nystrom", 16, kernels=True)], bench_figures)
    yield Stage("bench nystrom 512 without wgmma", 60, [without_wgmma(bench(512, "nystrom", 128, kernels=True))],
                bench_figures)
    yield Stage("transformers eager 512", 90, [peer("nystrom", 512, "32,64,128")], peer_figures, ours=False)
    yield Stage("bench softmax 4096", 60, [bench(4096, "softmax", 16, kernels=True)], bench_figures)
    yield Stage("bench nystrom 65536", 60, [bench(65536, "nystrom", 1, kernels=True)], bench_figures)
    yield Stage("transformers sdpa 512", 60, [peer("sdpa", 512, "64,128")], peer_figures, ours=False)
    yield Stage("transformers sdpa 4096", 60, [peer("sdpa", 4096, "8,16")], peer_figures, ours=False)
    yield Beginning(compiled)  # it compiles, while the tests look at values
    for test in ("cuda_ops_test", "cuda_attention_test"):
        if has(test).exists():
            yield Stage(test, 90, [[test, "--gtest_brief=1"]])
    if has("cuda_attention_test").exists():
        yield Stage("cuda_attention_test without wgmma", 90,
                    [without_wgmma(["cuda_attention_test", "--gtest_brief=1"])])
    yield compiled
    if has("kernel_benchmark").exists():
        yield Stage("kernels", 60, [["kernel_benchmark", "--json", str(runs / "kernels.json")]])
    if shutil.which("ncu", path=path):
        yield Stage("ncu", 60, [["ncu", "--clock-control", "none", "--launch-skip", "120", "--launch-count", "24",
                                 "--metrics", NCU_METRICS, "--csv", *bench(512, "nystrom", 16)]],
                    lambda output: {"text": "\n".join(l for l in output.splitlines() if l.startswith('"'))})
    verifications = [verify(case, *options) for case in cases(golden) for options in ((), ("--precision", "bf16"))]
    yield Stage("all cases", 90, verifications, together=4)
    yield from trajectories(golden, runs)
    # CUDA graphs on and off: the full micro-batch (above), and few tokens, where launches are felt.
    yield Stage("bench nystrom 512 graph", 40, [bench(512, "nystrom", 128, graph=True)], bench_figures)
    for graph in (False, True):
        yield Stage(f"bench nystrom 512 x 4{' graph' if graph else ''}", 40,
                    [bench(512, "nystrom", 4, graph=graph)], bench_figures)
    yield Stage("bench softmax 512", 40, [bench(512, "softmax", 128)], bench_figures)
    yield Stage("bench softmax 8192", 60, [bench(8192, "softmax", 8)], bench_figures)
    yield Stage("bench nystrom 8192", 60, [bench(8192, "nystrom", 8)], bench_figures)
    if shutil.which("compute-sanitizer", path=path):
        for tool in ("memcheck", "racecheck"):
            yield Stage(f"sanitizer {tool}", 90, [["compute-sanitizer", "--tool", tool, "--error-exitcode", "9",
                                                   *verify(smallest, "--precision", "bf16")]])


NCU_METRICS = ",".join((
    "gpu__time_duration.sum", "sm__throughput.avg.pct_of_peak_sustained_elapsed",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed", "sm__inst_executed.sum",
    "sm__issue_active.avg.pct_of_peak_sustained_active", "sm__warps_active.avg.pct_of_peak_sustained_active",
    "sm__inst_executed_pipe_tensor.sum", "smsp__inst_executed_pipe_fma.sum", "dram__bytes.sum",
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum"))
