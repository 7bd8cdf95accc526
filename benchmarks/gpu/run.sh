#!/usr/bin/env bash
# One run on a GPU that measures everything, in at most 460 seconds: figures first, correctness during and after them.
# Needs .gpu-bundle (benchmarks/gpu/bundle.sh), python3 and, for the peers, PyTorch and transformers. A stage that fails
# or hangs does not stop the others.
#
#   benchmarks/gpu/run.sh [OUTPUT_DIR] [--only PATTERN] [--budget SECONDS]
#       writes results.json, results.txt and kernels.json; default: gpu-results/
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
exec python3 benchmarks/gpu/run.py "$@"
