#!/usr/bin/env python3
"""One run on a GPU: figures first, then correctness; each stage a process with a time limit (stages.py).

Writes results.json, results.txt and kernels.json into the output folder, after each stage, and prints the table last.
What stages write besides goes to a temporary folder. Stages that fail or hang do not stop the others; libraries that
are missing do, before anything is measured.
NYSTROM_GPU_BUNDLE: directory of the bundle (default: .gpu-bundle).
"""
import argparse
import concurrent.futures
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import libraries  # noqa: E402
import stages  # noqa: E402
import tables  # noqa: E402

PACKED = pathlib.Path(os.environ.get("NYSTROM_GPU_BUNDLE", ".gpu-bundle")).resolve()
FILES = ("results.json", "results.txt", "kernels.json")


def environment(bundle, added):
    """Of our programs. What the machine has goes before what was packed, and the packed C++ library is for machines
    whose own is too old."""
    env = dict(os.environ)
    folders = [*added, *env.get("LD_LIBRARY_PATH", "").split(":"), f"{bundle}/lib"]
    env["LD_LIBRARY_PATH"] = ":".join(folder for folder in folders if folder)
    tools = ["/usr/local/cuda/bin", *sorted(glob.glob("/opt/nvidia/nsight-compute/*"), reverse=True)]
    env["PATH"] = ":".join([f"{bundle}/bin", env.get("PATH", ""), *tools])
    env["NYSTROM_SHARED"] = str(bundle)  # where the tests look for golden/
    env.update(OMP_NUM_THREADS="4", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
               OPAL_PREFIX=str(bundle / "openmpi"), OMPI_MCA_mca_base_component_path=f"{bundle}/openmpi/plugins",
               OMPI_MCA_btl="self,vader", OMPI_MCA_ess_singleton_isolated="1",
               OMPI_MCA_plm="isolated",  # ranks of this machine alone: no ssh is looked for
               NCCL_SOCKET_IFNAME="lo", PYTHONUNBUFFERED="1")
    if not (bundle / "openmpi/plugins").is_dir():
        for key in ("OPAL_PREFIX", "OMPI_MCA_mca_base_component_path"):
            env.pop(key)
    if not starts(env) and (bundle / "lib-gcc").is_dir():
        env["LD_LIBRARY_PATH"] += f":{bundle}/lib-gcc"
    return env


def starts(env):
    try:
        return subprocess.run(["nystrom", "--version"], env=env, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class Process:
    """A command in its own session, its output in a file: so that it can be ended with all its children, and a
    child that lives on does not keep anyone waiting."""

    def __init__(self, command, env, folder):
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def wait(self, seconds):
        """Whether it ended in time; else it is killed."""
        try:
            self.process.wait(max(0.1, seconds))
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def kill(self):
        for what in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, what)
                self.process.wait(3)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def text(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


class Runner:
    def __init__(self, args, out, bundle, env):
        self.args, self.out, self.env = args, out, env
        self.runs = pathlib.Path(tempfile.mkdtemp(prefix="nystrom-runs-"))
        self.bundle, self.start, self.entries, self.background, self.begun = bundle, args.start, [], {}, []

    def left(self):
        return self.args.budget - (time.monotonic() - self.start)

    def begin(self, stage, command):
        env = self.env if stage.ours else {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.begun.append(Process(command, env, self.runs))
        return self.begun[-1]

    def limit(self, stage):
        return min(stage.limit, self.args.limit or stage.limit, self.left())

    def run_one(self, stage, command, limit):
        """(status, output) of a process from beginning to end."""
        begun = time.monotonic()
        try:
            process = self.background.pop(stage.name, None) or self.begin(stage, command)
        except OSError as problem:
            return f"failed: {problem}", ""
        if stage.turn:
            status = self.give_turn(stage, process, limit)
            if status:
                return status, process.text()
        in_time = process.wait(limit - (time.monotonic() - begun))
        code = process.process.returncode
        status = "passed" if code == 0 else f"failed ({code})"
        return status if in_time else f"timed out after {limit:.0f} s", process.text()

    def give_turn(self, stage, process, limit):
        """Waits until it has compiled, then lets it time; empty where it continued."""
        until = time.monotonic() + limit
        ready = pathlib.Path(f"{stage.turn}.ready")
        while not ready.exists():
            if process.process.poll() is not None:
                return f"failed ({process.process.returncode})"
            if time.monotonic() > until:
                process.kill()
                return f"timed out after {limit:.0f} s"
            time.sleep(0.05)
        stage.turn.touch()
        return ""

    def run(self, stage):
        entry = {"part": stage.name, "status": "no time left"}
        if self.left() < 3:
            return entry
        begun, limit = time.monotonic(), self.limit(stage)
        with concurrent.futures.ThreadPoolExecutor(stage.together) as pool:
            done = list(pool.map(lambda command: self.run_one(stage, command, limit - (time.monotonic() - begun)),
                                 stage.commands))
        bad = [(status, output, command) for (status, output), command in zip(done, stage.commands)
               if status != "passed"]
        entry["status"] = "passed"
        output = done[-1][1]
        if bad:
            more = f" ({len(bad)} of {len(done)}: {' '.join(bad[0][2])})" if len(done) > 1 else ""
            entry["status"], output = bad[0][0] + more, bad[0][1]
        entry["output"] = output[-3000:]
        if not bad and stage.read:
            try:
                entry.update(stage.read(output))
            except Exception as problem:  # noqa: BLE001: what cannot be read does not stop the others
                entry["status"] = f"failed: its output could not be read: {problem!r}"
        entry["seconds"] = round(time.monotonic() - begun, 2)
        return entry

    def write(self):
        (self.out / "results.json").write_text(json.dumps(self.entries, indent=1))
        (self.out / "results.txt").write_text(tables.text(self.entries))
        if (self.runs / "kernels.json").exists():
            shutil.copyfile(self.runs / "kernels.json", self.out / "kernels.json")

    def run_all(self, found):
        self.entries.append({"part": "libraries", "status": "passed", "seconds": 0, "libraries": found})
        for item in stages.all_stages(self.bundle, self.runs, self.env["PATH"]):
            beginning = isinstance(item, stages.Beginning)
            stage = item.stage if beginning else item
            if not re.search(self.args.only, stage.name):
                continue
            if beginning:
                self.start_in_background(stage)
                continue
            self.entries.append(self.run(stage))
            print(tables.line(self.entries[-1]), flush=True)
            self.write()
        self.write()
        return [entry["part"] for entry in self.entries if entry["status"] != "passed"]

    def start_in_background(self, stage):
        try:
            self.background[stage.name] = self.begin(stage, stage.commands[0])
        except OSError:
            pass  # reported when its turn comes

    def close(self):
        for process in self.begun:
            if process.process.poll() is None:
                process.kill()
        shutil.rmtree(self.runs, ignore_errors=True)


def unpack(packed, folder):
    archives = sorted(packed.glob("bundle.tar*"))
    if not archives:
        sys.exit(f"run.sh: there is no bundle.tar in {packed}. Create it with benchmarks/gpu/bundle.sh, and name the "
                 "folder in NYSTROM_GPU_BUNDLE.")
    try:
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
    except (EOFError, OSError, tarfile.TarError) as problem:
        sys.exit(f"run.sh: {archives[0]} could not be unpacked: {problem}. Create it again with benchmarks/gpu/bundle.sh.")
    return json.loads((folder / "bundle.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", default="gpu-results")
    parser.add_argument("--only", default="", help="regular expression that selects stages by name")
    parser.add_argument("--budget", type=float, default=460, help="seconds in all (460)")
    parser.add_argument("--limit", type=float, help="seconds of a stage, where its own limit is longer")
    args = parser.parse_args()
    args.start = time.monotonic()
    out = pathlib.Path(args.output).resolve()
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (out / name).unlink(missing_ok=True)
    bundle = pathlib.Path(tempfile.mkdtemp(prefix="nystrom-bundle-"))
    runner = None
    try:
        made = unpack(PACKED, bundle)
        print(f"bundle of commit {made['commit']}, unpacked in {time.monotonic() - args.start:.1f} s", flush=True)
        found, added = libraries.search()
        for library, path in found.items():
            print(f"{library}: {path or 'not found'}", flush=True)
        problem = "" if made["emulation"] else libraries.missing_sentence(found)
        if problem:
            (out / "results.txt").write_text(problem + "\n")
            sys.exit(f"run.sh: {problem}")
        runner = Runner(args, out, bundle, environment(bundle, added))
        signal.signal(signal.SIGTERM, lambda *_: (runner.close(), sys.exit(1)))
        failed = runner.run_all(found)
        print("\n" + tables.text(runner.entries), end="", flush=True)
        return 1 if failed else 0
    finally:
        if runner:
            runner.close()
        shutil.rmtree(bundle, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
