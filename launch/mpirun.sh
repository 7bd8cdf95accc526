#!/usr/bin/env bash
# Wrapper of mpirun for training runs: signals, core binding, root in containers.
#
#   launch/mpirun.sh 8 build/nystrom pretrain my.yaml                          8 ranks on this machine
#   NYSTROM_HOSTFILE=hosts launch/mpirun.sh 16 build/nystrom pretrain my.yaml  16 ranks on the machines of `hosts`
#
# - Signals. SIGTERM, SIGINT (Ctrl-C) and SIGHUP make the program save and stop, with exit status 3. SIGUSR1 makes it
#   save and continue; SIGUSR2 reports what each rank is doing. Open MPI by itself kills the ranks two seconds after
#   SIGTERM, Open MPI 5 at once; a longer odls_base_sigkill_timeout (Open MPI 4) only forwards the signal that much
#   later, and makes mpirun sleep that long after every failure. Other signals it forwards immediately, so the stop
#   request is sent as SIGXCPU. A second Ctrl-C ends the job as Open MPI does.
# - Core binding. Each rank is bound to its share of the cores and uses one thread per core. With more ranks than cores
#   the ranks share the cores, unbound, and yield while they wait.
# - Root. Containers run as root, which Open MPI must be told to allow.
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

# mpirun runs in its own session, so that the terminal's Ctrl-C reaches only this script; it is ended if this script is
# killed.
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
  (( interrupted )) || exit "$status"  # otherwise a trapped signal interrupted `wait`, and the job is still running
done
