#!/usr/bin/env bash
# The program built with MPICH, next to one built with Open MPI: ranks know each other, each has its share of the cores,
# the same losses and the same bits of weights, checkpoints that either resumes, a rank that dies ends the job, and each
# refuses the other's launcher. By hand, since it needs a second build:
#
#   apt-get install mpich libmpich-dev
#   cmake --preset release -B build-mpich -DMPI_CXX_COMPILER=mpicxx.mpich && cmake --build build-mpich --target nystrom
#   tests/system/machines/mpich.sh [build/nystrom [build-mpich/nystrom]]          two minutes
#
# Intel MPI has MPICH's binary interface, so the same program runs on it, without another build: put its libmpi.so.12 as
# libmpich.so.12 first into LD_LIBRARY_PATH, and name its launcher by MPIEXEC.
theirs=$(realpath "${2:-$(dirname "$0")/../../../build-mpich/nystrom}" 2>/dev/null)
. "$(dirname "$0")/machine.sh" mpich "$@"
[[ -x $theirs ]] || skip "there is no program built with MPICH (the head of this script says how to get one)"
mpiexec=$(command -v "${MPIEXEC:-mpiexec.mpich}" || command -v mpiexec.hydra) || skip "there is no mpiexec of MPICH"
cores=$("$nystrom" doctor | sed -n 's/^cores *\([0-9]*\) available.*/\1/p')

NYSTROM_BIND=share "$mpiexec" -bind-to none -n 2 "$theirs" doctor >share.log 2>&1 || wrong "doctor: $(tail -3 share.log)"
has share.log '^MPI .*\(MPICH\|Intel\)'
has share.log '^ranks *2, 2 on this machine'
(( cores < 2 )) || has share.log "^cores *$(( cores / 2 )) available"
hasnt share.log '^warning'
"$mpiexec" -n 2 "$theirs" doctor >plain.log 2>&1 || wrong "doctor without binding: $(tail -3 plain.log)"
has plain.log '^ranks *2, 2 on this machine'

# Each library's launcher with the other's program.
"$mpiexec" -n 2 "$nystrom" doctor >stranger.log 2>&1 && wrong "Open MPI's program under MPICH: not refused"
has stranger.log '2 ranks were started, but MPI sees one'
"$mpirun" 2 "$theirs" doctor >other.log 2>&1 && wrong "MPICH's program under launch/mpirun.sh: not refused"
has other.log '2 ranks were started, but MPI sees one'

# The same losses, step by step, to the last digit, on as many ranks.
prepare_case
losses() { sed -n 's/.*"step": *\([0-9]*\).*"loss": *\([0-9.]*\).*/\1 \2/p' "$1/metrics.jsonl"; }
train() { "$mpiexec" -n 2 "$theirs" pretrain config.yaml --set run.directory="$1" "${@:2}" >"$1.log" 2>&1; }
train mpich || wrong "two ranks of MPICH: $(tail -3 mpich.log)"
"$mpirun" 2 "$nystrom" pretrain config.yaml --set run.directory=openmpi >openmpi.log 2>&1 || wrong "$(tail -3 openmpi.log)"
[[ -n $(losses mpich) ]] || wrong "no losses in mpich/metrics.jsonl"
diff <(losses mpich) <(losses openmpi) >losses.log || wrong "losses differ: $(head -4 losses.log)"

# Begun under one, finished under the other.
train begun --set run.stop_after=1s "${endless[@]}"
status=$?
(( status == 3 )) || wrong "stopping after a second: status $status, $(tail -3 begun.log)"
"$mpirun" 2 "$nystrom" pretrain config.yaml --set run.directory=begun "${endless[@]}" --set run.stop_after=2s >on.log 2>&1
(( $? == 3 )) || wrong "continuing under Open MPI: $(tail -3 on.log)"
has on.log resum

# A rank that is killed ends the job, and what was saved can be resumed.
train killed "${endless[@]}" --set communication.timeout=10 &
job=$!
cleanups+=("kill $job 2>/dev/null")
wait_for 60 grep -sq tokens/s killed.log || wrong "the job to be killed did not start: $(tail -3 killed.log)"
pkill -9 -n -f "$theirs pretrain config.yaml --set run.directory=killed"
wait_for 60 ended "$job" || wrong "the job did not end after a rank was killed"
wait "$job" && wrong "a job with a killed rank: status 0"
finish
