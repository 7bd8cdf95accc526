#!/usr/bin/env bash
# mpirun with what a training run wants:
#
#   launch/mpirun.sh 8 build/nystrom pretrain my.yaml       8 ranks
#
# - SIGTERM, SIGINT (Ctrl-C) and SIGHUP make the program save and stop, with exit status 3; SIGUSR1 makes it save
#   and go on, SIGUSR2 tell what each rank is doing. Open MPI itself would end the ranks two seconds after a SIGTERM; told to be more patient
#   (odls_base_sigkill_timeout) it would only pass the signal on that much later, and would sleep as long after
#   every failure. It forwards other signals at once, so the request to stop travels as SIGXCPU. A second
#   Ctrl-C ends the job as Open MPI does.
# - Ranks are bound to their share of the cores: each then computes with as many threads. With fewer cores than ranks
#   they share, unbound, and yield while they wait.
# - Containers run as root; Open MPI wants that said.
set -euo pipefail
ranks=${1:?usage: launch/mpirun.sh RANKS PROGRAM [ARGUMENT...]}
shift
cores=$(nproc)
options=(-n "$ranks" --mca ess_base_forward_signals SIGXCPU)
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

# A session of its own, so that the terminal's Ctrl-C comes here alone; ended should this script be killed.
setpriv --pdeathsig TERM setsid mpirun "${options[@]}" "$@" &
job=$!
requests=0 interrupted=0
request_stop() {
  interrupted=1
  if (( requests++ == 0 )); then kill -XCPU "$job"; else kill -TERM "$job"; fi 2>/dev/null || true
}
request_save() {
  interrupted=1
  kill -USR1 "$job" 2>/dev/null || true
}
request_report() {
  interrupted=1
  kill -USR2 "$job" 2>/dev/null || true
}
trap request_stop TERM INT HUP XCPU
trap request_save USR1
trap request_report USR2
while true; do
  interrupted=0 status=0
  wait "$job" || status=$?
  (( interrupted )) || exit "$status"  # else a trap ended the wait, and the job goes on
done
