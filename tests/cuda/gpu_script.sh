#!/usr/bin/env bash
# Test of benchmarks/gpu/bundle.sh and run.sh with the emulated GPU: the bundle is small and self-contained, stages that
# do not measure speed pass, and the result files are written. With ROOT, a bare system that has python3 and none of this
# project's packages, the stages run in there:
#
#   tests/cuda/gpu_script.sh BUILD [ROOT]
#   debootstrap --variant=minbase --include=python3 trixie ROOT
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
root=${2:-}
golden=${NYSTROM_SHARED:-../shared}/golden
fail() { echo "gpu_script: $*" >&2; exit 1; }
if [[ ! -d $golden ]]; then
  echo "gpu_script: skipped: no reference values next to this checkout (NYSTROM_SHARED)"
  exit 77
fi
command -v python3 >/dev/null || { echo "gpu_script: skipped: python3 is not installed"; exit 77; }

folder=$(mktemp -d)
trap 'rm -rf "$folder" ${root:+"$root/gpu_script"}' EXIT
benchmarks/gpu/bundle.sh "$build" "$golden" "$folder/packed"  # fails if the bundle is too large
mkdir "$folder/bundle"
python3 -m tarfile -e "$folder/packed/bundle.tar.xz" "$folder/bundle"

# Only the C and the C++ library and the dynamic loader come from the machine.
foreign=$(env -i LD_LIBRARY_PATH="$folder/bundle/lib" ldd "$folder/bundle/bin/nystrom" |
  grep -vE "$folder/bundle/lib/|linux-vdso|ld-linux|lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s)\.so" || true)
[[ -z $foreign ]] || fail "these libraries are not in the bundle: $foreign"
env -i LD_LIBRARY_PATH="$folder/bundle/lib" "$folder/bundle/bin/nystrom" --help >/dev/null || fail "nystrom --help failed in the bundle"

only='doctor|trajectory (one|two-mpi)$'
if [[ $root ]]; then
  place=$root/gpu_script
  rm -rf "$place"
  mkdir -p "$place/benchmarks"
  cp -r benchmarks/gpu benchmarks/peers "$place/benchmarks/"
  cp -r "$folder/packed" "$place/.gpu-bundle"
  run=(chroot "$root" /usr/bin/env -i HOME=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
    NYSTROM_EMULATION_DEVICES=2 /gpu_script/benchmarks/gpu/run.sh /gpu_script/results)
  results=$place/results
else
  run=(env "NYSTROM_GPU_BUNDLE=$folder/packed" NYSTROM_EMULATION_DEVICES=2 benchmarks/gpu/run.sh "$folder/results")
  results=$folder/results
fi
"${run[@]}" --only "$only" || fail "a stage failed: $(cat "$results/results.json")"
[[ $(tail -1 "$results/results.txt") == "4 of 4 stages passed" ]] || fail "expected four passed stages: $(cat "$results/results.txt")"
