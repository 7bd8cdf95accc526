#!/usr/bin/env bash
# How long does a run stand still for a checkpoint? The paper's base model (110 M parameters with the usual
# vocabulary), a few steps of two sequences, a checkpoint each second step.
#
#   tests/endurance/pause.sh [PROGRAM] [--set key=value ...]
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-build/nystrom}")
shift || true
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
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
