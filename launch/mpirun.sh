#!/usr/bin/env bash
# mpirun with what a training run wants:
#
#   launch/mpirun.sh 8 build/nystrom pretrain my.yaml       8 ranks
#
# - SIGTERM reaches the program and mpirun waits NYSTROM_GRACE seconds (300) for its checkpoint before it
#   kills. (Open MPI's own wait is one second.)
# - Ranks are bound to their share of the cores: each then computes with as many threads. With fewer cores than ranks
#   they share, unbound, and yield while they wait.
# - Containers run as root; Open MPI wants that said.
set -euo pipefail
ranks=${1:?usage: launch/mpirun.sh RANKS PROGRAM [ARGUMENT...]}
shift
cores=$(nproc)
options=(-n "$ranks" --mca odls_base_sigkill_timeout "${NYSTROM_GRACE:-300}")
if [[ -n ${NYSTROM_HOSTFILE:-} ]]; then
  options+=(--hostfile "$NYSTROM_HOSTFILE")
elif (( ranks > cores )); then
  options+=(--oversubscribe --bind-to none --mca mpi_yield_when_idle 1)
elif (( cores / ranks > 1 )); then
  options+=(--map-by "slot:PE=$(( cores / ranks ))" --bind-to core)
else
  options+=(--bind-to core)
fi
[[ $(id -u) == 0 ]] && options+=(--allow-run-as-root)
exec mpirun "${options[@]}" "$@"
