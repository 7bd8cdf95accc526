#!/usr/bin/env bash
# Wrapper of Open MPI's mpirun for training runs: shares of the cores, signals, an end in any case, root in containers.
#
#   launch/mpirun.sh 8 build/nystrom pretrain my.yaml                          8 ranks on this machine
#   NYSTROM_HOSTFILE=hosts launch/mpirun.sh 16 build/nystrom pretrain my.yaml  16 ranks on the machines of `hosts`
#
# Installed it is `nystrom-mpirun`, and `nystrom` without a path is the program that was installed (or built) with it:
#
#   nystrom-mpirun 8 nystrom pretrain my.yaml
#
# - Cores. Open MPI counts cores, by default binds each of two ranks to one core, and knows neither a quota nor the
#   affinity mask that it runs under. So it binds nothing, and each rank of the program binds itself to its share of the
#   cores of its machine (NYSTROM_BIND=share). With more ranks than CPUs the ranks share all, unbound, and yield while
#   they wait.
# - Signals. SIGTERM, SIGINT (Ctrl-C) and SIGHUP make the program save and stop, with exit status 3. SIGUSR1 makes it
#   save and continue; SIGUSR2 reports what each rank is doing. Open MPI alone kills the ranks two seconds after
#   SIGTERM, Open MPI 5 at once; a longer odls_base_sigkill_timeout (Open MPI 4) only forwards the signal that much
#   later, and makes mpirun sleep that long after every failure. Other signals it forwards immediately, so the stop
#   request is sent as SIGXCPU. A second request ends the job as Open MPI does, a third at once.
# - End. When a machine is disconnected, or its temporary folder is full, the ranks end and mpirun waits forever, as does the
#   daemon on the other side. Whatever has had no rank for NYSTROM_END_SECONDS (20) is ended: mpirun by this script
#   (exit status 1), a daemon by a process that the first rank of its machine leaves next to it.
# - Banner. After a requested stop (exit status 3) Open MPI reports that a process failed. That banner is dropped then, and only
#   then; everything else that the job prints on stderr is passed on immediately.
# - Root. Containers run as root, which Open MPI must be set to allow.
set -euo pipefail
stop() { printf 'launch/mpirun.sh: %s\n' "$*" >&2; exit 2; }
ranks=${1:?usage: launch/mpirun.sh RANKS PROGRAM [ARGUMENT...]}
shift
[[ $ranks =~ ^[1-9][0-9]*$ && $# -gt 0 ]] || stop "Write launch/mpirun.sh RANKS PROGRAM [ARGUMENT...], with RANKS from 1 on."
readonly patience=${NYSTROM_END_SECONDS:-20}
[[ $patience =~ ^[1-9][0-9]*$ ]] || stop "NYSTROM_END_SECONDS is $patience; it must be a number of seconds, from 1 on."
here=$(dirname "$(readlink -f "$0")")
if [[ $1 == nystrom ]]; then
  for program in "$here/../build/nystrom" "$here/../../../bin/nystrom"; do
    [[ -x $program ]] || continue
    program=$(cd "$(dirname "$program")" && pwd)/nystrom
    shift
    set -- "$program" "$@"
    break
  done
fi
# A tar with all libraries (launch/package/tar.sh) has its own Open MPI, which the program needs.
if [[ -r $here/../../../lib/nystrom/environment ]]; then
  # shellcheck source=/dev/null
  . "$here/../../../lib/nystrom/environment"
fi
version=$(mpirun --version 2>/dev/null) || stop "There is no mpirun in PATH. Install Open MPI (launch/setup.sh), or load its module."
[[ $version == *"Open MPI"* ]] || stop "The mpirun in PATH is not Open MPI's (${version%%$'\n'*}). Call that one directly, as docs/operations.md says."

options=(-n "$ranks" --bind-to none --mca ess_base_forward_signals SIGXCPU)
if [[ -n ${NYSTROM_HOSTFILE:-} ]]; then
  [[ -r $NYSTROM_HOSTFILE ]] || stop "The host file $NYSTROM_HOSTFILE (NYSTROM_HOSTFILE) cannot be read."
  options+=(--hostfile "$NYSTROM_HOSTFILE" --map-by slot)
else
  options+=(--map-by slot:OVERSUBSCRIBE)  # cores are shared out below, not by slots
fi
[[ $(id -u) == 0 ]] && options+=(--allow-run-as-root)

# Does the process (mpirun, or its daemon on another machine) have a rank as child?
has_ranks() {  # PID
  local child
  for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
    grep -qsz '^OMPI_COMM_WORLD_RANK=' /proc/"$child"/environ && return
  done
  return 1
}

# Returns once the process is gone (0), or has had no rank for that many seconds (1): from now on, or, where no rank may be
# meant to run on this machine, since the first one was seen.
outlives_ranks() {  # PID SECONDS now|seen
  local last=$SECONDS counts=$3 interval=0.1
  while kill -0 "$1" 2>/dev/null; do
    if has_ranks "$1"; then
      last=$SECONDS counts=now interval=1
    elif [[ $counts == now ]] && (( SECONDS - last > $2 )); then
      return 1
    fi
    sleep $interval || true
  done
}

# What mpirun starts on each machine for each rank. The first one leaves the guard of the daemon.
start_rank() {  # SECONDS PROGRAM [ARGUMENT...]
  local seconds=$1 daemon
  shift
  read -r daemon <"/proc/$PPID/comm" || true
  if [[ ${OMPI_COMM_WORLD_LOCAL_RANK:-0} == 0 && $daemon =~ ^(orted|prted)$ ]]; then
    setsid bash -c "$(declare -f has_ranks outlives_ranks); outlives_ranks $PPID $seconds now || kill -KILL $PPID" \
      </dev/null >/dev/null 2>&1 &
  fi
  export NYSTROM_BIND=share
  exec "$@"
}
stage="$(declare -f has_ranks outlives_ranks start_rank); start_rank \"\$@\""

# Copies its input, except banners in which Open MPI reports a process that ended with a status other than 0: those
# wait in a file. A banner is between two lines of dashes.
sieve() {  # FILE
  local line held='' ends=0
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^-{20,}$ ]]; then
      held+=$line$'\n'
      (( ++ends < 2 )) && continue
      if [[ $held =~ (non-zero (exit code|status)|exited? with non-zero) ]]; then printf '%s' "$held" >>"$1"; else printf '%s' "$held"; fi
      held='' ends=0
    elif [[ $line == 'mpirun: Forwarding signal 24 to job' ]]; then
      continue  # SIGXCPU, which nobody sent but this script
    elif (( ends )); then
      held+=$line$'\n'
    else
      printf '%s\n' "$line"
    fi
  done
  printf '%s' "$held"
}
banners=$(mktemp 2>/dev/null) || banners=''
if [[ -n $banners ]]; then
  exec {errors}> >(trap '' TERM INT HUP XCPU USR1 USR2; sieve "$banners" >&2)
  sieve=$!
else
  exec {errors}>&2  # the temporary folder is full: nothing is left out
  sieve=''
fi

# mpirun runs in its own session, so that the terminal's Ctrl-C reaches only this script; it is ended if this script is
# killed.
setpriv --pdeathsig TERM setsid mpirun "${options[@]}" bash -c "$stage" nystrom-rank "$patience" "$@" 2>&"$errors" {errors}>&- &
job=$!
exec {errors}>&-
counts=now
[[ -n ${NYSTROM_HOSTFILE:-}${SLURM_JOB_ID:-}${PBS_JOBID:-}${LSB_JOBID:-} ]] && counts=seen
{ outlives_ranks "$job" "$patience" "$counts" || kill -ALRM $$; } </dev/null >/dev/null 2>&1 &
watch=$!

end_job() {  # now, with its ranks on this machine; daemons elsewhere notice, and end theirs
  local children
  children=$(cat /proc/"$job"/task/*/children 2>/dev/null) || true
  # shellcheck disable=SC2086
  kill -KILL $children "$job" 2>/dev/null || true
}
requests=0 interrupted=0 outlived=0
give_up() {
  interrupted=1 outlived=1
  end_job
}
request_stop() {
  interrupted=1
  case $(( requests++ )) in
    0) kill -XCPU "$job" ;;
    1) kill -TERM "$job" ;;
    *) end_job ;;
  esac 2>/dev/null || true
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
trap give_up ALRM
while true; do
  interrupted=0 status=0
  wait "$job" || status=$?
  (( interrupted )) || break  # otherwise a trapped signal interrupted `wait`, and the job may still be running
done
kill "$watch" 2>/dev/null || true
if [[ -n $sieve ]]; then
  for (( i = 0; i < 20; ++i )); do  # what is still running; not forever, since a lost rank may hold its end
    kill -0 "$sieve" 2>/dev/null || break
    sleep 0.1
  done
  (( requests && status == 3 )) || cat "$banners" >&2
  rm -f "$banners"
fi
if (( outlived )); then
  printf '%s\n' "launch/mpirun.sh: mpirun was ended, since it was still running $patience s after the last rank of this machine had ended (or failed to start). The messages above say why; the same command resumes, on the remaining machines." >&2
  status=1
fi
exit "$status"
