#!/usr/bin/env bash
# A launcher of nvcc (CMAKE_CUDA_COMPILER_LAUNCHER) that keeps, beside each object FILE.o, what the checks of compiled
# kernels read: FILE.o.ptx, FILE.o.cubin and FILE.o.ptxas, the assembler's report of registers, spills and memory. For one
# architecture.
#
#     tests/cuda/keep_by_nvcc.sh nvcc OPTIONS... -o FILE.o ...
set -uo pipefail
output=
previous=
for argument in "$@"; do
  [[ $previous == -o ]] && output=$argument
  previous=$argument
done
if [[ $output != *.o ]]; then exec "$@"; fi
kept=$(mktemp -d) || exit
trap 'rm -rf "$kept"' EXIT
rm -f "$output".{ptx,cubin,ptxas}
"$@" -Xptxas=-v --keep --keep-dir "$kept" 2>"$kept/report" || { status=$?; cat "$kept/report" >&2; exit "$status"; }
grep -v '^ptxas info' "$kept/report" | grep -vE '^ +[0-9]+ bytes stack frame' >&2
mv "$kept"/*.ptx "$output.ptx" && mv "$kept"/*.cubin "$output.cubin" && mv "$kept/report" "$output.ptxas"
