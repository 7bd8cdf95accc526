#!/usr/bin/env bash
# Draws docs/pictures/loss.svg, the picture of README: a small model, trained for some minutes on books of plain text.
#
# usage: docs/pictures/loss.sh 'BOOKS/*.txt' [WORK]      WORK, a folder for data and run, is kept where it is named
set -euo pipefail
cd "$(dirname "$0")/../.."

books=${1:?"name the books: docs/pictures/loss.sh 'BOOKS/*.txt'"}
work=${2:-}
if [[ -z $work ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
cat >"$work/loss.yaml" <<YAML
corpus: [{kind: books, path: $books}]
tokenizer: {kind: bpe, vocabulary_size: 4000}
output: {directory: $work/prepared, validation_fraction: 0.05}
run: {directory: $work/run, threads: 1, pinv_residual_every: 20}
model: {hidden_size: 128, layers: 2, heads: 2, intermediate_size: 512, max_positions: 128, dropout: 0.0,
        attention: {landmarks: 16, convolution: 17}}
training: {steps: 700, global_batch: 16, precision: fp32}
optimizer: {learning_rate: 1.0e-3}
schedule: {kind: linear, warmup_steps: 100}
checkpoint: {every_steps: 500, keep: 2}
evaluation: {every_steps: 100, batches: 10}
YAML
build/nystrom prepare "$work/loss.yaml"
build/nystrom pretrain "$work/loss.yaml"
build/nystrom report "$work/run" --curve loss --output docs/pictures/loss.svg
