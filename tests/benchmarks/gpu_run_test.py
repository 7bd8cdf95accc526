#!/usr/bin/env python3
"""Test of benchmarks/gpu/run.py without a GPU: what it does with libraries that hide, programs that fail or hang, an
output folder that exists, and too little time. The bundle has scripts in place of the programs."""
import json
import os
import pathlib
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "gpu"))
import libraries  # noqa: E402
import tables  # noqa: E402

BENCH = json.dumps({"tokens_per_second": 1000, "milliseconds_per_step": 65.536, "peak_memory_bytes": 2**30,
                    "share_of_bound": 0.5, "parts": {}, "kernels": {"rows": {"milliseconds": 6.5536, "calls": 12}},
                    "machine": {"gpu": "a GPU", "bf16_gflops": 790e3, "fp32_gflops": 50e3,
                                "copy_gigabytes_per_second": 4300}})
WITHOUT_WGMMA = BENCH.replace('"tokens_per_second": 1000', '"tokens_per_second": 800')
PEER = json.dumps({"batch": 64, "tokens_per_second": 250, "milliseconds_per_step": 1, "peak_memory_bytes": 2**31})
NYSTROM = f"""case "$*" in
  --version) echo 1;;
  doctor*) echo '{{"gpus": []}}';;
  bench*) echo a table; if [ "$NYSTROM_WGMMA" = off ]; then echo '{WITHOUT_WGMMA}'; else echo '{BENCH}'; fi;;
  verify*broken*) echo wrong by 3; exit 1;;
  *) echo fine;;
esac"""
# python3 of the peers: the arguments that matter are --compile, --turn and --batch.
PYTHON = f"""case "$*" in
  *--compile*) while [ $# -gt 0 ]; do [ "$1" = --turn ] && turn=$2; shift; done
    sleep 0.5; touch "$turn.ready"; while [ ! -e "$turn" ]; do sleep 0.05; done; echo '{PEER}';;
  *transformers_step*) echo '{{"batch": 128, "problem": "out of memory"}}'; echo '{PEER}';;
  *) exec {sys.executable} "$@";;
esac"""


class GpuRun(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        self.tools = self.folder / "tools"
        self.script(self.tools / "python3", PYTHON)
        self.script(self.tools / "nvidia-smi", "echo a GPU")
        self.script(self.tools / "ldconfig", "true")  # a loader that lists no library

    @staticmethod
    def script(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def pack(self, programs, emulation=True, cases=("small", "published-head-shape")):
        bundle = self.folder / "bundle"
        for name, text in programs.items():
            self.script(bundle / "bin" / name, text)
        for case in cases:
            (bundle / "golden" / case).mkdir(parents=True)
            (bundle / "golden" / case / "case.h5").write_text(case)
        (bundle / "golden" / "trajectory").mkdir()
        steps = [{"loss": 2.0}]
        recipe = dict.fromkeys(("mlm_weight", "sop_weight", "steps", "global_batch", "clip_norm", "learning_rate",
                                "beta1", "beta2", "epsilon", "weight_decay", "warmup_steps"), 1)
        (bundle / "golden/trajectory/trajectory.json").write_text(json.dumps({"recipe": recipe, "steps": steps}))
        (bundle / "bundle.json").write_text(json.dumps({"commit": "abc", "emulation": emulation}))
        (self.folder / "packed").mkdir()
        with tarfile.open(self.folder / "packed/bundle.tar.gz", "w:gz") as archive:
            archive.add(bundle, arcname=".")

    def run_script(self, *options, **environment):
        env = {**os.environ, "NYSTROM_GPU_BUNDLE": str(self.folder / "packed"), "TMPDIR": str(self.folder / "tmp"),
               "PATH": f"{self.tools}:/usr/bin:/bin", "NYSTROM_GPU_ROOT": f"{self.folder}/", "CUDA_HOME": "",
               "CUDA_PATH": "", "LD_LIBRARY_PATH": "", **environment}
        (self.folder / "tmp").mkdir(exist_ok=True)
        self.out = self.folder / "out"
        return subprocess.run([sys.executable, str(ROOT / "benchmarks/gpu/run.py"), str(self.out), *options], env=env,
                              capture_output=True, text=True, timeout=120)

    def results(self):
        return {entry["part"]: entry for entry in json.loads((self.out / "results.json").read_text())}

    def test_figures_stand_in_the_table_at_the_end_and_nothing_else_is_left(self):
        self.pack({"nystrom": NYSTROM, "cuda_ops_test": "echo ok"})
        self.out = self.folder / "out"
        (self.out / "of someone else").mkdir(parents=True)
        (self.out / "results.json").write_text("old")
        done = self.run_script("--only", "bench|transformers|cuda_ops|case|doctor|nvidia")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        last = done.stdout.splitlines()[-20:]
        self.assertIn(f"{'over transformers eager, 512':<54}{4:>6.2f}", "\n".join(last))
        self.assertIn(f"{'over transformers compiled, 512':<54}{4:>6.2f}", "\n".join(last))
        self.assertIn(f"{'wgmma over mma.sync, 512':<54}{1.25:>6.2f}", "\n".join(last))
        self.assertRegex(last[-1], r"^(\d+) of \1 stages passed$")
        self.assertEqual(sorted(p.name for p in self.out.iterdir()), ["of someone else", "results.json", "results.txt"])
        self.assertEqual(self.results()["transformers eager 512"]["batch"], 64)
        self.assertIn("rows", done.stdout)
        self.assertEqual(list((self.folder / "tmp").iterdir()), [])

    def test_stages_that_fail_or_hang_or_say_nonsense_do_not_stop_the_others(self):
        hang = NYSTROM.replace("doctor*) echo", "doctor*) trap '' TERM; (trap '' TERM; sleep 300) & sleep 300; echo")
        self.pack({"nystrom": hang, "cuda_ops_test": "echo a test failed; exit 7",
                   "cuda_attention_test": "kill -SEGV $$", "kernel_benchmark": "echo '{' >\"$2\""},
                  cases=("broken", "small"))
        begun = time.monotonic()
        done = self.run_script("--only", "doctor|cuda_|kernels|all cases|bench nystrom 512$", "--limit", "2")
        self.assertLess(time.monotonic() - begun, 60)
        self.assertEqual(done.returncode, 1)
        results = self.results()
        self.assertEqual(results["doctor"]["status"], "timed out after 2 s")
        self.assertEqual(results["cuda_ops_test"]["status"], "failed (7)")
        self.assertIn("a test failed", results["cuda_ops_test"]["output"])
        self.assertEqual(results["cuda_attention_test"]["status"], "failed (-11)")
        self.assertEqual(results["kernels"]["status"], "passed")
        self.assertRegex(results["all cases"]["status"], r"failed \(1\) \(2 of 4: nystrom verify .*broken")
        self.assertEqual(results["bench nystrom 512"]["status"], "passed")
        self.assertTrue((self.out / "kernels.json").exists())
        self.assertIn("; not: doctor, cuda_ops_test, cuda_attention_test, cuda_attention_test without wgmma, all cases",
                      done.stdout.splitlines()[-1])

    def test_a_peer_that_never_gets_ready_or_dies_while_compiling_is_told(self):
        self.pack({"nystrom": NYSTROM})
        self.script(self.tools / "python3", PYTHON.replace("sleep 0.5", "sleep 300"))
        self.run_script("--only", "compiled", "--limit", "2")
        self.assertEqual(self.results()["transformers compiled 512"]["status"], "timed out after 2 s")
        self.script(self.tools / "python3", PYTHON.replace("sleep 0.5", "echo no torch; exit 3"))
        self.run_script("--only", "compiled", "--limit", "20")
        self.assertEqual(self.results()["transformers compiled 512"]["status"], "failed (3)")

    def test_the_run_ends_within_its_time_with_what_it_has(self):
        self.pack({"nystrom": NYSTROM.replace("echo a table;", "sleep 3;")})
        done = self.run_script("--only", "bench", "--budget", "8")
        self.assertEqual(done.returncode, 1)
        statuses = [entry["status"] for entry in self.results().values()]
        self.assertIn("passed", statuses)
        self.assertIn("no time left", statuses)
        self.assertIn("tokens/s", (self.out / "results.txt").read_text())

    def test_missing_libraries_stop_the_run_before_anything_is_measured(self):
        self.pack({"nystrom": NYSTROM}, emulation=False)
        done = self.run_script()
        self.assertEqual(done.returncode, 1)
        self.assertIn("libcublasLt.so.13 and libcuda.so.1 are neither known", done.stderr)
        self.assertFalse((self.out / "results.json").exists())
        self.assertIn("neither known to the loader", (self.out / "results.txt").read_text())

    def test_a_bundle_that_is_cut_off_or_missing_is_a_sentence(self):
        self.pack({"nystrom": NYSTROM})
        packed = self.folder / "packed/bundle.tar.gz"
        packed.write_bytes(packed.read_bytes()[:200])
        done = self.run_script()
        self.assertEqual(done.returncode, 1)
        self.assertIn("could not be unpacked", done.stderr)
        packed.unlink()
        self.assertIn("there is no bundle.tar in", self.run_script().stderr)
        self.assertEqual(list((self.folder / "tmp").iterdir()), [])

    def test_libraries_in_python_packages_and_toolkits_are_found_and_given_to_our_programs_alone(self):
        packages = self.folder / "site-packages"
        for name in ("nvidia/cu13/lib/libcublasLt.so.13", "nvidia/nccl/lib/libnccl.so.2"):
            (packages / name).parent.mkdir(parents=True, exist_ok=True)
            (packages / name).write_text("")
        driver = self.folder / "driver"
        driver.mkdir()
        (driver / "libcuda.so.1").write_text("")
        self.script(self.tools / "nvidia-smi", 'echo "nvidia-smi has [$LD_LIBRARY_PATH]"')
        self.pack({"nystrom": NYSTROM.replace("doctor*) echo", "doctor*) echo \"$LD_LIBRARY_PATH\"; echo")},
                  emulation=False)
        done = self.run_script("--only", "doctor|nvidia", PYTHONPATH=str(packages), LD_LIBRARY_PATH=str(driver))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"libcublasLt: {packages}/nvidia/cu13/lib/libcublasLt.so.13", done.stdout)
        self.assertIn(f"libcuda: {driver}/libcuda.so.1", done.stdout)
        results = self.results()
        self.assertEqual(results["nvidia-smi"]["text"].strip(), f"nvidia-smi has [{driver}]")
        given = results["doctor"]["output"].splitlines()[0].split(":")
        self.assertEqual(given[:3], [f"{packages}/nvidia/cu13/lib", f"{packages}/nvidia/nccl/lib", str(driver)])
        self.assertTrue(given[3].endswith("/lib"), given)

    def test_the_newest_library_wins_and_toolkits_are_looked_through(self):
        toolkit = self.folder / "usr/local/cuda-12.8/lib64"
        toolkit.mkdir(parents=True)
        (toolkit / "libcublasLt.so.12").write_text("")
        with unittest.mock.patch.dict(os.environ, {"PATH": "/nowhere", "CUDA_HOME": "", "CUDA_PATH": "",
                                                   "LD_LIBRARY_PATH": ""}):
            folders = libraries.toolkit_folders(f"{self.folder}/")
        names = libraries.CUDA["libcublasLt"]
        self.assertEqual(libraries.find(names, folders, {}), (f"{toolkit}/libcublasLt.so.12", str(toolkit)))
        cached = {"libcublasLt.so.13": "/somewhere/libcublasLt.so.13"}
        self.assertEqual(libraries.find(names, folders, cached), ("/somewhere/libcublasLt.so.13", None))
        self.assertEqual(libraries.find(("libnccl.so.2",), folders, {}), (None, None))

    def test_an_interrupted_run_leaves_its_figures_and_no_processes(self):
        self.pack({"nystrom": NYSTROM.replace("doctor*) echo", "doctor*) exec sleep 4242; echo")})
        env = {**os.environ, "NYSTROM_GPU_BUNDLE": str(self.folder / "packed"), "PATH": f"{self.tools}:/usr/bin:/bin"}
        running = subprocess.Popen([sys.executable, str(ROOT / "benchmarks/gpu/run.py"), str(self.folder / "out"),
                                    "--only", "doctor|nvidia"], env=env, stdout=subprocess.PIPE, text=True)
        for line in running.stdout:
            if line.startswith("nvidia-smi"):
                break
        time.sleep(1)
        running.terminate()
        running.wait(20)
        running.stdout.close()
        self.assertTrue((self.folder / "out/results.json").exists())
        listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        self.assertNotIn("sleep 4242", listing)


class Tables(unittest.TestCase):
    def test_kernels_are_in_nanoseconds_a_token(self):
        entry = {"part": "bench nystrom 512", "status": "passed", **json.loads(BENCH)}
        self.assertIn(f"{'rows':<58}{12:>8}{1e6 * 6.5536 / 65.536:>10.1f}", tables.text([entry]))


if __name__ == "__main__":
    unittest.main()
