#!/usr/bin/env bash
# Experiment: the Long Range Arena on a CPU, every attention kind with one network and one recipe (docs/results.md).
#
#   benchmarks/experiments/lra.sh TASK [WORK [RUN ...]]
#
# TASK is listops, fashion, pathfinder or text; WORK (lra-experiment) takes data and runs. RUN is an attention kind,
# KIND-0 for the kind without its convolution, or, of text and pathfinder, KIND-pretrained for one that is first pretrained
# on the task's own training inputs; by default all kinds, and nystrom-0 and softmax-0. Runs follow each other, and what was
# stopped continues where it stopped. At the end: the table of all runs of the task that are there.
#
# THREADS (1) and PROGRAM (build/nystrom) are variables of the environment. `fashion` needs Debian's package
# dataset-fashion-mnist, `text` the directory aclImdb or its tar under IMDB.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
program=$(realpath "${PROGRAM:-$here/build/nystrom}")
task=${1:-}
work=${2:-lra-experiment}
runs=("${@:3}")
[[ ${#runs[@]} -gt 0 ]] || runs=(nystrom softmax longformer linformer performer linear reformer none nystrom-0 softmax-0)
mkdir -p "$work"
cd "$work"

# train RUN STAGE CONFIG KEY=VALUE ...: one run into runs/TASK/RUN (all but the last stage: runs/TASK-STAGE/RUN).
train() {
  local run=$1 directory=runs/$task$2/$1 config=$here/configs/lra/$3 keys=()
  shift 3
  [[ -e $directory/results.json ]] && return
  [[ $run == *-0 ]] && keys+=(--set model.attention.convolution=0)
  for key in "$@"; do keys+=(--set "$key"); done
  mkdir -p "$(dirname "$directory")"
  "$program" finetune "$config" --set 'grid={}' --set "model.attention.kind=${run%%-*}" --set "run.directory=$directory" \
    --set "run.threads=${THREADS:-1}" --set run.log_every=20 "${keys[@]}" 2>&1 | tee "$(dirname "$directory")/$run.log"
}

# pretrain RUN KEY=VALUE ...: self-pretraining for a RUN that is called so, into runs/TASK-pretraining/KIND. Prints the key
# by which the fine-tuning begins there.
pretrain() {
  local kind=${1%-pretrained} directory=runs/$task-pretraining/${1%-pretrained} keys=()
  [[ $kind != "$1" ]] || return 0
  shift
  for key in "$@"; do keys+=(--set "$key"); done
  mkdir -p "$(dirname "$directory")"
  "$program" pretrain "$here/configs/lra/listops-pretrain.yaml" --resume auto --set "task.name=$task" --set model.dropout=0 \
    --set "model.attention.kind=$kind" --set "run.directory=$directory" --set "run.threads=${THREADS:-1}" \
    --set run.log_every=20 "${keys[@]}" 2>&1 | tee -a "$(dirname "$directory")/$kind.log" >&2 || return
  echo "model.from=$directory"
}

# ListOps by a curriculum of lengths. The last stage is the benchmark's task; its test part is the one that counts.
listops() {
  [[ -e short/listops ]] || "$program" lra generate listops --out short --train 90000 --longer-than 4 --shorter-than 100
  [[ -e middle/listops ]] || "$program" lra generate listops --out middle --train 30000 --longer-than 100 --shorter-than 500
  [[ -e long/listops ]] || "$program" lra generate listops --out long --train 30000
  local common=(model.attention.landmarks=64 model.dropout=0 model.initialization=normal model.initializer_range=0.1
                optimizer.learning_rate=1e-3 evaluation.every_steps=5000)
  for run in "${runs[@]}"; do
    train "$run" -short listops.yaml task.path=short training.steps=2814 training.global_batch=64 \
      schedule.warmup_steps=200 "${common[@]}"
    train "$run" -middle listops.yaml task.path=middle training.steps=469 training.global_batch=64 \
      schedule.warmup_steps=50 "model.from=runs/$task-short/$run" "${common[@]}"
    train "$run" "" listops.yaml task.path=long training.steps=938 schedule.warmup_steps=50 \
      "model.from=runs/$task-middle/$run" "${common[@]}" optimizer.learning_rate=5e-4
  done
}

pictures=(task.zero=absent model.positions=row_column model.attention.landmarks=64 model.dropout=0
          optimizer.learning_rate=1e-3 training.global_batch=64 training.clip_norm=1)

# Fashion-MNIST in place of CIFAR-10: 28 x 28 grey levels.
fashion() {
  for run in "${runs[@]}"; do
    train "$run" "" image.yaml task.path=/usr/share/datasets/fashion-mnist training.steps=1000 schedule.warmup_steps=100 \
      evaluation.every_steps=250 "${pictures[@]}"
  done
}

# Contours of 6 segments, the easiest of the benchmark's three: self-pretraining, without which nothing was learned in the
# time there was, then a curriculum, which saves some (docs/results.md).
pathfinder() {
  [[ -e short/pathfinder32 ]] || "$program" lra generate pathfinder --out short --contour 3 --images 60000
  [[ -e pathfinder32 ]] || "$program" lra generate pathfinder --out . --contour 6 --images 200000
  local network=(model.layers=4 model.heads=4 model.pooling=max training.global_batch=32 schedule.warmup_steps=300) from
  for run in "${runs[@]}"; do
    from=$(pretrain "$run" task.path=pathfinder32 data.sequence_length=1024 data.masking.probability=0.5 \
             training.steps=3000 "${pictures[@]}" "${network[@]}" optimizer.learning_rate=2e-3)
    train "$run" -short pathfinder.yaml ${from:+"$from"} task.path=short training.steps=1500 evaluation.every_steps=1500 \
      "${pictures[@]}" "${network[@]}"
    train "$run" "" pathfinder.yaml "model.from=runs/$task-short/$run" task.path=pathfinder32 training.steps=6000 \
      evaluation.every_steps=1000 "${pictures[@]}" "${network[@]}"
  done
}

# Reviews as bytes, up to 4,000 of each.
text() {
  : "${IMDB:?is not set: the directory aclImdb or its tar}"
  local from
  for run in "${runs[@]}"; do
    from=$(pretrain "$run" "task.path=$IMDB" data.sequence_length=4000 data.masking.probability=0.15 training.steps=2000 \
             schedule.warmup_steps=100 model.attention.landmarks=64)
    train "$run" "" text.yaml ${from:+"$from"} "task.path=$IMDB" training.steps=1400 \
      evaluation.every_steps=350 schedule.warmup_steps=100 model.attention.landmarks=64 model.dropout=0 \
      optimizer.learning_rate=1e-3 training.clip_norm=1
  done
}

case $task in
  listops | fashion | pathfinder | text) "$task" ;;
  *)
    sed -n '2,/^set/{/^#/{s/^# \{0,1\}//;p}}' "$0" >&2
    exit 2
    ;;
esac
"$program" table "runs/$task"/*/
