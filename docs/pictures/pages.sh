#!/usr/bin/env bash
# Draws the pages of README, docs/pictures/report.svg and attention.svg: a small model, trained for some minutes on books of
# plain text, and its attention on a sentence.
#
# usage: docs/pictures/pages.sh 'BOOKS/*.txt' [WORK]      WORK, a folder for data and run, is kept where it is named
set -euo pipefail
cd "$(dirname "$0")/../.."

books=${1:?"name the books: docs/pictures/pages.sh 'BOOKS/*.txt'"}
work=${2:-}
if [[ -z $work ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
cat >"$work/novels.yaml" <<YAML
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
build/nystrom prepare "$work/novels.yaml"
build/nystrom pretrain "$work/novels.yaml"
build/nystrom inspect "$work/run" --output "$work/attention.html" --attention \
  'The captain looked at the sea for a long time, and when the wind had turned he told the boy to bring the lamp, because the ship that they had waited for would come in the night and nobody on the quay would see her.'
docs/pictures/page.py "$work/run/report.html" docs/pictures/report.svg --title runs/novels --sections 2 --figures 2
docs/pictures/page.py "$work/attention.html" docs/pictures/attention.svg --title 'Attention of runs/novels' \
  --without Errors --sections 1 --figures 2 --height 815
