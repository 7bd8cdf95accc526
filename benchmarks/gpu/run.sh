#!/usr/bin/env bash
# GPU checks and benchmarks in one call of at most nine minutes: correctness first, then speed. Needs .gpu-bundle
# (benchmarks/gpu/bundle.sh) and python3. A stage that fails does not stop the others.
#
#   benchmarks/gpu/run.sh [OUTPUT_DIR] [--only PATTERN]     writes results.json and results.txt; default: gpu-results/
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
exec python3 benchmarks/gpu/run.py "$@"
