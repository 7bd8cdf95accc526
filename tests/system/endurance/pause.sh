#!/usr/bin/env bash
# Checkpoint stall and shutdown time: how long does a checkpoint pause training, and how long does a run need to save and
# stop after SIGTERM? Trains the paper's base model (110 M parameters with the usual vocabulary) for a few steps with a
# checkpoint every second step, then sends SIGTERM to a run in the middle of a step.
#
#   tests/system/endurance/pause.sh [PROGRAM] [--set key=value ...]
set -euo pipefail
cd "$(dirname "$0")/../../.."
program=$(realpath "${1:-build/nystrom}")
shift || true
folder=$(mktemp -d)
job=
finish() {
  [[ -z $job ]] || kill -KILL "$job" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
for i in $(seq 3000); do
  echo "The old miller number $((i * 7919 % 1009)) walks to river $((i % 17)). A quiet garden follows the letter home."
  (( i % 6 )) || echo
done >"$folder/text.txt"
cat >"$folder/run.yaml" <<YAML
corpus: [{kind: lines, path: $folder/text.txt}]
tokenizer: {kind: unigram, vocabulary_size: 80}
output: {directory: $folder/prepared}
run: {directory: $folder/run}
model: {vocabulary_size: 30000, hidden_size: 768, layers: 12, heads: 12, intermediate_size: 3072, max_positions: 512}
data: {shards: [$folder/prepared/train/*.h5], sequence_length: 128}
training: {steps: 7, global_batch: 16, micro_batch: 16}
checkpoint: {every_steps: 2, keep: 1}
YAML
"$program" prepare "$folder/run.yaml" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
"$program" pretrain "$folder/run.yaml" "$@" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
grep -oE "step-[0-9]+.h5 \(.*" "$folder/log"
awk -F'"seconds": ' '{split($2, a, /[,}]/); if (NR > 2) {printf "step %d: %.2f s\n", NR, a[1] - last}; last = a[1]}' \
  "$folder/run/metrics.jsonl"

"$program" pretrain "$folder/run.yaml" "$@" --set run.directory="$folder/stopped" --set training.steps=1000 \
  --set checkpoint.every_steps=1000 >"$folder/log" 2>&1 &
job=$!
lines_written() { if [[ -e $folder/stopped/metrics.jsonl ]]; then wc -l <"$folder/stopped/metrics.jsonl"; else echo 0; fi; }
until (( $(lines_written) >= 2 )); do
  kill -0 "$job" 2>/dev/null || { cat "$folder/log"; exit 1; }
  sleep 0.05
done
began=$EPOCHREALTIME
kill -TERM "$job"
status=0
wait "$job" || status=$?
job=
awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "from SIGTERM to exit: %.2f s\n", b - a }'
[[ $status == 3 ]] || { cat "$folder/log"; echo "pause.sh: expected exit status 3, got $status"; exit 1; }
