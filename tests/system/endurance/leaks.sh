#!/usr/bin/env bash
# Memory leak check with LeakSanitizer (and AddressSanitizer): a short run with checkpoints and evaluation. Covers
# prepare, pretrain, resume, inspect and convert.
#
#   tests/system/endurance/leaks.sh [PROGRAM]    PROGRAM is built with -fsanitize=address; default: build-fuzz/nystrom, which
#                                         is built with clang first (preset `fuzz`)
set -euo pipefail
cd "$(dirname "$0")/../../.."
if (( $# == 0 )); then
  source tests/support/builds.sh
  need_packages clang-14 libclang-rt-14-dev libomp-14-dev
  build_preset fuzz nystrom
fi
program=$(realpath "${1:-build-fuzz/nystrom}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Known allocations that live until exit, in HDF5, the OpenMP runtime and SentencePiece's flags.
cat >"$folder/suppressions" <<'LIST'
leak:libhdf5
leak:libomp
leak:libsentencepiece
LIST
export LSAN_OPTIONS=suppressions=$folder/suppressions:print_suppressions=0 ASAN_OPTIONS=detect_leaks=1 OMP_NUM_THREADS=1

for i in $(seq 400); do
  echo "The old miller walks to river $((i % 17)). A quiet garden follows the letter $((i % 5)) home."
  (( i % 6 )) || echo
done >"$folder/text.txt"
cat >"$folder/run.yaml" <<YAML
corpus: [{kind: lines, path: $folder/text.txt}]
tokenizer: {kind: unigram, vocabulary_size: 80}
output: {directory: $folder/prepared, validation_fraction: 0.1}
run: {directory: $folder/run}
model: {hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64, max_positions: 32,
        attention: {landmarks: 4, convolution: 3}}
data: {shards: [$folder/prepared/train/*.h5], validation: [$folder/prepared/validation/*.h5], sequence_length: 32}
training: {steps: 12, global_batch: 8, micro_batch: 4, precision: fp32}
checkpoint: {every_steps: 2, keep: 2, keep_best: 1}
evaluation: {every_steps: 4, batches: 2}
YAML
for command in "prepare $folder/run.yaml" "pretrain $folder/run.yaml" \
               "pretrain $folder/run.yaml --set training.steps=16" "inspect $folder/run" "inspect --verify $folder/run" \
               "convert --from $folder/run/checkpoints/step-00000016.h5 --to $folder/model"; do
  # shellcheck disable=SC2086
  "$program" $command >"$folder/log" 2>&1 || { cat "$folder/log"; echo "leaks.sh: nystrom ${command%% *} failed"; exit 1; }
done
echo "leaks.sh: no leak in prepare, pretrain, resume, inspect and convert"
