#!/usr/bin/env bash
# Test of benchmarks/gpu/bundle.sh and run.sh with the emulated GPU: the bundle is small and self-contained, the stages
# that do not measure speed pass, and the result files are written.
#
#   tests/cuda/gpu_script.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
golden=${NYSTROM_SHARED:-../shared}/golden
fail() { echo "gpu_script: $*" >&2; exit 1; }
if [[ ! -d $golden ]]; then
  echo "gpu_script: skipped: no reference values next to this checkout (NYSTROM_SHARED)"
  exit 77
fi
command -v python3 >/dev/null || { echo "gpu_script: skipped: python3 is not installed"; exit 77; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
benchmarks/gpu/bundle.sh "$build" "$golden" "$folder/packed"  # fails if the bundle is too large
mkdir "$folder/bundle"
python3 -m tarfile -e "$folder/packed/bundle.tar.xz" "$folder/bundle"

# Only the C library and the dynamic loader come from the machine.
foreign=$(env -i LD_LIBRARY_PATH="$folder/bundle/lib" ldd "$folder/bundle/bin/nystrom" |
  grep -vE "$folder/bundle/lib/|linux-vdso|ld-linux|lib(c|m|dl|pthread|rt)\.so" || true)
[[ -z $foreign ]] || fail "these libraries are not in the bundle: $foreign"
env -i LD_LIBRARY_PATH="$folder/bundle/lib" "$folder/bundle/bin/nystrom" --help >/dev/null || fail "nystrom --help failed in the bundle"

smallest=$(ls -S -r "$golden"/*/case.h5 | head -1 | xargs dirname | xargs basename)
NYSTROM_GPU_BUNDLE=$folder/packed NYSTROM_EMULATION_DEVICES=2 \
  benchmarks/gpu/run.sh "$folder/results" --only "doctor|golden $smallest fp32|trajectory two-mpi" ||
  fail "a stage failed: $(cat "$folder/results/results.json")"
[[ $(grep -c passed "$folder/results/results.txt") == 3 ]] || fail "expected three passed stages: $(cat "$folder/results/results.txt")"
