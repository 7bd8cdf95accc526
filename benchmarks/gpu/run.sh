#!/usr/bin/env bash
# All that only a GPU can show, in one call of at most nine minutes: checks first, then figures. Needs .gpu-bundle
# (benchmarks/gpu/bundle.sh) and python3; a part that fails does not stop the others.
#
#   benchmarks/gpu/run.sh [OUTPUT FOLDER] [--only PATTERN]     results.json and results.txt; by default gpu-results/
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
exec python3 benchmarks/gpu/run.py "$@"
