#!/usr/bin/env bash
# Cost of start-up and collectives by number of ranks, one line of JSON each.
#
#   tests/system/reliability/rank-costs.sh [RANKS...]          default: 1 2 4 8 16
set -euo pipefail
cd "$(dirname "$0")/../../.."
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
(( $# )) || set -- 1 2 4 8 16
for ranks in "$@"; do
  began=$EPOCHREALTIME
  line=$(mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n "$ranks" build/tests/rank_costs)
  awk -v line="$line" -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { sub(/}$/, "", line); printf "%s, \"whole_job_ms\": %.0f}\n", line, 1000 * (b - a) }'
done
