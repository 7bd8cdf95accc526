#!/bin/sh
# Resume across builds: a checkpoint that OLD wrote resumes in NEW to the same bits as in OLD.
#
#   tests/system/compatibility/resume.sh OLD NEW        two builds of nystrom, on one machine
#
# Prepares a tiny text and trains with OLD, resumes at step 4 with both, and compares every number of metrics.jsonl
# and the weights of the last step: in fp32 and bf16, and on two ranks with sharded optimizer state. Exit status 1 if
# anything differs.
set -eu
[ $# = 2 ] || { sed -n '2,8p' "$0"; exit 2; }
case=$(cd "$(dirname "$0")" && pwd)/case.sh
old=$(realpath "$1") new=$(realpath "$2")
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
. "$case"
"$old" prepare config.yaml >prepare.txt 2>&1 || { cat prepare.txt >&2; exit 1; }

# train RANKS PROGRAM ARGUMENTS...
train() {
  ranks=$1 && shift
  if [ "$ranks" != 1 ]; then set -- mpirun --oversubscribe --bind-to none -n "$ranks" "$@"; fi
  "$@" >log.txt 2>&1 || { cat log.txt >&2; exit 1; }
}
numbers() { sed -E 's/, "(seconds|tokens_per_second|validation_seconds)": [^,}]*//g' "$1"; }
digest() {
  "$new" convert --from "$1" --to "$2" >convert.txt 2>&1 || { cat convert.txt >&2; exit 1; }
  sha256sum <"$2/model.safetensors"
}

# compare NAME RANKS KEYS...: OLD to the end, then OLD and NEW from its checkpoint of step 4
compare() {
  name=$1 ranks=$2 && shift 2
  train "$ranks" "$old" pretrain config.yaml --set run.directory="$name" "$@"
  for program in old new; do
    eval train "$ranks" "\$$program" pretrain config.yaml --set run.directory="$name-$program" '"$@"' \
      --resume "$name/checkpoints/step-00000004.h5"
    numbers "$name-$program/metrics.jsonl" >"$name-$program.txt"
    digest "$name-$program/checkpoints/step-00000012.h5" "$name-$program-model" >"$name-$program.sha256"
  done
  [ "$(grep -c '"loss"' "$name-new.txt")" = 8 ] || { echo "$name: not 8 steps" >&2; exit 1; }
  cmp "$name-old.txt" "$name-new.txt"
  cmp "$name-old.sha256" "$name-new.sha256"
  echo "$name: $(wc -l <"$name-new.txt") lines of metrics and the weights of step 12 are equal" \
    "(SHA-256 $(cut -c1-16 "$name-new.sha256")...)"
}
compare fp32 1
compare bf16 1 --set training.precision=bf16
compare zero 2 --set training.zero=true
